//! One message of a request's conversation.

use super::message::{Message, Teller};
use super::part;
use crate::dialect::ReadError;
use crate::json::{Kind, Raw};
use crate::model::{Extras, Part, PartBody, Role, ToolResult, Turn};

/// Reads the message that stands at `index`, counted from 1.
///
/// # Errors
/// If it is no object with a role, or if its content is no text and no list.
pub(super) fn read(raw: Raw<'_>, index: usize) -> Result<Turn<'_>, ReadError> {
    let mut message = Message::read(raw);
    if !matches!(message.content.map(|content| content.kind), None | Some(Kind::String | Kind::Array)) {
        return Err(ReadError::new(format!("invalid message content at index {index}")));
    }
    let role = match message.role.as_ref() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => return Err(ReadError::new(format!("invalid message at index {index}"))),
    };
    let mut turn = match role {
        Role::Tool => return Ok(read_result(message)),
        Role::Assistant => Turn::new(role, message.take_parts(Teller::Client)),
        Role::System | Role::Developer | Role::User => {
            let mut parts = Vec::new();
            part::read_content(message.content, &mut parts);
            Turn::new(role, parts)
        }
    };
    if let Some(last) = turn.parts.last_mut() {
        last.cache = message.cache.or(last.cache.take());
    }
    Ok(Turn { name: message.name, extras: message.extras, ..turn })
}

/// A tool's answer. The older role `function` names the function and no call.
fn read_result<'a>(message: Message<'a>) -> Turn<'a> {
    let mut content: Vec<Part<'a>> = Vec::new();
    part::read_content(message.content, &mut content);
    let result = ToolResult {
        call_id: message.tool_call_id.unwrap_or_default(),
        name: message.name,
        content,
        json: None,
        is_error: false,
    };
    let part = Part { body: PartBody::ToolResult(result), cache: message.cache, extras: Extras::default() };
    Turn { extras: message.extras, ..Turn::new(Role::Tool, vec![part]) }
}
