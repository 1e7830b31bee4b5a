//! Errors: what providers tell, in the words that all dialects share, and what clients are told in their own dialect's.
//!
//! [`read`] finds an error's meaning, [`write`] says it again so that the client's SDK raises the exception it was
//! written for, [`rate_limit`] does the same for the headers that tell of limits. Invariant: what is written is valid
//! JSON, whatever a message holds. Called by the data plane when it answers an LLM request itself, when a provider
//! refuses, and when a stream ends before its time.

mod meaning;
mod rate_limit;
mod read;
mod rfc3339;
mod write;

use std::borrow::Cow;

pub use rate_limit::{RateLimit, RateLimits};
pub(crate) use read::is_minimax_error;
pub use read::{read_error, tells_error};
pub(crate) use write::write_responses_error;
pub use write::{ErrorAnswer, stream_error_event, write_error, write_stream_error};

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
    /// The conversation is longer than the model's context window; a model with a larger one may take it.
    ContextTooLong,
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

impl<'a> ApiError<'a> {
    /// An error that no provider told.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, status: 0, message: message.into(), code: None, param: None }
    }
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
            ErrorKind::ContextTooLong => {
                (400, "invalid_request_error", "context_length_exceeded", "invalid_request_error")
            }
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
