//! Variables read from the request body. The body must have been read whole; while it is still a stream, or once it
//! is gone to the upstream and nobody kept it, they are unknown.

use std::borrow::Cow;

use bytes::Bytes;
use config::json_path::JsonPath;
use config::vars::Var;
use serde_json::Value;

use super::head::decoded;
use super::non_empty;
use crate::exchange::Exchange;
use crate::multipart::{self, MULTIPART};
use crate::request_body::RequestBody;

const FORM: &str = "application/x-www-form-urlencoded";

/// The body as far as it is at hand.
pub(super) fn bytes(exchange: &Exchange) -> Option<&Bytes> {
    match &exchange.body {
        RequestBody::Buffered(body) => Some(body),
        RequestBody::Empty | RequestBody::Stream(_) | RequestBody::Begun(_) | RequestBody::Sent => {
            exchange.captured_request.as_ref().or_else(|| scan(exchange).map(llm::BodyScan::body))
        }
    }
}

/// The body of an LLM request, which was scanned when it was admitted.
fn scan(exchange: &Exchange) -> Option<&llm::BodyScan> {
    exchange.llm.as_ref().and_then(|call| call.scan())
}

pub(super) fn var<'e>(exchange: &'e Exchange, name: &str) -> Option<Var<'e>> {
    let whole = || bytes(exchange).filter(|body| !body.is_empty());
    (name == "request_body").then(|| whole().map_or(Var::Nil, |body| Var::Text(String::from_utf8_lossy(body))))
}

/// `post_arg_NAME`: a field of a form.
pub(super) fn form_field<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    if !content_type(exchange).starts_with(FORM) {
        return Var::Nil;
    }
    bytes(exchange).map_or(Var::Nil, |body| field(body, name))
}

/// `post_arg.PATH`: a value of a JSON body, or a field of a form.
pub(super) fn at_path<'e>(exchange: &'e Exchange, path: &str) -> Var<'e> {
    if !JsonPath::is_query(path) {
        return found(exchange, path, |body| dotted(exchange, body, path));
    }
    // Conditions come with their queries compiled; this is for names that stand in keys and log formats.
    JsonPath::parse(path).map_or(Var::Nil, |query| queried(exchange, path, &query))
}

/// As [`at_path`], with what `path` says compiled.
pub(super) fn queried<'e>(exchange: &'e Exchange, path: &str, query: &JsonPath) -> Var<'e> {
    found(exchange, path, |body| serde_json::from_slice(body).map_or(Var::Nil, |value: Value| query.find(&value)))
}

/// A field of a form, or what `in_json` finds.
fn found<'e>(exchange: &'e Exchange, path: &str, in_json: impl FnOnce(&'e Bytes) -> Var<'e>) -> Var<'e> {
    let Some(body) = bytes(exchange) else { return Var::Nil };
    let content_type = content_type(exchange);
    if content_type.starts_with(FORM) {
        return field(body, path);
    }
    if content_type.starts_with(MULTIPART) {
        return multipart::text(content_type, body, path).map_or(Var::Nil, Var::Text);
    }
    if !content_type.contains("json") && exchange.llm.is_none() {
        return Var::Nil;
    }
    in_json(body)
}

fn content_type(exchange: &Exchange) -> &str {
    exchange.request.header("content-type").unwrap_or("")
}

fn field<'b>(body: &'b [u8], name: &str) -> Var<'b> {
    let Ok(text) = std::str::from_utf8(body) else { return Var::Nil };
    let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| decoded(key) == name).map_or(Var::Nil, |(_, value)| Var::Text(decoded(value)))
}

/// `a.b.c` of a JSON body, found without building a tree. Lists are not entered.
fn dotted<'e>(exchange: &'e Exchange, body: &'e Bytes, path: &str) -> Var<'e> {
    let steps = path.split('.');
    if let Some(scan) = scan(exchange) {
        return descend(scan.raw(), steps);
    }
    match llm::BodyScan::parse(body, llm::DEFAULT_MAX_DEPTH) {
        // The scan is checked JSON; what is found in it is looked up again in the body, which outlives the scan.
        Ok(_) => llm::Raw::new(body).map_or(Var::Nil, |raw| descend(raw, steps)),
        Err(_) => Var::Nil,
    }
}

fn descend<'b, 'p>(mut raw: llm::Raw<'b>, steps: impl Iterator<Item = &'p str>) -> Var<'b> {
    for step in steps {
        match raw.get(step) {
            Some(found) => raw = found,
            None => return Var::Nil,
        }
    }
    of_raw(raw)
}

fn of_raw(raw: llm::Raw<'_>) -> Var<'_> {
    if let Some(text) = raw.text() {
        return Var::Text(text);
    }
    serde_json::from_slice(raw.bytes).map_or(Var::Nil, of_value)
}

/// A JSON value as a variable.
pub(super) fn of_value(value: Value) -> Var<'static> {
    match value {
        Value::Null => Var::Nil,
        Value::Bool(flag) => Var::Bool(flag),
        Value::Number(number) => number.as_f64().map_or(Var::Nil, Var::Number),
        Value::String(text) => Var::Text(text.into()),
        table => Var::Json(Cow::Owned(table)),
    }
}

/// The GraphQL document of the request, if it carries one.
pub(super) fn graphql_document(exchange: &Exchange) -> Option<Cow<'_, str>> {
    if exchange.request.method == http::Method::GET {
        return match super::head::argument(exchange, "query") {
            Var::Text(text) => Some(text),
            _ => None,
        };
    }
    let body = bytes(exchange)?;
    match content_type(exchange) {
        "application/json" => match dotted(exchange, body, "query") {
            Var::Text(text) => Some(text),
            _ => None,
        },
        _ => match non_empty(std::str::from_utf8(body).ok()?) {
            Var::Text(text) => Some(text),
            _ => None,
        },
    }
}
