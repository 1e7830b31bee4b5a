//! A request that is not answered as it wished: status and error object, worded as the
//! dialect's provider words its own.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::modelled;
use super::wire::to_json;
use crate::directives::Directives;

/// Whose words an error uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    OpenAi,
    Anthropic,
    Modelled(llm::Dialect),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    pub kind: Option<String>,
    pub code: Option<String>,
    pub param: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: None, code: None, param: None }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn missing(param: &'static str) -> Self {
        Self {
            code: Some("missing_required_parameter".into()),
            param: Some(param),
            ..Self::bad(format!("Missing required parameter: '{param}'."))
        }
    }

    pub fn unreadable(error: &serde_json::Error) -> Self {
        if error.classify() == serde_json::error::Category::Data {
            return Self::bad(format!("The request body is not as it should be: {error}"));
        }
        Self::bad(format!("We could not parse the JSON body of your request: {error}"))
    }

    pub fn no_such_model(model: &str) -> Self {
        Self {
            code: Some("model_not_found".into()),
            ..Self::new(
                StatusCode::NOT_FOUND,
                format!(
                    "The model `{model}` does not exist or you do not have access to it. \
                     GET /v1/models lists the models that there are."
                ),
            )
        }
    }

    /// The one that a script asks for.
    pub fn scripted(status: StatusCode, directives: &Directives) -> Self {
        let message =
            directives.error_message.clone().unwrap_or_else(|| format!("Simulated error {}.", status.as_u16()));
        Self { status, message, kind: directives.error_type.clone(), code: directives.error_code.clone(), param: None }
    }

    /// The body that tells of it.
    pub fn body(&self, voice: Voice) -> Bytes {
        match voice {
            Voice::OpenAi => to_json(&self.openai()),
            Voice::Anthropic => to_json(&self.anthropic()),
            Voice::Modelled(dialect) => modelled::refusal(dialect, self.status, &self.message).body,
        }
    }

    /// What stands beside the body: Bedrock names the exception in a header.
    pub fn headers(&self, voice: Voice) -> Vec<(HeaderName, HeaderValue)> {
        let exception = match voice {
            Voice::OpenAi | Voice::Anthropic => None,
            Voice::Modelled(dialect) => modelled::refusal(dialect, self.status, &self.message).amzn_errortype,
        };
        let named = |name| (HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(name));
        exception.map(named).into_iter().collect()
    }

    pub fn openai(&self) -> Value {
        let code = self.code.as_deref().or_else(|| openai_code(self.status));
        let kind = self.kind.as_deref().unwrap_or_else(|| openai_type(self.status));
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": code}})
    }

    pub fn anthropic(&self) -> Value {
        let kind = self.kind.as_deref().unwrap_or_else(|| anthropic_type(self.status));
        json!({"type": "error", "error": {"type": kind, "message": self.message}})
    }
}

fn openai_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        429 => "requests",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn openai_code(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        401 => Some("invalid_api_key"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    }
}

fn anthropic_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
