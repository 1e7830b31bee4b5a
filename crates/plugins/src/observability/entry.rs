//! Log entries, as all loggers write them: APISIX's default entry or the user's own format, with what is known of LLM
//! requests added. Compiled once per configuration; an entry is written straight into its JSON text.

mod sections;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use config::APISIX_VERSION;
use config::expr::Expr;
use gateway::content_coding::{Encoding, decoded_start};
use gateway::exchange::Exchange;
use gateway::inference::LlmCall;
use gateway::plugin::Needs;
use gateway::request_body::RequestBody;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::{Members, Object, name};
use super::log_format::{Bodies, LogFormat};

/// What the default entry has of its own; added fields cannot replace it.
const OWN_KEYS: [&str; 17] = [
    "request",
    "response",
    "server",
    "upstream",
    "service_id",
    "route_id",
    "consumer",
    "client_ip",
    "start_time",
    "latency",
    "upstream_latency",
    "apisix_latency",
    "outcome",
    "llm_usage",
    "llm_summary",
    "llm_request",
    "llm_response_text",
];

/// What is added to entries of any format.
const ADDED_KEYS: [&str; 2] = ["route_id", "service_id"];

/// The options that every logger has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LogOptions {
    /// The whole entry: names to values, where `"$name"` is a variable and `"$a $b"` two. Objects may be nested.
    pub log_format: Option<Map<String, Value>>,
    /// Added to the default entry.
    pub log_format_extra: Option<Map<String, Value>>,
    /// Log request bodies.
    pub include_req_body: bool,
    /// Log the request body only where this expression holds.
    #[schemars(length(min = 1))]
    pub include_req_body_expr: Option<Vec<Value>>,
    /// Log response bodies.
    pub include_resp_body: bool,
    /// Log the response body only where this expression holds.
    #[schemars(length(min = 1))]
    pub include_resp_body_expr: Option<Vec<Value>>,
    /// Longer request bodies are cut, in bytes.
    #[schemars(range(min = 1))]
    pub max_req_body_bytes: usize,
    /// Longer response bodies are cut, in bytes.
    #[schemars(range(min = 1))]
    pub max_resp_body_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            log_format: None,
            log_format_extra: None,
            include_req_body: false,
            include_req_body_expr: None,
            include_resp_body: false,
            include_resp_body_expr: None,
            max_req_body_bytes: 512 * 1024,
            max_resp_body_bytes: 512 * 1024,
        }
    }
}

/// What loggers find in their plugin metadata where their configuration says nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FormatDefaults {
    pub log_format: Option<Map<String, Value>>,
    pub log_format_extra: Option<Map<String, Value>>,
}

/// Writes the entries of one logger.
#[derive(Debug)]
pub(super) struct EntryWriter {
    shape: Shape,
    request_body: Inclusion,
    response_body: Inclusion,
    /// What the default entry says of this server.
    server: Members,
}

#[derive(Debug)]
enum Shape {
    /// With fields added.
    Default(LogFormat),
    Custom(LogFormat),
}

/// Whether and how much of a body is logged.
#[derive(Debug)]
struct Inclusion {
    included: bool,
    condition: Option<Expr>,
    max_bytes: usize,
}

/// The checks of the options that a schema cannot say.
///
/// # Errors
/// If an expression does not parse or a format is nested too deep.
pub(super) fn check(options: &LogOptions) -> Result<(), String> {
    EntryWriter::new(options, &FormatDefaults::default(), &Arc::from("")).map(|_| ())
}

/// The same for what stands in the metadata.
///
/// # Errors
/// If a format is nested too deep.
pub(super) fn check_defaults(defaults: &FormatDefaults) -> Result<(), String> {
    let mut formats = [&defaults.log_format, &defaults.log_format_extra].into_iter().flatten();
    formats.try_for_each(|format| LogFormat::compile(format).map(|_| ()))
}

impl EntryWriter {
    /// # Errors
    /// As [`check`].
    pub fn new(options: &LogOptions, defaults: &FormatDefaults, hostname: &Arc<str>) -> Result<Self, String> {
        let own = options.log_format.as_ref().or(defaults.log_format.as_ref());
        let shape = match own.map(LogFormat::compile).transpose()?.filter(|format| !format.is_empty()) {
            Some(format) => Shape::Custom(format),
            None => {
                let extra = options.log_format_extra.as_ref().or(defaults.log_format_extra.as_ref());
                Shape::Default(extra.map(LogFormat::compile).transpose()?.unwrap_or_default())
            }
        };
        let condition = |name: &str, expr: &Option<Vec<Value>>| {
            let parse = |expr: &Vec<Value>| Expr::parse(&Value::Array(expr.clone()));
            expr.as_ref()
                .map(parse)
                .transpose()
                .map_err(|error| format!("failed to validate the '{name}' expression: {error}"))
        };
        let wants = |name: &str| shape.format().variables().contains(&name);
        Ok(Self {
            request_body: Inclusion {
                included: options.include_req_body || wants("request_body"),
                condition: condition("include_req_body_expr", &options.include_req_body_expr)?,
                max_bytes: options.max_req_body_bytes,
            },
            response_body: Inclusion {
                included: options.include_resp_body || wants("resp_body"),
                condition: condition("include_resp_body_expr", &options.include_resp_body_expr)?,
                max_bytes: options.max_resp_body_bytes,
            },
            shape,
            server: Members::new(|entry| {
                let mut server = entry.object(name!("server"));
                server.text(name!("hostname"), hostname);
                server.text(name!("version"), APISIX_VERSION);
                server.end();
            }),
        })
    }

    /// What the exchange must keep for the entries.
    pub fn needs(&self) -> Needs {
        let (request, response) = (&self.request_body, &self.response_body);
        let read = Needs::of_variables(self.shape.format().variables());
        let conditions = [request, response].into_iter().flat_map(|body| &body.condition);
        let shown = Needs {
            request_body_bytes: if read.body_before_rewrite { request.max_bytes } else { request.bytes_to_keep() },
            response_body_bytes: response.bytes_to_keep(),
            // They tell how a body is compressed.
            headers: matches!(self.shape, Shape::Default(_)) || request.included || response.included,
            ..Needs::default()
        };
        shown.merge(read).merge(Needs::of_variables(conditions.flat_map(Expr::variables)))
    }

    /// Appends the entry of `exchange` as JSON text on one line, without a line end.
    pub fn write(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        let request =
            Body { bytes: request_body(exchange).unwrap_or_default(), headers: Some(&exchange.request.headers) };
        let request = self.request_body.of(exchange, request);
        let headers = exchange.response.headers.as_deref();
        let response = self.response_body.of(exchange, Body { bytes: &exchange.captured_response, headers });
        let bodies = Bodies { request: request.as_deref(), response: response.as_deref() };
        let mut entry = Object::begin(out);
        match &self.shape {
            Shape::Default(extra) => {
                self.write_default(exchange, bodies, &mut entry);
                extra.write(exchange, bodies, &mut entry, &OWN_KEYS);
            }
            Shape::Custom(format) => {
                format.write(exchange, bodies, &mut entry, &ADDED_KEYS);
                sections::owners(exchange, &mut entry);
            }
        }
        if let Some(call) = &exchange.llm {
            self.write_llm(exchange, call, &mut entry);
        }
        entry.end();
    }

    fn write_default(&self, exchange: &Exchange, bodies: Bodies<'_>, entry: &mut Object<'_>) {
        sections::request(exchange, bodies.request, entry);
        let mut response = entry.object(name!("response"));
        response.integer(name!("status"), exchange.response.status.into());
        sections::headers(exchange.response.headers.as_deref(), &[], &mut response);
        response.integer(name!("size"), exchange.settlement.bytes_sent());
        response.optional_text(name!("body"), bodies.response);
        response.end();
        entry.members(&self.server);
        sections::upstream(exchange, entry);
        sections::owners(exchange, entry);
        if let Some(attached) = &exchange.consumer {
            let mut consumer = entry.object(name!("consumer"));
            consumer.text(name!("username"), &attached.consumer.username);
            consumer.optional_text(name!("group_id"), attached.consumer.group_id.as_deref());
            consumer.end();
        }
        entry.address(name!("client_ip"), exchange.remote_addr);
        sections::times(exchange, entry);
        entry.text(name!("outcome"), exchange.settlement.outcome.as_str());
        if let Some(call) = &exchange.llm {
            sections::usage(call, entry);
        }
    }

    /// What the `logging` of the plugin that called the provider asks for, in entries of any format.
    fn write_llm(&self, exchange: &Exchange, call: &LlmCall, entry: &mut Object<'_>) {
        let is_free = |key: &str| match &self.shape {
            Shape::Default(_) => true,
            Shape::Custom(format) => !format.has(key),
        };
        if call.log_summary && is_free("llm_summary") {
            sections::summary(exchange, entry);
        }
        if !call.log_payload {
            return;
        }
        if is_free("llm_request") {
            let mut request = entry.object(name!("llm_request"));
            if let Some(messages) = call.scan().and_then(|scan| scan.field("messages").or_else(|| scan.field("input")))
            {
                request.raw(name!("messages"), messages);
            }
            request.flag(name!("stream"), call.stream);
            request.end();
        }
        if let Some(content) = call.answer_text.as_deref().filter(|_| is_free("llm_response_text")) {
            let mut response = entry.object(name!("llm_response_text"));
            response.text(name!("content"), content);
            response.end();
        }
    }
}

impl Shape {
    fn format(&self) -> &LogFormat {
        match self {
            Shape::Default(format) | Shape::Custom(format) => format,
        }
    }
}

impl Inclusion {
    fn bytes_to_keep(&self) -> usize {
        if self.included { self.max_bytes } else { 0 }
    }

    /// The body's text, if it is to be logged.
    fn of<'e>(&self, exchange: &Exchange, body: Body<'e>) -> Option<Cow<'e, str>> {
        if !self.included || body.bytes.is_empty() {
            return None;
        }
        let holds = self.condition.as_ref().is_none_or(|condition| condition.eval(exchange));
        holds.then(|| body.text(self.max_bytes))
    }
}

/// The beginning of a body, and the headers it came with, as far as they were kept.
struct Body<'e> {
    bytes: &'e [u8],
    headers: Option<&'e HeaderMap>,
}

impl<'e> Body<'e> {
    /// Its first `max_bytes`, decoded if they can be.
    fn text(self, max_bytes: usize) -> Cow<'e, str> {
        if let Some(Encoding::Coded(coding)) = self.headers.map(Encoding::of) {
            let decoded = decoded_start(coding, self.bytes, max_bytes);
            if !decoded.is_empty() {
                return Cow::Owned(String::from_utf8_lossy(&decoded).into_owned());
            }
        }
        String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(max_bytes)])
    }
}

fn request_body(exchange: &Exchange) -> Option<&[u8]> {
    let unsent: Option<&Bytes> = match &exchange.body {
        RequestBody::Buffered(body) => Some(body),
        RequestBody::Empty | RequestBody::Stream(_) | RequestBody::Begun(_) | RequestBody::Sent => None,
    };
    exchange.captured_request.as_ref().or(unsent).map(|body| &body[..])
}
