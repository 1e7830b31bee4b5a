//! Errors in the client's own dialect.
//!
//! Invariant: always valid JSON, whatever the message holds; the provider's text is kept.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ApiError, ErrorKind, meaning};
use crate::dialect::{Dialect, write_exception};
use crate::endpoint::{Framing, endpoint};
use crate::protocol::Protocol;

/// An error as an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    pub status: u16,
    /// JSON.
    pub body: Bytes,
    /// The value of `x-amzn-errortype`, by which Bedrock's SDKs tell errors apart.
    pub amzn_errortype: Option<&'static str>,
}

/// The answer that tells a client of `error`. It has the provider's own status where that says what the error means.
pub fn write_error(client: Dialect, error: &ApiError<'_>) -> ErrorAnswer {
    let status = match client {
        Dialect::Anthropic if error.kind == ErrorKind::Overloaded => 529,
        Dialect::BedrockConverse => exception(error.kind).0,
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Cohere => {
            fitting_status(error)
        }
    };
    let amzn_errortype = (client == Dialect::BedrockConverse).then(|| exception(error.kind).1);
    ErrorAnswer { status, body: Bytes::from(body(client, status, error).to_string()), amzn_errortype }
}

/// The provider's status, if clients of any dialect read the same meaning from it.
fn fitting_status(error: &ApiError<'_>) -> u16 {
    let is_common = (400..=504).contains(&error.status) && !matches!(error.status, 424 | 498);
    let says_it = is_common && meaning::of_status(error.status) == error.kind;
    if says_it { error.status } else { error.kind.status() }
}

fn body(client: Dialect, status: u16, error: &ApiError<'_>) -> Value {
    match client {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => json!({ "error": openai(error) }),
        Dialect::Anthropic => anthropic(status, error),
        Dialect::Gemini => {
            json!({ "error": { "code": status, "message": error.message, "status": google_status(error.kind) } })
        }
        Dialect::BedrockConverse | Dialect::Cohere => json!({ "message": error.message }),
    }
}

/// Appends the event that tells a client of a stream's failure. No end marker follows it: a client must not take what
/// it has for a whole answer.
pub fn write_stream_error(client: Dialect, error: &ApiError<'_>, out: &mut Vec<u8>) {
    let status = fitting_status(error);
    let (name, data, line_end) = match client {
        Dialect::OpenAiChat => ("", body(client, status, error), "\n"),
        Dialect::OpenAiResponses => return write_responses_error(error, 0, out),
        Dialect::Anthropic => ("error", body(client, status, error), "\n"),
        Dialect::Gemini => ("", body(client, status, error), "\r\n"),
        Dialect::Cohere => {
            let delta = json!({ "finish_reason": "ERROR", "error": error.message });
            ("message-end", json!({ "type": "message-end", "delta": delta }), "\n")
        }
        Dialect::BedrockConverse => return write_exception(error, out),
    };
    if !name.is_empty() {
        out.extend_from_slice(format!("event: {name}{line_end}").as_bytes());
    }
    out.extend_from_slice(format!("data: {data}{line_end}{line_end}").as_bytes());
}

/// The exception of Bedrock's runtime that stands for `kind`, and its status.
pub(crate) const fn exception(kind: ErrorKind) -> (u16, &'static str) {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::RequestTooLarge
        | ErrorKind::ContentFiltered
        | ErrorKind::ContextTooLong => (400, "ValidationException"),
        ErrorKind::Authentication => (403, "UnrecognizedClientException"),
        ErrorKind::PermissionDenied => (403, "AccessDeniedException"),
        ErrorKind::NotFound => (404, "ResourceNotFoundException"),
        ErrorKind::RateLimited => (429, "ThrottlingException"),
        ErrorKind::QuotaExceeded => (400, "ServiceQuotaExceededException"),
        ErrorKind::Upstream | ErrorKind::StreamCut => (424, "ModelErrorException"),
        ErrorKind::Overloaded => (503, "ServiceUnavailableException"),
        ErrorKind::Timeout => (408, "ModelTimeoutException"),
        ErrorKind::Internal => (500, "InternalServerException"),
    }
}

/// Google's canonical code.
const fn google_status(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::RequestTooLarge
        | ErrorKind::ContentFiltered
        | ErrorKind::ContextTooLong => "INVALID_ARGUMENT",
        ErrorKind::Authentication => "UNAUTHENTICATED",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => "RESOURCE_EXHAUSTED",
        ErrorKind::Overloaded => "UNAVAILABLE",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
        ErrorKind::Upstream | ErrorKind::StreamCut | ErrorKind::Internal => "INTERNAL",
    }
}

/// OpenAI's error object. Where the kind says little, the provider's own code says more.
fn openai(error: &ApiError<'_>) -> Value {
    let naming = error.kind.naming();
    let own = error.code.as_deref().filter(|_| {
        matches!(error.kind, ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::PermissionDenied)
    });
    json!({
        "message": error.message,
        "type": naming.openai_type,
        "param": error.param,
        "code": own.unwrap_or(naming.code),
    })
}

/// Appends the event of a stream of Responses that has told `sequence` events before.
pub(crate) fn write_responses_error(error: &ApiError<'_>, sequence: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: error\ndata: {}\n\n", responses_event(error, sequence)).as_bytes());
}

/// OpenAI's documented event, and beside it the `error` member without which its SDKs raise nothing.
fn responses_event(error: &ApiError<'_>, sequence: u64) -> Value {
    let object = openai(error);
    json!({
        "type": "error",
        "sequence_number": sequence,
        "code": object["code"],
        "message": error.message,
        "param": error.param,
        "error": object,
    })
}

/// Two of Anthropic's types go with a status that other dialects have no type for.
fn anthropic(status: u16, error: &ApiError<'_>) -> Value {
    let kind = match (error.kind, status) {
        (ErrorKind::QuotaExceeded, 402) => "billing_error",
        (ErrorKind::InvalidRequest, 409) => "conflict_error",
        (kind, _) => kind.naming().anthropic_type,
    };
    json!({ "type": "error", "error": { "type": kind, "message": error.message } })
}

/// The event that tells a client of a broken stream; see [`write_stream_error`]. Empty for framings in which no such
/// event can be written.
pub fn stream_error_event(protocol: Protocol, kind: ErrorKind, message: &str) -> Bytes {
    let mut event = Vec::new();
    if endpoint(protocol).framing != Framing::None {
        write_stream_error(protocol.family(), &ApiError::new(kind, message), &mut event);
    }
    Bytes::from(event)
}
