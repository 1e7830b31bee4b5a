//! `proxy-rewrite`: what the upstream is asked for instead of what the client asked for: another path, host,
//! method, other headers.

#[cfg(test)]
mod tests;
mod uri;

use std::collections::BTreeMap;

use config::pattern::Captures;
use gateway::exchange::Exchange;
use gateway::plugin::{Needs, Phases, Plugin, PluginDef, Step};
use gateway::variables::reads::reads_body;
use http::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::definition::{self, FromConfig};
use crate::header_change::{self, Change, Flat, HeaderTexts};
use crate::query;
use uri::{Client, Rewrite};

/// What is sent instead of what the client sent. At least one property.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(extend("minProperties" = 1))]
pub struct Config {
    /// The path (and query, after a `?`) to ask for; a template. The client's query is appended.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096), regex(pattern = r"^\/.*"))]
    pub uri: Option<String>,
    /// Pairs of a regular expression and what replaces its match in the path; the first that matches counts. Not
    /// asked if there is a `uri`.
    #[serde(default)]
    #[schemars(length(min = 2))]
    pub regex_uri: Option<Vec<String>>,
    /// The Host header.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[0-9a-zA-Z-.]+(:\d{1,5})?$"))]
    pub host: Option<String>,
    #[serde(default)]
    pub method: Option<Method>,
    #[serde(default)]
    pub headers: Option<Headers>,
    /// Start from the URI as the client wrote it, and send the result without escaping anything.
    #[serde(default)]
    pub use_real_request_uri_unsafe: Option<bool>,
}

/// The methods that a request may be changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Head,
    Delete,
    Options,
    Mkcol,
    Copy,
    Move,
    Propfind,
    Lock,
    Unlock,
    Patch,
    Trace,
}

/// Changes to the request's headers; values may use variables and, after a match of `regex_uri`, `$1`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = definition::exactly_one)]
pub enum Headers {
    Operations(Operations),
    Flat(Flat),
}

/// Done in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Operations {
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub add: Option<BTreeMap<String, HeaderTexts>>,
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub set: Option<BTreeMap<String, HeaderTexts>>,
    #[serde(default)]
    #[schemars(schema_with = "header_change::names")]
    pub remove: Option<Vec<String>>,
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<ProxyRewrite>("proxy-rewrite", 1008)
}

impl FromConfig for ProxyRewrite {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        Self::new(&config)
    }
}

struct ProxyRewrite {
    uri: Option<Rewrite>,
    host: Option<HeaderValue>,
    method: Option<http::Method>,
    headers: Vec<Change>,
}

impl ProxyRewrite {
    fn new(config: &Config) -> Result<Self, String> {
        let headers = config.headers.as_ref().map_or(Ok(Vec::new()), Headers::changes)?;
        let host = config.host.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            uri: Rewrite::new(config)?,
            host: host.map_err(|_| "host cannot stand in a header".to_owned())?,
            method: config.method.map(Method::to_http),
            headers: header_change::end_to_end(headers),
        })
    }

    fn change_headers(&self, exchange: &mut Exchange, captures: Option<&Captures<'_>>) {
        let groups = |number| captures.and_then(|captures| captures.get(number));
        for change in &self.headers {
            let value = change.resolve(exchange, &groups);
            change.apply(value, &mut exchange.request.headers);
        }
    }
}

impl Plugin for ProxyRewrite {
    fn phases(&self) -> Phases {
        Phases::REWRITE
    }

    fn needs(&self) -> Needs {
        let in_headers = self.headers.iter().filter_map(Change::template);
        let in_uri = self.uri.iter().filter_map(Rewrite::template);
        let reads_body = in_headers.chain(in_uri).flat_map(|template| template.variables()).any(reads_body);
        Needs { body_before_rewrite: reads_body, ..Needs::default() }
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        match &self.uri {
            None => self.change_headers(exchange, None),
            Some(rewrite) => {
                let subject = rewrite.subject(exchange);
                let client = Client { path: exchange.request.uri.path(), query: query::forwarded(exchange) };
                let target = rewrite.apply(&subject, exchange, &client);
                let (uri, captures) = target.map_or((None, None), |target| (Some(target.uri), target.captures));
                if uri.is_some() {
                    exchange.forward.uri = uri;
                }
                self.change_headers(exchange, captures.as_ref());
            }
        }
        if let Some(host) = &self.host {
            exchange.forward.host = Some(host.clone());
        }
        if let Some(method) = &self.method {
            exchange.forward.method = Some(method.clone());
        }
        Step::Next
    }
}

impl Headers {
    fn changes(&self) -> Result<Vec<Change>, String> {
        let operations = match self {
            Headers::Flat(flat) => return flat.changes(),
            Headers::Operations(operations) => operations,
        };
        let mut changes = Vec::new();
        for (name, texts) in operations.add.iter().flatten() {
            changes.extend(Change::adding(name, texts)?);
        }
        for (name, texts) in operations.set.iter().flatten() {
            changes.extend(Change::setting(name, texts)?);
        }
        for name in operations.remove.iter().flatten() {
            changes.push(Change::removing(name)?);
        }
        Ok(changes)
    }
}

impl Method {
    fn to_http(self) -> http::Method {
        let extension = |name: &'static [u8]| http::Method::from_bytes(name).expect("WebDAV method names are tokens");
        match self {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Head => http::Method::HEAD,
            Method::Delete => http::Method::DELETE,
            Method::Options => http::Method::OPTIONS,
            Method::Patch => http::Method::PATCH,
            Method::Trace => http::Method::TRACE,
            Method::Mkcol => extension(b"MKCOL"),
            Method::Copy => extension(b"COPY"),
            Method::Move => extension(b"MOVE"),
            Method::Propfind => extension(b"PROPFIND"),
            Method::Lock => extension(b"LOCK"),
            Method::Unlock => extension(b"UNLOCK"),
        }
    }
}
