//! `mocking`: answers with an example, or with data made up after a JSON schema, so that clients can be built
//! before the service is.

mod sample;
mod xml;

#[cfg(test)]
mod tests;

use std::time::Duration;

use config::template::Template;
use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::{Needs, Phases, Plugin, PluginDef, Step, Verdict};
use gateway::variables::reads::reads_body;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::definition::{self, FromConfig};
use crate::header_change::{self, Change, Flat};

const MOCKED_BY: HeaderName = HeaderName::from_static("x-mock-by");
const MOCKER: HeaderValue = HeaderValue::from_static(config::APISIX_SERVER);
const CONTENT_TYPES: [&str; 5] = ["application/xml", "application/json", "text/plain", "text/html", "text/xml"];

/// What is answered: an example or a schema.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{"required": ["response_example"]}, {"required": ["response_schema"]}]))]
pub struct Config {
    /// Seconds to wait before answering.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub delay: u64,
    #[serde(default = "default_response_status")]
    #[schemars(range(min = 100, max = 999))]
    pub response_status: u16,
    /// XML, JSON, plain text or HTML.
    #[serde(default = "default_content_type")]
    pub content_type: String,
    /// The body, a template. Wins over the schema.
    #[serde(default)]
    pub response_example: Option<String>,
    /// A JSON schema. Where it gives an `example`, that is used; the rest is random.
    #[serde(default)]
    #[schemars(extend("type" = "object"))]
    pub response_schema: Option<Value>,
    /// Say in a header that this is no real answer.
    #[serde(default = "default_with_mock_header")]
    pub with_mock_header: bool,
    /// More headers.
    #[serde(default)]
    pub response_headers: Option<Flat>,
}

fn default_response_status() -> u16 {
    200
}

fn default_content_type() -> String {
    "application/json;charset=utf8".to_owned()
}

fn default_with_mock_header() -> bool {
    true
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<Mocking>("mocking", 10900)
}

impl FromConfig for Mocking {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        Self::new(config)
    }
}

#[derive(Debug)]
struct Mocking {
    delay: Duration,
    status: StatusCode,
    content_type: HeaderValue,
    body: Body,
    headers: Vec<Change>,
    with_mock_header: bool,
}

#[derive(Debug)]
enum Body {
    Example(Template),
    Json(Value),
    Xml(Value),
}

impl Mocking {
    fn new(config: Config) -> Result<Self, String> {
        let kind = config.content_type.split(';').next().unwrap_or_default().trim();
        if !CONTENT_TYPES.contains(&kind) {
            return Err("unsupported content type!".to_owned());
        }
        let body = match (config.response_example, config.response_schema) {
            (Some(example), _) => Body::Example(Template::new(&example)),
            (None, Some(schema)) if kind.ends_with("xml") => Body::Xml(schema),
            (None, schema) => Body::Json(schema.unwrap_or_default()),
        };
        Ok(Self {
            delay: Duration::from_secs(config.delay),
            status: StatusCode::from_u16(config.response_status)
                .map_err(|_| format!("response_status must be 100..999, got {}", config.response_status))?,
            content_type: HeaderValue::from_str(&config.content_type)
                .map_err(|_| "unsupported content type!".to_owned())?,
            body,
            headers: header_change::end_to_end(config.response_headers.as_ref().map_or(Ok(Vec::new()), Flat::changes)?),
            with_mock_header: config.with_mock_header,
        })
    }

    fn answer(&self, exchange: &Exchange) -> Answer {
        let body = match &self.body {
            Body::Example(template) => template.render_to_string(exchange),
            Body::Json(schema) => sample::of(schema).to_string(),
            Body::Xml(schema) => xml::of(&sample::of(schema)),
        };
        let mut answer = Answer::text(self.status, body).with_content_type(self.content_type.clone());
        if self.with_mock_header {
            answer = answer.with_header(MOCKED_BY, MOCKER);
        }
        for change in &self.headers {
            change.apply(change.resolve(exchange, &|_| None), answer.headers.get_or_insert_default());
        }
        answer
    }
}

impl Plugin for Mocking {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn needs(&self) -> Needs {
        let in_body = match &self.body {
            Body::Example(template) => template.variables().any(reads_body),
            Body::Json(_) | Body::Xml(_) => false,
        };
        let templates = self.headers.iter().filter_map(Change::template);
        let in_headers = templates.flat_map(|template| template.variables()).any(reads_body);
        Needs { body_before_rewrite: in_body || in_headers, ..Needs::default() }
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let answer = self.answer(exchange);
        if self.delay.is_zero() {
            return Step::Answer(answer);
        }
        Step::Wait(Box::pin(async move {
            tokio::time::sleep(self.delay).await;
            Verdict::Answer(answer)
        }))
    }
}
