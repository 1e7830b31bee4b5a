//! Reading requests.

use std::borrow::Cow;

use super::turns;
use crate::dialect::responses::keep_nested;
use crate::dialect::{Dialect, ReadError};
use crate::json::{ArrayWriter, Kind, Raw};
use crate::model::{
    Effort, Extras, FunctionTool, Json, Part, ReasoningRequest, Request, ResponseFormat, Role, Tool, ToolBody,
    ToolChoice, Turn,
};

/// What `include` says where a client wants log probabilities.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

pub(in crate::dialect::responses) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    if !body.is_object() {
        return Err(ReadError::new("the body must be an object"));
    }
    let mut request = Request::new(Dialect::OpenAiResponses);
    let mut instructions = None;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            _ if !fits(key, value) => request.extras.keep(key, value),
            b"model" => request.model = value.text(),
            b"stream" => request.stream = value.is_true(),
            b"instructions" => instructions = value.text(),
            b"input" => request.turns = turns::read(value)?,
            b"tools" => request.tools = value.elements().map(read_tool).collect(),
            b"tool_choice" => request.tool_choice = Some(read_tool_choice(value)),
            b"parallel_tool_calls" => request.parallel_tool_calls = value.boolean(),
            b"text" => read_text(value, &mut request),
            b"reasoning" => request.reasoning = read_reasoning(value, &mut request.extras),
            b"include" => read_include(value, &mut request),
            b"max_output_tokens" => request.max_tokens = value.count(),
            b"temperature" => request.temperature = Some(value.into()),
            b"top_p" => request.top_p = Some(value.into()),
            b"top_logprobs" => request.top_logprobs = value.count(),
            b"safety_identifier" => request.end_user = value.text(),
            b"metadata" => request.metadata = Some(value.into()),
            b"service_tier" => request.service_tier = value.text(),
            b"prompt_cache_key" => request.prompt_cache_key = value.text(),
            _ => request.extras.keep(key, value),
        }
    }
    if let Some(text) = instructions {
        request.turns.insert(0, Turn::new(Role::System, vec![Part::text(text)]));
    }
    name_end_user(&mut request);
    Ok(request)
}

/// `value` is of a kind that the member `key` can have. Any other can be asked of nobody else.
fn fits(key: &[u8], value: Raw<'_>) -> bool {
    match key {
        b"max_output_tokens" | b"top_logprobs" => value.count().is_some(),
        b"stream" | b"parallel_tool_calls" => value.kind == Kind::Bool,
        b"model" | b"instructions" | b"safety_identifier" | b"service_tier" | b"prompt_cache_key" => {
            value.kind == Kind::String
        }
        b"tools" => value.kind == Kind::Array,
        b"text" | b"reasoning" | b"metadata" => value.is_object(),
        _ => true,
    }
}

/// `user` is the older name of `safety_identifier`.
fn name_end_user(request: &mut Request<'_>) {
    if request.end_user.is_some() {
        return;
    }
    let Some(at) = request.extras.0.iter().position(|(name, _)| name == "user") else { return };
    if let Json(Cow::Borrowed(user)) = request.extras.0[at].1 {
        request.end_user = Raw::new(user).and_then(Raw::text);
    }
    if request.end_user.is_some() {
        request.extras.0.remove(at);
    }
}

fn read_text<'a>(text: Raw<'a>, request: &mut Request<'a>) {
    for (key, value) in text.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"format" => request.response_format = Some(read_format(value)),
            b"verbosity" => request.verbosity = value.text(),
            _ => keep_nested(&mut request.extras, "text", key, value),
        }
    }
}

fn read_format(format: Raw<'_>) -> ResponseFormat<'_> {
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    let mut kind: &[u8] = b"";
    for (key, value) in format.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => kind = value.quoted().unwrap_or_default(),
            b"name" => name = value.text(),
            b"description" => description = value.text(),
            b"schema" => schema = Some(Json::from(value)),
            b"strict" => strict = value.boolean(),
            _ => {}
        }
    }
    match (kind, schema) {
        (b"text", _) => ResponseFormat::Text,
        (b"json_object", _) => ResponseFormat::JsonObject,
        (b"json_schema", Some(schema)) => ResponseFormat::JsonSchema { name, description, schema, strict },
        _ => ResponseFormat::Opaque(format.into()),
    }
}

/// `None` if nothing is asked for that the model knows.
fn read_reasoning<'a>(reasoning: Raw<'a>, extras: &mut Extras<'a>) -> Option<ReasoningRequest<'a>> {
    let mut wanted = ReasoningRequest::default();
    for (key, value) in reasoning.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"effort" => wanted.effort = value.text().map(Effort),
            b"summary" => wanted.show = value.text(),
            _ => keep_nested(extras, "reasoning", key, value),
        }
    }
    (wanted != ReasoningRequest::default()).then_some(wanted)
}

/// What is asked for beside log probabilities stays together as an extra.
fn read_include<'a>(include: Raw<'a>, request: &mut Request<'a>) {
    let mut others = Vec::new();
    let mut array = ArrayWriter::new(&mut others);
    for wanted in include.elements() {
        if wanted.quoted() == Some(LOGPROBS.as_bytes()) {
            request.logprobs = Some(true);
        } else {
            array.raw(wanted.bytes);
        }
    }
    let is_empty = array.is_empty();
    drop(array);
    if !is_empty {
        request.extras.0.push(("include".into(), Json::owned(others)));
    }
}

fn read_tool(tool: Raw<'_>) -> Tool<'_> {
    let mut extras = Extras::default();
    let body = read_function(tool, &mut extras).map_or_else(
        || {
            extras = Extras::default();
            ToolBody::Opaque(tool.into())
        },
        ToolBody::Function,
    );
    Tool { body, cache: None, extras }
}

/// `None` if the tool is no function.
fn read_function<'a>(tool: Raw<'a>, extras: &mut Extras<'a>) -> Option<FunctionTool<'a>> {
    let mut function = FunctionTool { name: Cow::Borrowed(""), description: None, parameters: None, strict: None };
    let mut is_function = false;
    for (key, value) in tool.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => is_function = value.quoted() == Some(b"function"),
            b"name" => function.name = value.text()?,
            b"description" => function.description = value.text(),
            b"parameters" => function.parameters = Some(value.into()),
            b"strict" => function.strict = value.boolean(),
            _ => extras.keep(key, value),
        }
    }
    (is_function && !function.name.is_empty()).then_some(function)
}

fn read_tool_choice(choice: Raw<'_>) -> ToolChoice<'_> {
    match choice.quoted() {
        Some(b"auto") => return ToolChoice::Auto,
        Some(b"none") => return ToolChoice::None,
        Some(b"required") => return ToolChoice::Required,
        _ => {}
    }
    let (mut name, mut tools, mut required) = (None, None, false);
    let mut kind: &[u8] = b"";
    for (key, value) in choice.members() {
        match key {
            b"type" => kind = value.quoted().unwrap_or_default(),
            b"name" => name = value.text(),
            b"mode" => required = value.quoted() == Some(b"required"),
            b"tools" => tools = value.elements().map(function_name).collect::<Option<Vec<_>>>(),
            _ => {}
        }
    }
    match (kind, name, tools) {
        (b"function", Some(name), _) => ToolChoice::Function(name),
        (b"allowed_tools", _, Some(names)) => ToolChoice::Allowed { names, required },
        _ => ToolChoice::Opaque(choice.into()),
    }
}

/// The name of the function that `tool` refers to.
fn function_name(tool: Raw<'_>) -> Option<crate::model::Text<'_>> {
    (tool.first("type").and_then(Raw::quoted) == Some(b"function")).then(|| tool.first("name")?.text())?
}
