//! What clients of Responses refer to instead of sending it: an earlier answer, a conversation.
//!
//! Only the provider that keeps it knows it. Any other would be asked as if nothing had been said before, so that such
//! a request is refused as OpenAI refuses one for what it does not have: SDKs and agents then send the conversation.

use crate::dialect::Dialect;
use crate::errors::{ApiError, ErrorKind};
use crate::json::Raw;
use crate::model::{Json, Request};

/// Fields that refer, what they refer to, and OpenAI's code for one that is not there.
const REFERENCES: [(&str, &str, &str); 2] = [
    ("previous_response_id", "Previous response", "previous_response_not_found"),
    ("conversation", "Conversation", "conversation_not_found"),
];

/// The error for a request that refers to what its provider does not keep; `None` if it sends all itself.
pub(super) fn not_found(request: &Request<'_>) -> Option<ApiError<'static>> {
    if request.dialect != Dialect::OpenAiResponses {
        return None;
    }
    REFERENCES.into_iter().find_map(|(field, what, code)| {
        let id = identifier(request.extras.get(field)?)?;
        let message = format!("{what} with id '{id}' not found: the provider of this route keeps none.");
        Some(ApiError {
            code: Some(code.into()),
            param: Some(field.into()),
            ..ApiError::new(ErrorKind::InvalidRequest, message)
        })
    })
}

/// A text, or an object with an `id`; an empty one refers to nothing.
fn identifier(reference: &Json<'_>) -> Option<String> {
    let reference = reference.raw();
    let id = reference.text().or_else(|| reference.get("id").and_then(Raw::text))?;
    Some(id.into_owned()).filter(|id| !id.is_empty())
}
