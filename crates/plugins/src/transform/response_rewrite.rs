//! `response-rewrite`: another status, other headers, another body for what goes to the client, whoever made the
//! response.

mod body;
mod vars;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use config::expr::Expr;
use gateway::answer::ResponseHead;
use gateway::content_coding::{Coding, Encoding};
use gateway::exchange::Exchange;
use gateway::plugin::{BodyFilter, Needs, Phases, Plugin, PluginDef};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{self, FromConfig};
use crate::header_change::{self, Change, Flat};
use body::{Replacement, Rewriter};
use vars::ResponseVars;

/// What is changed about a response.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(extend("dependencies" = {
    "body": {"not": {"required": ["filters"]}},
    "filters": {"not": {"required": ["body"]}}
}))]
pub struct Config {
    #[serde(default)]
    #[schemars(range(min = 200, max = 598))]
    pub status_code: Option<u16>,
    /// Sent instead of the body.
    #[serde(default)]
    pub body: Option<String>,
    /// `body` is written in base64.
    #[serde(default)]
    pub body_base64: bool,
    #[serde(default)]
    pub headers: Option<Headers>,
    /// An expression; responses for which it does not hold are left alone.
    #[serde(default)]
    #[schemars(with = "Option<Vec<Value>>")]
    pub vars: Option<Value>,
    /// Replacements in the body, decoded if it is compressed, done in this order.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub filters: Option<Vec<Filter>>,
    /// Bodies with more bytes than this pass the filters unchanged.
    #[serde(default = "default_max_resp_body_size")]
    #[schemars(range(min = 1))]
    pub max_resp_body_size: usize,
}

/// Changes to the response's headers; values may use variables, of the response too.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Headers {
    Operations(Operations),
    Flat(Flat),
}

/// Done in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Operations {
    /// Each `Name: value`.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = r"^[^:]+:[^\r\n]*$")))]
    pub add: Option<Vec<String>>,
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub set: Option<BTreeMap<String, header_change::HeaderText>>,
    #[serde(default)]
    #[schemars(schema_with = "header_change::names")]
    pub remove: Option<Vec<String>>,
}

/// One replacement in the body.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Filter {
    #[schemars(length(min = 1))]
    pub regex: String,
    /// What stands there instead; may use `$1`.
    pub replace: String,
    #[serde(default)]
    pub scope: Scope,
    /// Flags of the regular expression: `i`, `s`, `m`, `x`; others change nothing.
    #[serde(default = "default_options")]
    pub options: String,
}

/// How many matches are replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The first.
    #[default]
    Once,
    /// All.
    Global,
}

fn default_max_resp_body_size() -> usize {
    64 << 20
}

fn default_options() -> String {
    "jo".to_owned()
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<ResponseRewrite>("response-rewrite", 899)
}

impl FromConfig for ResponseRewrite {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        Self::new(&config)
    }
}

struct ResponseRewrite {
    status: Option<StatusCode>,
    body: Option<Bytes>,
    headers: Vec<Change>,
    condition: Option<Expr>,
    filters: Arc<[Replacement]>,
    max_body_bytes: usize,
}

/// The plugins (by address: a global rule and the route may each have one) whose condition held for this
/// response and whose filters go over its body, with the coding that each finds it in.
#[derive(Debug, Clone, Default)]
struct Filtering(Vec<(usize, Option<Coding>)>);

impl ResponseRewrite {
    fn new(config: &Config) -> Result<Self, String> {
        let condition = config.vars.as_ref().map(Expr::parse).transpose();
        let filters: Result<Arc<[_]>, _> = config.filters.iter().flatten().map(Replacement::new).collect();
        let status = config.status_code.map(StatusCode::from_u16).transpose();
        Ok(Self {
            status: status.map_err(|error| error.to_string())?,
            body: body(config)?,
            headers: header_change::end_to_end(config.headers.as_ref().map_or(Ok(Vec::new()), Headers::changes)?),
            condition: condition.map_err(|error| format!("failed to validate the 'vars' expression: {error}"))?,
            filters: filters?,
            max_body_bytes: config.max_resp_body_size,
        })
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Prepares the head for a body that is not the one it was made for.
    fn announce_other_body(head: &mut ResponseHead) {
        for name in [CONTENT_LENGTH, CONTENT_ENCODING, LAST_MODIFIED, ETAG] {
            head.headers.remove(name);
        }
    }

    fn begin_filtering(&self, exchange: &mut Exchange, head: &mut ResponseHead) {
        let coding = match Encoding::of(&head.headers) {
            Encoding::Plain => None,
            Encoding::Coded(coding) => Some(coding),
            Encoding::Unknown => {
                let encoding = head.headers.get(CONTENT_ENCODING);
                tracing::warn!(?encoding, "response-rewrite: filters do not apply to a body of this coding");
                return;
            }
        };
        Self::announce_other_body(head);
        let mut filtering = exchange.slot::<Filtering>().cloned().unwrap_or_default();
        filtering.0.push((self.address(), coding));
        exchange.set_slot(filtering);
    }
}

impl Plugin for ResponseRewrite {
    fn phases(&self) -> Phases {
        if self.filters.is_empty() { Phases::RESPONSE_HEAD } else { Phases::RESPONSE_HEAD.and(Phases::RESPONSE_BODY) }
    }

    fn needs(&self) -> Needs {
        let in_headers = self.headers.iter().filter_map(Change::template).flat_map(|template| template.variables());
        let in_condition = self.condition.iter().flat_map(Expr::variables);
        Needs::of_variables(in_headers.chain(in_condition).filter(|name| !ResponseVars::are_of_response(name)))
    }

    fn response_head(&self, exchange: &mut Exchange, head: &mut ResponseHead) {
        let holds = |condition: &Expr| condition.eval(&ResponseVars::new(exchange, head));
        if !self.condition.as_ref().is_none_or(holds) {
            return;
        }
        if let Some(status) = self.status {
            head.status = status;
        }
        if let Some(body) = &self.body {
            Self::announce_other_body(head);
            head.replaced_body = Some(body.clone());
        } else if !self.filters.is_empty() {
            self.begin_filtering(exchange, head);
        }
        for change in &self.headers {
            let value = change.resolve(&ResponseVars::new(exchange, head), &|_| None);
            change.apply(value, &mut head.headers);
        }
    }

    fn body_filter(&self, exchange: &Exchange, _: &ResponseHead) -> Option<Box<dyn BodyFilter>> {
        let filtering = exchange.slot::<Filtering>()?;
        let (_, coding) = filtering.0.iter().find(|(address, _)| *address == self.address())?;
        Some(Box::new(Rewriter::new(self.filters.clone(), self.max_body_bytes, *coding)))
    }
}

impl Headers {
    fn changes(&self) -> Result<Vec<Change>, String> {
        let operations = match self {
            Headers::Flat(flat) => return flat.changes(),
            Headers::Operations(operations) => operations,
        };
        let mut changes = Vec::new();
        for line in operations.add.iter().flatten() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = header_change::HeaderText::Text(value.trim().to_owned());
            changes.extend(Change::adding(name.trim(), &header_change::HeaderTexts::One(value))?);
        }
        for (name, text) in operations.set.iter().flatten() {
            changes.extend(Change::setting(name, &header_change::HeaderTexts::One(text.clone()))?);
        }
        for name in operations.remove.iter().flatten() {
            changes.push(Change::removing(name)?);
        }
        Ok(changes)
    }
}

fn body(config: &Config) -> Result<Option<Bytes>, String> {
    if !config.body_base64 {
        return Ok(config.body.clone().map(Bytes::from));
    }
    let text = config.body.as_deref().filter(|text| !text.is_empty());
    let decoded = text.and_then(|text| STANDARD.decode(text).ok());
    decoded.map(|bytes| Some(bytes.into())).ok_or_else(|| "invalid base64 content".to_owned())
}
