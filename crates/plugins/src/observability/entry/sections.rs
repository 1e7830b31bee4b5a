//! The parts of an entry that the gateway fills in itself: the request, headers, times, and what an LLM request used.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use config::vars::Vars as _;
use gateway::credential::CredentialPlace;
use gateway::exchange::Exchange;
use gateway::inference::{LlmCall, offers_key};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::observability::json::{Object, name};

/// Route and service: what every entry has, whatever its format.
pub(super) fn owners(exchange: &Exchange, entry: &mut Object<'_>) {
    match &exchange.route {
        Some(matched) => {
            entry.text(name!("service_id"), matched.route.service_id.as_deref().unwrap_or(""));
            entry.text(name!("route_id"), &matched.route.id);
        }
        None => {
            entry.text(name!("service_id"), &exchange.request.host());
            entry.text(name!("route_id"), "no-matched");
        }
    }
}

/// The nodes that were tried, as `$upstream_addr` shows them.
pub(super) fn upstream(exchange: &Exchange, entry: &mut Object<'_>) {
    match &exchange.settlement.attempts[..] {
        [] => {}
        [only] => entry.text(name!("upstream"), only.called_address()),
        _ => entry.variable(name!("upstream"), &exchange.var("upstream_addr")),
    }
}

pub(super) fn request(exchange: &Exchange, body: Option<&str>, entry: &mut Object<'_>) {
    let head = &exchange.request;
    let shown = exchange.shown_query();
    let (path, mark, arguments) =
        (head.path(), shown.as_ref().map_or("", |_| "?"), shown.as_deref().unwrap_or_default());
    let mut request = entry.object(name!("request"));
    let connection = &exchange.connection;
    let port = connection.port_text.to_str().unwrap_or_default();
    request.pieces(name!("url"), &[connection.scheme(), "://", &head.host(), ":", port, path, mark, arguments]);
    request.pieces(name!("uri"), &[path, mark, arguments]);
    request.text(name!("method"), head.method.as_str());
    headers(Some(&head.headers), exchange.credential_places(), &mut request);
    query(arguments, &mut request);
    request.integer(name!("size"), head.length);
    request.optional_text(name!("body"), body);
    request.end();
}

/// Headers whose values are secrets, whoever they belong to: a log shows that they were there, and no more.
fn is_secret(name: &str) -> bool {
    // One length and one comparison settle nearly every name.
    match name.len() {
        6 => matches!(name, "cookie" | "apikey"),
        7 => name == "api-key",
        9 => name == "x-api-key",
        10 => name == "set-cookie",
        12 => name == "x-auth-token",
        13 => name == "authorization",
        14 => name == "x-goog-api-key",
        19 => name == "proxy-authorization",
        20 => name == "x-amz-security-token",
        25 => name == "ocp-apim-subscription-key",
        _ => false,
    }
}

/// What stands in the place of a secret.
const HIDDEN: &[u8] = b"[hidden]";

/// By lower-case name; a header that came several times is a list. What stands in `credentials` is hidden.
pub(super) fn headers(headers: Option<&HeaderMap>, credentials: &[CredentialPlace], into: &mut Object<'_>) {
    let carried = |name: &HeaderName| {
        credentials.iter().any(|place| matches!(place, CredentialPlace::Header(known) if known == name))
    };
    let shown = |name, value| if carried(name) { HIDDEN } else { shown(name, value) };
    let mut object = into.object(name!("headers"));
    match headers {
        Some(headers) if headers.keys_len() == headers.len() => {
            headers.iter().for_each(|(name, value)| object.bytes(name, shown(name, value)));
        }
        Some(headers) => {
            for name in headers.keys() {
                object.texts(name, headers.get_all(name).iter().map(|value| shown(name, value)));
            }
        }
        None => {}
    }
    object.end();
}

fn shown<'v>(name: &HeaderName, value: &'v HeaderValue) -> &'v [u8] {
    let is_key = || *name == SEC_WEBSOCKET_PROTOCOL && offers_key(value);
    if value.is_sensitive() || is_secret(name.as_str()) || is_key() { HIDDEN } else { value.as_bytes() }
}

/// Decoded arguments; one that came several times is a list, one without `=` is true.
fn query(query: &str, into: &mut Object<'_>) {
    let mut object = into.object(name!("querystring"));
    let pairs: Vec<(Cow<'_, str>, Option<Cow<'_, str>>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (crate::query::decoded(name), Some(crate::query::decoded(value))),
            None => (crate::query::decoded(pair), None),
        })
        .collect();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
            continue;
        }
        let same = pairs[at..].iter().filter(|(other, _)| other == name);
        match value {
            None if same.clone().count() == 1 => object.flag(&**name, true),
            _ => object.texts(&**name, same.map(|(_, value)| value.as_deref().unwrap_or(""))),
        }
    }
    object.end();
}

pub(super) fn times(exchange: &Exchange, entry: &mut Object<'_>) {
    let settlement = &exchange.settlement;
    let latency = settlement.request_time();
    let provider_time = exchange.llm.as_ref().and_then(|call| call.provider_time);
    let upstream = provider_time.or_else(|| settlement.upstream_time());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    entry.integer(name!("start_time"), now.saturating_sub(latency).as_millis() as u64);
    entry.milliseconds(name!("latency"), latency);
    if let Some(upstream) = upstream {
        entry.milliseconds(name!("upstream_latency"), upstream);
    }
    entry.milliseconds(name!("apisix_latency"), latency.saturating_sub(upstream.unwrap_or_default()));
}

/// The usage record: tokens, and whether the provider said them.
pub(super) fn usage(call: &LlmCall, entry: &mut Object<'_>) {
    let Some(usage) = &call.usage else { return };
    let mut object = entry.object(name!("llm_usage"));
    object.integer(name!("prompt"), usage.prompt);
    object.integer(name!("completion"), usage.completion);
    object.integer(name!("total"), usage.total);
    object.integer(name!("cached"), usage.cached);
    object.integer(name!("reasoning"), usage.reasoning);
    object.flag(name!("estimated"), usage.estimated);
    if let Some(first_token) = call.time_to_first_token {
        object.milliseconds(name!("ttft_ms"), first_token);
    }
    if let Some(speed) = call.tokens_per_second() {
        object.decimal(name!("tokens_per_second"), speed);
    }
    object.optional_text(name!("stream_error"), call.stream_error.as_deref());
    object.end();
}

/// APISIX's summary: its name for a value, and the variable it is.
const SUMMARY: [(&str, &str); 15] = [
    ("request_model", "request_llm_model"),
    ("model", "llm_model"),
    ("duration", "llm_time_to_first_token"),
    ("prompt_tokens", "llm_prompt_tokens"),
    ("completion_tokens", "llm_completion_tokens"),
    ("total_tokens", "llm_total_tokens"),
    ("upstream_response_time", "apisix_upstream_response_time"),
    ("stream", "llm_stream"),
    ("tool_count", "llm_tool_count"),
    ("has_tool_calls", "llm_has_tool_calls"),
    ("end_user_id", "llm_end_user_id"),
    ("cache_read_input_tokens", "llm_cache_read_input_tokens"),
    ("cache_creation_input_tokens", "llm_cache_creation_input_tokens"),
    ("reasoning_tokens", "llm_reasoning_tokens"),
    ("content_risk_level", "llm_content_risk_level"),
];

pub(super) fn summary(exchange: &Exchange, entry: &mut Object<'_>) {
    let mut summary = entry.object(name!("llm_summary"));
    for (key, variable) in SUMMARY {
        summary.variable(key, &exchange.var(variable));
    }
    summary.end();
}
