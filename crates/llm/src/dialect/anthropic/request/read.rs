//! Reads a request's body.
//!
//! The texts of errors and the rule for the billing header are APISIX's, which clients of its converter know.

use std::borrow::Cow;

use crate::dialect::anthropic::block;
use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, ObjectWriter, Raw, unescape};
use crate::model::{
    ContentForm, Effort, Extras, FunctionTool, Json, Part, PartBody, ReasoningRequest, Request, ResponseFormat, Role,
    Text, Tool, ToolBody, ToolChoice, Turn,
};

/// A system block that begins so holds what Claude Code writes for Anthropic's accounting, fresh in each request.
const BILLING: &str = "x-anthropic-billing-header:";

/// What a request holds of members that must wait for others.
#[derive(Default)]
struct Waiting<'a> {
    system: Option<Raw<'a>>,
    messages: Option<Raw<'a>>,
    output_format: Option<Raw<'a>>,
}

/// # Errors
/// If there are no messages, or one of them is none.
pub(in super::super) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let mut request = Request::new(Dialect::Anthropic);
    let mut waiting = Waiting::default();
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"system" => waiting.system = Some(value),
            b"messages" => waiting.messages = Some(value),
            b"output_format" => waiting.output_format = Some(value),
            _ if !fits(key, value) => request.extras.keep(key, value),
            _ => read_member(&mut request, key, value),
        }
    }
    if let Some(format) = waiting.output_format.and_then(read_format) {
        request.response_format = Some(format);
    }
    request.turns.extend(waiting.system.and_then(read_system));
    let messages = waiting.messages.filter(|messages| messages.kind == Kind::Array);
    let before = request.turns.len();
    for (at, message) in messages.into_iter().flat_map(Raw::elements).enumerate() {
        request.turns.push(read_message(message, at + 1)?);
    }
    if request.turns.len() == before {
        return Err(ReadError::new("missing messages"));
    }
    Ok(request)
}

/// `value` is of a kind that the member `key` can have. Any other can be asked of nobody else.
fn fits(key: &[u8], value: Raw<'_>) -> bool {
    match key {
        b"max_tokens" => value.count().is_some(),
        b"stream" => value.kind == Kind::Bool,
        b"model" | b"service_tier" => value.kind == Kind::String,
        b"stop_sequences" => value.is_list_of_texts(),
        b"tools" => value.kind == Kind::Array,
        b"metadata" | b"thinking" | b"output_config" | b"tool_choice" => value.is_object(),
        _ => true,
    }
}

fn read_member<'a>(request: &mut Request<'a>, key: &'a [u8], value: Raw<'a>) {
    match key {
        b"model" => request.model = value.text(),
        b"stream" => request.stream = value.is_true(),
        b"max_tokens" => request.max_tokens = value.count(),
        b"temperature" => request.temperature = Some(value.into()),
        b"top_p" => request.top_p = Some(value.into()),
        b"top_k" => request.top_k = Some(value.into()),
        b"stop_sequences" => request.stop_sequences = value.elements().filter_map(Raw::text).collect(),
        b"service_tier" => request.service_tier = value.text(),
        b"metadata" => read_metadata(request, value),
        b"thinking" => read_thinking(request, value),
        b"output_config" => read_output_config(request, value),
        b"tools" => request.tools = value.elements().map(read_tool).collect(),
        b"tool_choice" => read_tool_choice(request, value),
        _ => request.extras.keep(key, value),
    }
}

/// Anthropic itself takes nothing but `user_id`.
fn read_metadata<'a>(request: &mut Request<'a>, metadata: Raw<'a>) {
    let mut knows_more = false;
    for (key, value) in metadata.members() {
        match key {
            b"user_id" => request.end_user = value.text(),
            _ => knows_more = true,
        }
    }
    request.metadata = knows_more.then(|| metadata.into());
}

fn read_thinking<'a>(request: &mut Request<'a>, thinking: Raw<'a>) {
    let (mut kind, mut budget) = (None, None);
    let reasoning = request.reasoning.get_or_insert_with(ReasoningRequest::default);
    for (key, value) in thinking.members() {
        match key {
            b"type" => kind = value.text(),
            b"budget_tokens" => budget = value.count(),
            b"display" => reasoning.show = value.text(),
            _ => {}
        }
    }
    match kind.as_deref() {
        Some("adaptive") => reasoning.enabled = Some(true),
        Some("enabled") => {
            reasoning.enabled = Some(true);
            reasoning.budget_tokens = Some(budget.unwrap_or(0));
        }
        Some("disabled") => reasoning.enabled = Some(false),
        Some(_) | None => {}
    }
}

fn read_output_config<'a>(request: &mut Request<'a>, config: Raw<'a>) {
    let mut rest = Vec::new();
    let mut others = ObjectWriter::new(&mut rest);
    let mut knows_more = false;
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"effort" => {
                let effort = value.text().filter(|effort| !effort.is_empty()).map(Effort);
                request.reasoning.get_or_insert_with(ReasoningRequest::default).effort = effort;
            }
            b"format" => request.response_format = read_format(value),
            _ => {
                others.raw(&unescape(key), value.bytes);
                knows_more = true;
            }
        }
    }
    drop(others);
    if knows_more {
        request.extras.0.push(("output_config".into(), Json::owned(rest)));
    }
}

/// `None` if it asks for nothing.
fn read_format(format: Raw<'_>) -> Option<ResponseFormat<'_>> {
    let (mut kind, mut schema) = (None, None);
    for (key, value) in format.members() {
        match key {
            b"type" => kind = value.text(),
            b"schema" => schema = Some(value),
            _ => {}
        }
    }
    match (kind?.as_ref(), schema) {
        ("json_schema", Some(schema)) => (schema.members().next().is_some()).then(|| ResponseFormat::JsonSchema {
            name: None,
            description: None,
            schema: schema.into(),
            strict: Some(true),
        }),
        _ => Some(ResponseFormat::Opaque(format.into())),
    }
}

/// A tool with a type of its own is run by Anthropic, or known to the model without a schema.
fn read_tool(tool: Raw<'_>) -> Tool<'_> {
    let mut is_function = true;
    let mut function = FunctionTool { name: Text::default(), description: None, parameters: None, strict: None };
    let (mut cache, mut extras) = (None, Extras::default());
    for (key, value) in tool.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => is_function = value.bytes == br#""custom""#,
            b"name" => function.name = value.text().unwrap_or_default(),
            b"description" => function.description = value.text(),
            b"input_schema" => function.parameters = Some(value.into()),
            b"strict" => function.strict = value.boolean(),
            b"cache_control" => cache = Some(block::cache_control(value)),
            _ => extras.keep(key, value),
        }
    }
    if !is_function || function.name.is_empty() {
        return Tool { body: ToolBody::Opaque(tool.into()), cache: None, extras: Extras::default() };
    }
    Tool { body: ToolBody::Function(function), cache, extras }
}

fn read_tool_choice<'a>(request: &mut Request<'a>, choice: Raw<'a>) {
    let (mut kind, mut name) = (None, None);
    for (key, value) in choice.members() {
        match key {
            b"type" => kind = value.text(),
            b"name" => name = value.text(),
            b"disable_parallel_tool_use" => request.parallel_tool_calls = value.boolean().map(|disabled| !disabled),
            _ => {}
        }
    }
    request.tool_choice = Some(match (kind.as_deref(), name) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("any"), _) => ToolChoice::Required,
        (Some("none"), _) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Function(name),
        (Some(_) | None, _) => ToolChoice::Opaque(choice.into()),
    });
}

/// `None` if there are no instructions in it.
fn read_system(system: Raw<'_>) -> Option<Turn<'_>> {
    let mut parts = block::read_all(system)?;
    if system.kind == Kind::Array {
        parts.retain_mut(without_billing);
    }
    let says_something = |part: &Part<'_>| !matches!(&part.body, PartBody::Text { text, .. } if text.is_empty());
    parts.iter().any(says_something).then(|| Turn::new(Role::System, parts))
}

/// Takes the changing entry out of a billing block; `false` if nothing is left of it.
fn without_billing(part: &mut Part<'_>) -> bool {
    let PartBody::Text { text, .. } = &mut part.body else { return true };
    let begins = text.get(..BILLING.len()).is_some_and(|start| start.eq_ignore_ascii_case(BILLING));
    if !begins {
        return true;
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(start) = rest.find("cch=")
        && let Some(length) = rest[start..].find(';')
    {
        kept.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
    }
    kept.push_str(rest);
    let left = kept.trim_matches([';', ' ']);
    let says_something = left.len() > BILLING.len();
    *text = Cow::Owned(left.to_owned());
    says_something
}

/// An image or a document with a source that is none.
fn is_malformed(part: &Part<'_>) -> bool {
    let PartBody::Opaque(block) = &part.body else { return false };
    let kind = block.raw().first("type").and_then(Raw::text);
    let source = block.raw().first("source");
    matches!(kind.as_deref(), Some("image" | "document")) && source.is_some_and(|source| !source.is_object())
}

fn is_result(part: &Part<'_>) -> bool {
    matches!(part.body, PartBody::ToolResult(_))
}

fn read_message(message: Raw<'_>, at: usize) -> Result<Turn<'_>, ReadError> {
    let (mut role, mut content, mut extras) = (None, None, Extras::default());
    for (key, value) in message.members() {
        match key {
            b"role" => role = value.text(),
            b"content" => content = Some(value),
            _ => extras.keep(key, value),
        }
    }
    let wrong_role = || ReadError::new(format!("invalid message at index {at}"));
    let role = role.ok_or_else(wrong_role)?;
    let parts = content.and_then(block::read_all).filter(|parts| !parts.iter().any(is_malformed));
    let parts = parts.ok_or_else(|| ReadError::new(format!("invalid message content at index {at}")))?;
    let role = match role.as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        // As APISIX has it: a result says itself which call it answers, whoever brings it.
        "tool" if parts.iter().any(is_result) => Role::User,
        _ => return Err(wrong_role()),
    };
    let is_list = content.is_some_and(|content| content.kind == Kind::Array);
    let form = if is_list { ContentForm::List } else { ContentForm::Any };
    Ok(Turn { extras, form, ..Turn::new(role, parts) })
}
