//! A request's body, read.

use super::document;
use super::message::Message;
use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, Raw};
use crate::model::{
    Extras, FunctionTool, Part, PartBody, ReasoningRequest, Request, ResponseFormat, Role, Tool, ToolBody, ToolChoice,
    ToolResult, Turn,
};

/// Reads a request. Absent and null members are the same.
///
/// # Errors
/// If there are no messages, or if one of them is none.
pub(super) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let mut request = Request::new(Dialect::Cohere);
    let (mut messages, mut strict, mut documents) = (None, None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            _ if !fits(key, value) => request.extras.keep(key, value),
            b"messages" => messages = Some(value),
            b"model" => request.model = value.text(),
            b"stream" => request.stream = value.is_true(),
            b"max_tokens" => request.max_tokens = value.count(),
            b"stop_sequences" => request.stop_sequences = value.elements().filter_map(Raw::text).collect(),
            b"temperature" => request.temperature = Some(value.into()),
            b"p" => request.top_p = Some(value.into()),
            b"k" => request.top_k = Some(value.into()),
            b"seed" => request.seed = Some(value.into()),
            b"frequency_penalty" => request.frequency_penalty = Some(value.into()),
            b"presence_penalty" => request.presence_penalty = Some(value.into()),
            b"logprobs" => request.logprobs = value.boolean(),
            b"tools" => request.tools = value.elements().map(read_tool).collect(),
            b"strict_tools" => strict = value.boolean(),
            b"tool_choice" => request.tool_choice = Some(read_choice(value)),
            b"response_format" => request.response_format = Some(read_format(value)),
            b"documents" => documents = Some((key, value)),
            b"thinking" => request.reasoning = Some(read_thinking(value)),
            _ => request.extras.keep(key, value),
        }
    }
    for tool in &mut request.tools {
        if let ToolBody::Function(function) = &mut tool.body {
            function.strict = strict;
        }
    }
    let messages = messages.filter(|messages| messages.kind == Kind::Array && messages.elements().next().is_some());
    let messages = messages.ok_or_else(|| ReadError::new("missing messages"))?;
    for (at, message) in messages.elements().enumerate() {
        request.turns.push(read_turn(message, at + 1)?);
    }
    if let Some((key, told)) = documents
        && !document::read(told, &mut request)
    {
        request.extras.keep(key, told);
    }
    Ok(request)
}

/// `value` is of a kind that the member `key` can have. Any other can be asked of nobody else.
fn fits(key: &[u8], value: Raw<'_>) -> bool {
    match key {
        b"max_tokens" => value.count().is_some(),
        b"stream" | b"logprobs" | b"strict_tools" => value.kind == Kind::Bool,
        b"model" => value.kind == Kind::String,
        b"stop_sequences" => value.is_list_of_texts(),
        b"tools" => value.kind == Kind::Array,
        b"response_format" | b"thinking" => value.is_object(),
        _ => true,
    }
}

fn read_turn(raw: Raw<'_>, index: usize) -> Result<Turn<'_>, ReadError> {
    let mut message = Message::read(raw);
    let role = match message.role.as_ref() {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(ReadError::new(format!("invalid message at index {index}"))),
    };
    if role == Role::Tool {
        let result = ToolResult {
            call_id: std::mem::take(&mut message.tool_call_id),
            name: None,
            content: message.content,
            json: None,
            is_error: false,
        };
        return Ok(Turn { extras: message.extras, ..Turn::new(role, vec![PartBody::ToolResult(result).into()]) });
    }
    let (parts, extras): (Vec<Part<'_>>, _) = message.into_parts();
    Ok(Turn { extras, ..Turn::new(role, parts) })
}

fn read_tool(raw: Raw<'_>) -> Tool<'_> {
    let mut extras = Extras::default();
    let (mut name, mut description, mut parameters) = (None, None, None);
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"function" => {
                for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
                    match key {
                        b"name" => name = value.text(),
                        b"description" => description = value.text(),
                        b"parameters" => parameters = Some(value.into()),
                        _ => extras.keep(key, value),
                    }
                }
            }
            _ => extras.keep(key, value),
        }
    }
    match name {
        Some(name) => {
            let function = FunctionTool { name, description, parameters, strict: None };
            Tool { body: ToolBody::Function(function), cache: None, extras }
        }
        None => Tool { body: ToolBody::Opaque(raw.into()), cache: None, extras: Extras::default() },
    }
}

fn read_choice(choice: Raw<'_>) -> ToolChoice<'_> {
    match choice.quoted() {
        Some(b"REQUIRED") => ToolChoice::Required,
        Some(b"NONE") => ToolChoice::None,
        _ => ToolChoice::Opaque(choice.into()),
    }
}

/// A schema is `json_schema`; older clients say `schema`.
fn read_format(format: Raw<'_>) -> ResponseFormat<'_> {
    let (mut kind, mut schema): (&[u8], _) = (b"", None);
    for (key, value) in format.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => kind = value.quoted().unwrap_or_default(),
            b"json_schema" | b"schema" => schema = Some(value.into()),
            _ => {}
        }
    }
    match (kind, schema) {
        (b"text", _) => ResponseFormat::Text,
        (b"json_object", None) => ResponseFormat::JsonObject,
        (b"json_object", Some(schema)) => {
            ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None }
        }
        _ => ResponseFormat::Opaque(format.into()),
    }
}

fn read_thinking(thinking: Raw<'_>) -> ReasoningRequest<'_> {
    let mut wanted = ReasoningRequest::default();
    for (key, value) in thinking.members() {
        match key {
            b"type" => wanted.enabled = Some(value.quoted() == Some(b"enabled")),
            b"token_budget" => wanted.budget_tokens = value.count(),
            _ => {}
        }
    }
    wanted
}
