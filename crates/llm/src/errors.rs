//! Errors in the client's own dialect, so that its SDK raises the exception it was written for.
//!
//! Invariant: [`error_body`] and [`stream_error_event`] always give valid JSON, whatever the message holds.
//! Called by the data plane when it answers an LLM request itself or when a stream ends before its time.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::protocol::Protocol;

/// What went wrong, in the terms that SDKs tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    InvalidRequest,
    Authentication,
    PermissionDenied,
    NotFound,
    RequestTooLarge,
    RateLimited,
    /// A quota or a budget is spent; waiting does not help.
    QuotaExceeded,
    ContentFiltered,
    /// The provider answered with an error or with nothing.
    Upstream,
    Overloaded,
    Timeout,
    /// The provider's stream ended before it was complete.
    StreamCut,
    Internal,
}

/// An error as a provider told it, or as we tell it, in the words that all dialects share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError<'a> {
    pub kind: ErrorKind,
    /// The HTTP status it came with, or 0 inside a stream that names none.
    pub status: u16,
    /// The provider's own text.
    pub message: Cow<'a, str>,
    /// The provider's own code or type, such as `context_length_exceeded` or `overloaded_error`.
    pub code: Option<Cow<'a, str>>,
    /// The request's field that is at fault.
    pub param: Option<Cow<'a, str>>,
}

/// A kind's status and its names in the two families of dialects.
struct Naming {
    status: u16,
    openai_type: &'static str,
    code: &'static str,
    anthropic_type: &'static str,
}

impl ErrorKind {
    const fn naming(self) -> Naming {
        let (status, openai_type, code, anthropic_type) = match self {
            ErrorKind::InvalidRequest => (400, "invalid_request_error", "invalid_request", "invalid_request_error"),
            ErrorKind::Authentication => (401, "invalid_request_error", "invalid_api_key", "authentication_error"),
            ErrorKind::PermissionDenied => (403, "invalid_request_error", "permission_denied", "permission_error"),
            ErrorKind::NotFound => (404, "invalid_request_error", "not_found", "not_found_error"),
            ErrorKind::RequestTooLarge => (413, "invalid_request_error", "request_too_large", "request_too_large"),
            ErrorKind::RateLimited => (429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"),
            ErrorKind::QuotaExceeded => (429, "insufficient_quota", "insufficient_quota", "rate_limit_error"),
            ErrorKind::ContentFiltered => (400, "invalid_request_error", "content_filter", "invalid_request_error"),
            ErrorKind::Upstream => (502, "server_error", "upstream_error", "api_error"),
            ErrorKind::Overloaded => (503, "server_error", "overloaded", "overloaded_error"),
            ErrorKind::Timeout => (504, "server_error", "upstream_timeout", "timeout_error"),
            ErrorKind::StreamCut => (502, "server_error", "stream_interrupted", "api_error"),
            ErrorKind::Internal => (500, "server_error", "internal_error", "api_error"),
        };
        Naming { status, openai_type, code, anthropic_type }
    }

    /// The HTTP status that goes with the kind.
    pub const fn status(self) -> u16 {
        self.naming().status
    }

    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        self.naming().code
    }
}

/// The JSON body of an error answer.
pub fn error_body(protocol: Protocol, kind: ErrorKind, message: &str) -> Bytes {
    let body = match protocol {
        Protocol::AnthropicMessages => anthropic_error(kind, message),
        Protocol::BedrockConverse => json!({ "message": message }),
        Protocol::OpenAiChat | Protocol::OpenAiResponses | Protocol::OpenAiEmbeddings | Protocol::Passthrough => {
            openai_error(kind, message)
        }
    };
    Bytes::from(body.to_string())
}

/// The event that tells a client of a broken stream. No end marker follows it: a client must not take what it has
/// for a whole answer. Empty for framings in which no such event can be written.
pub fn stream_error_event(protocol: Protocol, kind: ErrorKind, message: &str) -> Bytes {
    let (name, data) = match protocol {
        Protocol::OpenAiChat | Protocol::Passthrough => (None, openai_error(kind, message)),
        Protocol::OpenAiResponses => (Some("error"), responses_error(kind, message)),
        Protocol::AnthropicMessages => (Some("error"), anthropic_error(kind, message)),
        Protocol::OpenAiEmbeddings | Protocol::BedrockConverse => return Bytes::new(),
    };
    let event = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    Bytes::from(format!("{event}data: {data}\n\n"))
}

fn openai_error(kind: ErrorKind, message: &str) -> Value {
    let naming = kind.naming();
    json!({ "error": { "message": message, "type": naming.openai_type, "param": null, "code": naming.code } })
}

/// OpenAI's documented event, and beside it the `error` member without which its SDKs raise nothing.
fn responses_error(kind: ErrorKind, message: &str) -> Value {
    let mut event = json!({ "type": "error", "code": kind.code(), "message": message, "param": null });
    event["error"] = openai_error(kind, message)["error"].take();
    event
}

fn anthropic_error(kind: ErrorKind, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind.naming().anthropic_type, "message": message } })
}
