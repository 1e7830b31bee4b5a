//! `http-logger`: sends log entries to an HTTP server, many at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::catalog::{SchemaSource, Side};
use gateway::exchange::Exchange;
use gateway::plugin::{CompileContext, Needs, Phases, Plugin, PluginDef};
use gateway::side::SideClient;
use gateway::tls::client::Verify;
use http::Uri;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::batch::{Batch, BatchOptions, BatchRules, DEFAULT_MAX_PENDING, Receiver};
use super::entry::{self, EntryWriter, FormatDefaults, LogOptions};
use crate::definition::{self, Declare as _};

/// The name of its batches.
const DISPLAY_NAME: &str = "http logger";

/// Most entries are shorter, in bytes.
const USUAL_ENTRY: usize = 1_024;

/// Where entries go and in what form.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Config {
    /// The server's URL.
    pub uri: String,
    /// The `Authorization` header.
    pub auth_header: Option<String>,
    /// Seconds for one try.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1))]
    pub timeout: u32,
    /// How the entries of a batch are put together.
    #[serde(default)]
    pub concat_method: ConcatMethod,
    /// Check the server's certificate.
    #[serde(default)]
    pub ssl_verify: bool,
    #[serde(flatten)]
    pub log: LogOptions,
    #[serde(flatten)]
    pub batch: BatchOptions,
}

/// How the entries of a batch are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConcatMethod {
    /// A JSON array; a batch of at most one is the object itself.
    #[default]
    Json,
    /// One JSON text on each line.
    NewLine,
}

/// What applies where the configuration says nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    #[serde(flatten)]
    pub format: FormatDefaults,
    /// Entries that may wait; newer ones are dropped.
    #[schemars(range(min = 1))]
    pub max_pending_entries: Option<usize>,
}

fn timeout() -> u32 {
    3
}

pub(crate) fn definition() -> PluginDef {
    let mut definition =
        definition::plugin::<Config>("http-logger", 410, compile).with_metadata::<Metadata>().checked(check);
    definition.info.encrypt_fields = &["auth_header"];
    definition.info.schema = SchemaSource::new(schema);
    definition
}

fn schema() -> Value {
    let mut schema = config::schema::of::<Config>();
    schema["properties"]["name"]["default"] = DISPLAY_NAME.into();
    schema
}

fn check(config: &Value, side: Side) -> Result<(), String> {
    match side {
        Side::Route => definition::refused_now(config, check_own),
        Side::Metadata => entry::check_defaults(&definition::read::<Metadata>(config)?.format),
        Side::Consumer => Ok(()),
    }
}

fn check_own(config: &Value) -> Result<(), String> {
    let config: Config = definition::read(config)?;
    url(&config.uri)?;
    config.authorization()?;
    entry::check(&config.log)
}

impl Config {
    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let Some(auth) = &self.auth_header else { return Ok(None) };
        let mut value = HeaderValue::from_str(auth).map_err(|_| "auth_header cannot be a header value")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn url(text: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    uri.filter(is_http).ok_or_else(|| format!("uri must be a URL such as http://host:port/path, got {text:?}"))
}

struct HttpLogger {
    batch: Batch,
    entry: EntryWriter,
}

/// The server that entries go to.
struct Server {
    client: Arc<SideClient>,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    verify: Verify,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Object,
    Array,
    Lines,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    let metadata = context.metadata.map(definition::read::<Metadata>).transpose()?.unwrap_or_default();
    let services = context.services;
    let max_pending = metadata.max_pending_entries.unwrap_or(DEFAULT_MAX_PENDING);
    let rules = BatchRules::new(&config.batch, DISPLAY_NAME, max_pending);
    let server = Server::new(&config, services.client.clone())?;
    Ok(Arc::new(HttpLogger {
        batch: Batch::start(rules, server, &services.metrics, &services.last_call, &services.side),
        entry: EntryWriter::new(&config.log, &metadata.format, &services.hostname)?,
    }))
}

impl Plugin for HttpLogger {
    fn phases(&self) -> Phases {
        Phases::LOG
    }

    fn needs(&self) -> Needs {
        self.entry.needs()
    }

    fn log(&self, exchange: &Exchange) {
        let mut text = Vec::with_capacity(USUAL_ENTRY);
        self.entry.write(exchange, &mut text);
        self.batch.push(text.into(), || {
            let route = exchange.route.as_ref().map_or("no-matched", |matched| &matched.route.id);
            (route.to_owned(), exchange.connection.local.ip().to_string())
        });
    }
}

impl Server {
    fn new(config: &Config, client: Arc<SideClient>) -> Result<Self, String> {
        let form = match config.concat_method {
            ConcatMethod::NewLine => Form::Lines,
            ConcatMethod::Json if config.batch.batch_max_size <= 1 => Form::Object,
            ConcatMethod::Json => Form::Array,
        };
        let content_type = if form == Form::Lines { "text/plain" } else { "application/json" };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.extend(config.authorization()?.map(|value| (AUTHORIZATION, value)));
        Ok(Self {
            client,
            uri: url(&config.uri)?,
            headers,
            timeout: Duration::from_secs(config.timeout.into()),
            verify: if config.ssl_verify { Verify::Yes } else { Verify::No },
            form,
        })
    }
}

impl Receiver for Server {
    async fn receive(&self, entries: &[Bytes]) -> Result<(), String> {
        let body = self.form.body(entries);
        let answer = self.client.post(&self.uri, self.headers.clone(), body, self.timeout, self.verify).await;
        match answer {
            Ok(status) if status.as_u16() < 400 => Ok(()),
            Ok(status) => Err(format!("{} answered {status}", self.uri)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Form {
    fn body(self, entries: &[Bytes]) -> Bytes {
        let (open, between, close) = match (self, entries) {
            (Form::Object, [only]) => return only.clone(),
            (Form::Object | Form::Array, _) => ("[", b',', "]"),
            (Form::Lines, _) => ("", b'\n', ""),
        };
        let length = entries.iter().map(|entry| entry.len() + 1).sum::<usize>() + 2;
        let mut body = Vec::with_capacity(length);
        body.extend_from_slice(open.as_bytes());
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                body.push(between);
            }
            body.extend_from_slice(entry);
        }
        body.extend_from_slice(close.as_bytes());
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_take_the_form_that_is_asked_for() {
        let entries = ["{\"a\":1}", "{}"].map(|text| Bytes::from_static(text.as_bytes()));
        let rows = [
            (Form::Array, 2, "[{\"a\":1},{}]"),
            (Form::Array, 1, "[{\"a\":1}]"),
            (Form::Object, 1, "{\"a\":1}"),
            (Form::Lines, 2, "{\"a\":1}\n{}"),
        ];
        for (form, count, expected) in rows {
            assert_eq!(form.body(&entries[..count]), expected, "{form:?}");
        }
    }

    #[test]
    fn only_http_urls_are_accepted() {
        for (text, accepted) in
            [("http://a", true), ("https://a:1/x?y", true), ("/x", false), ("ftp://a", false), ("a b", false)]
        {
            assert_eq!(url(text).is_ok(), accepted, "{text}");
        }
    }
}
