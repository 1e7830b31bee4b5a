//! `_meta.error_response`: what clients read in the place of a plugin's own refusals. The plan keeps it beside the
//! plugin; a plugin that names an LLM provider passes it on to the dispatch, whose answers of an error status leave
//! through the plugin as well.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use serde_json::Value;

use crate::answer::{Answer, AnswerBody, ResponseHead};

/// The body that stands for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse(Bytes);

impl ErrorResponse {
    /// A table is printed as JSON with a line end, a text as it is.
    pub fn new(value: &Value) -> Self {
        match value {
            Value::String(text) => Self(Bytes::from(text.clone())),
            other => Self(Bytes::from(format!("{other}\n"))),
        }
    }

    /// `answer`, with this body if it refuses: from 400 on.
    #[must_use]
    pub fn dress(&self, mut answer: Answer) -> Answer {
        if answer.status.as_u16() >= 400 {
            answer.body = AnswerBody::Text(self.0.clone());
        }
        answer
    }

    /// The body for a provider's refusal; `head` no longer speaks of the one that it had.
    pub fn replace_body(&self, head: &mut ResponseHead) -> Bytes {
        for name in [CONTENT_ENCODING, CONTENT_LENGTH] {
            head.headers.remove(name);
        }
        self.0.clone()
    }
}
