//! Tools, the choice among them, and calls, read.
//!
//! Invariant: forms that OpenAI has given up (`functions`, `function_call`) read as those that followed them; a tool, a
//! choice or a call of a kind unknown here is kept whole.

use super::message::told;
use super::part;
use crate::dialect::Dialect;
use crate::json::{Kind, Raw};
use crate::model::{
    CacheControl, Extras, FunctionTool, Part, PartBody, Signature, Text, Tool, ToolBody, ToolCall, ToolChoice,
};

/// One element of `tools`.
pub(super) fn read_tool(raw: Raw<'_>) -> Tool<'_> {
    let (mut function, mut cache, mut extras): (_, Option<CacheControl<'_>>, _) = (None, None, Extras::default());
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"function" => function = read_function(value, &mut extras),
            b"cache_control" => cache = Some(part::read_cache(value)),
            _ => extras.keep(key, value),
        }
    }
    match function {
        Some(function) => Tool { body: ToolBody::Function(function), cache, extras },
        None => Tool { body: ToolBody::Opaque(raw.into()), cache: None, extras: Extras::default() },
    }
}

/// One element of the older `functions`.
pub(super) fn read_legacy_tool(raw: Raw<'_>) -> Option<Tool<'_>> {
    let mut extras = Extras::default();
    let function = read_function(raw, &mut extras)?;
    Some(Tool { body: ToolBody::Function(function), cache: None, extras })
}

fn read_function<'a>(raw: Raw<'a>, extras: &mut Extras<'a>) -> Option<FunctionTool<'a>> {
    let (mut name, mut description, mut parameters, mut strict) = (None, None, None, None);
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"name" => name = value.text(),
            b"description" => description = value.text(),
            b"parameters" => parameters = Some(value.into()),
            b"strict" => strict = value.boolean(),
            _ => extras.keep(key, value),
        }
    }
    Some(FunctionTool { name: name?, description, parameters, strict })
}

/// `tool_choice`, or the older `function_call`.
pub(super) fn read_choice(raw: Raw<'_>) -> ToolChoice<'_> {
    match raw.quoted() {
        Some(b"auto") => return ToolChoice::Auto,
        Some(b"none") => return ToolChoice::None,
        // `any` is Mistral's word.
        Some(b"required" | b"any") => return ToolChoice::Required,
        _ => {}
    }
    let function = raw.get("function").and_then(|function| function.get("name")).or_else(|| raw.get("name"));
    if let Some(name) = function.and_then(Raw::text) {
        return ToolChoice::Function(name);
    }
    read_allowed(raw).unwrap_or_else(|| ToolChoice::Opaque(raw.into()))
}

/// `allowed_tools`, if all of them are functions.
fn read_allowed(raw: Raw<'_>) -> Option<ToolChoice<'_>> {
    let allowed = raw.get("allowed_tools")?;
    let names = allowed.get("tools")?.elements().map(|tool| tool.at(&["function", "name"])?.text());
    let required = allowed.get("mode").and_then(Raw::quoted) == Some(b"required");
    Some(ToolChoice::Allowed { names: names.collect::<Option<_>>()?, required })
}

/// One element of `tool_calls`.
pub(super) fn read_call(raw: Raw<'_>) -> Part<'_> {
    let (mut call, mut is_function, mut is_custom) = (empty_call(), false, false);
    let (mut cache, mut extras) = (None, Extras::default());
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"id" => call.id = value.text().unwrap_or_default(),
            b"function" => {
                (call.name, call.arguments) = read_function_parts(value);
                is_function = true;
            }
            b"extra_content" => match read_signature(value) {
                Some(signature) => call.signature = Some(signature),
                None => extras.keep(key, value),
            },
            b"cache_control" => cache = Some(part::read_cache(value)),
            // Snowflake fills it with nothing, beside `function`.
            b"custom" => is_custom = true,
            b"type" | b"index" => {}
            _ => extras.keep(key, value),
        }
    }
    match is_custom && !is_function {
        true => PartBody::Opaque(raw.into()).into(),
        false => Part { body: PartBody::ToolCall(call), cache, extras },
    }
}

/// The older `function_call` of a message; `None` if it is empty.
pub(super) fn read_function_call(raw: Raw<'_>) -> Option<Part<'_>> {
    let (name, arguments) = read_function_parts(raw);
    (!name.is_empty()).then(|| PartBody::ToolCall(ToolCall { name, arguments, ..empty_call() }).into())
}

/// Name and arguments. Some providers tell arguments as an object and not as its text.
pub(super) fn read_function_parts(function: Raw<'_>) -> (Text<'_>, Text<'_>) {
    let (mut name, mut arguments) = (Text::default(), Text::default());
    for (key, value) in function.members() {
        match key {
            b"name" => name = value.text().unwrap_or_default(),
            b"arguments" if matches!(value.kind, Kind::Object | Kind::Array) => {
                arguments = String::from_utf8_lossy(value.bytes);
            }
            b"arguments" => arguments = value.text().unwrap_or_default(),
            _ => {}
        }
    }
    (name, arguments)
}

/// The signature in `extra_content`, where Gemini's endpoint for this dialect puts it.
pub(super) fn read_signature(extra_content: Raw<'_>) -> Option<Signature<'_>> {
    let text = extra_content.at(&["google", "thought_signature"]).and_then(told)?;
    Some(Signature::read(Dialect::OpenAiChat, text))
}

fn empty_call() -> ToolCall<'static> {
    ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None }
}
