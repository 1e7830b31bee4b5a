//! A request's body, read.

use crate::dialect::{Dialect, ReadError, chat};
use crate::json::{Kind, Raw};
use crate::model::{Part, Request, Role, Text, Turn};

/// Reads a request. Absent and null members are the same.
///
/// # Errors
/// If there is no prompt, if there are several, or if it is given as tokens.
pub(in crate::dialect::client) fn read_request(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let mut request = Request { include_usage: false, ..Request::new(Dialect::OpenAiChat) };
    let (mut prompt, mut best_of) = (None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"prompt" => prompt = Some(value),
            b"max_tokens" => request.max_tokens = value.count(),
            b"logprobs" => {
                request.logprobs = value.count().map(|_| true);
                request.top_logprobs = value.count();
            }
            b"best_of" => best_of = Some((key, value)),
            b"echo" if !value.is_true() => {}
            b"suffix" if value.quoted() == Some(b"") => {}
            _ if chat::read_setting(&mut request, key, value) => {}
            _ => request.extras.keep(key, value),
        }
    }
    // As many candidates as answers is what happens anyway.
    if let Some((key, value)) = best_of.filter(|(_, value)| value.count() != Some(request.choices.unwrap_or(1))) {
        request.extras.keep(key, value);
    }
    let prompt = read_prompt(prompt.ok_or_else(|| ReadError::new("missing prompt"))?)?;
    request.turns.push(Turn::new(Role::User, vec![Part::text(prompt)]));
    Ok(request)
}

/// A text, or a list of just one: each prompt would be a conversation, and an answer belongs to one.
fn read_prompt(prompt: Raw<'_>) -> Result<Text<'_>, ReadError> {
    if let Some(text) = prompt.text() {
        return Ok(text);
    }
    let mut elements = prompt.elements();
    let first = elements.next().ok_or_else(|| ReadError::new("prompt must be a string"))?;
    match (first.text(), first.kind, elements.next()) {
        (Some(text), _, None) => Ok(text),
        (Some(_), _, Some(_)) => {
            Err(ReadError::new("prompt must be one string for this provider: send several one by one"))
        }
        (None, Kind::Number | Kind::Array, _) => {
            Err(ReadError::new("prompt must be text for this provider: lists of tokens cannot be translated"))
        }
        (None, Kind::String | Kind::Object | Kind::Bool | Kind::Null, _) => {
            Err(ReadError::new("prompt must be a string"))
        }
    }
}
