//! Admission: is this an LLM request, and which one? Reads and scans the body once, unless its path says that it passes
//! unread.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use llm::{BodyScan, Content, RequestPath};

use super::call::LlmCall;
use super::passed;
use crate::answer::Answer;
use crate::exchange::Exchange;
use crate::request_body::{BodyError, RequestBody};

/// Bounds of what is admitted.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    pub max_body_bytes: u64,
    /// Deeper JSON is refused.
    pub max_json_depth: usize,
    /// How long the client may pause in its body.
    pub body_timeout: std::time::Duration,
}

/// Reads the request as an LLM request and makes it the exchange's [`LlmCall`].
///
/// # Errors
/// The answer for a request that is none: wrong content type, no body, no JSON, no known protocol.
pub async fn admit(exchange: &mut Exchange, admission: Admission) -> Result<(), Answer> {
    let foreign_type = foreign_type(exchange);
    let content = match foreign_type {
        _ if exchange.body.is_empty() => Content::Nothing,
        None => Content::Json,
        Some(_) => Content::Other,
    };
    if let Some(passing) = llm::passing(path(exchange), content) {
        return passed::admit(exchange, passing, admission).await;
    }
    if let Some(foreign_type) = foreign_type {
        return Err(refuse_type(foreign_type));
    }
    let unread = matches!(exchange.body, RequestBody::Stream(_));
    let body = exchange
        .body
        .read(admission.max_body_bytes, admission.body_timeout)
        .await
        .map_err(|error| refuse_body(&error))?;
    if unread {
        exchange.request.length += body.len() as u64;
    }
    if body.is_empty() {
        return Err(bad_body("could not get body: request body is empty"));
    }
    // As APISIX, to whose parser it is as good as nothing.
    if body.trim_ascii() == b"false" {
        return Err(bad_body("could not parse JSON request body: invalid JSON"));
    }
    let scan = BodyScan::parse(&body, admission.max_json_depth)
        .map_err(|error| bad_body(&format!("could not parse JSON request body: {error}")))?;
    let call = LlmCall::detect(path(exchange), scan)
        .ok_or_else(|| Answer::text(StatusCode::BAD_REQUEST, "no matching AI protocol for the request"))?;
    exchange.llm = Some(Box::new(call));
    Ok(())
}

fn path(exchange: &Exchange) -> RequestPath<'_> {
    RequestPath { normal: exchange.request.path(), sent: exchange.request.uri.path() }
}

/// The content type, if it is not JSON's. A missing type counts as JSON.
fn foreign_type(exchange: &Exchange) -> Option<&HeaderValue> {
    let json = b"application/json";
    let is_foreign =
        |value: &&HeaderValue| value.as_bytes().get(..json.len()).is_none_or(|start| !start.eq_ignore_ascii_case(json));
    exchange.request.headers.get(CONTENT_TYPE).filter(is_foreign)
}

fn refuse_type(foreign: &HeaderValue) -> Answer {
    let shown = String::from_utf8_lossy(foreign.as_bytes());
    let message = format!("unsupported content-type: {shown}, only application/json is supported");
    Answer::text(StatusCode::BAD_REQUEST, message)
}

pub(super) fn refuse_body(error: &BodyError) -> Answer {
    let message = format!("could not get body: {error}");
    match error {
        BodyError::TooLarge { .. } => Answer::message(StatusCode::PAYLOAD_TOO_LARGE, &message),
        BodyError::Timeout(_) => Answer::message(StatusCode::REQUEST_TIMEOUT, &message),
        BodyError::NoRoom => Answer::message(StatusCode::SERVICE_UNAVAILABLE, &message),
        BodyError::Broken | BodyError::Sent => bad_body(&message),
    }
}

fn bad_body(message: &str) -> Answer {
    Answer::message(StatusCode::BAD_REQUEST, message)
}
