//! A request's body, read.

use super::{tools, turn};
use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, Raw};
use crate::model::{Effort, Json, ReasoningRequest, Request, ResponseFormat, Text};

/// Reads a request. Absent and null members are the same.
///
/// # Errors
/// If there are no messages, or if one of them is none.
pub(super) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let mut request = Request { include_usage: false, ..Request::new(Dialect::OpenAiChat) };
    let mut messages = None;
    // Newer fields win over those they replace, whichever comes first.
    let (mut older_max_tokens, mut newer_user) = (None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            _ if !fits(key, value) => request.extras.keep(key, value),
            b"messages" => messages = Some(value),
            b"max_completion_tokens" => request.max_tokens = value.count(),
            b"max_tokens" => older_max_tokens = value.count(),
            b"logprobs" => request.logprobs = value.boolean(),
            b"top_logprobs" => request.top_logprobs = value.count(),
            b"tools" => request.tools.extend(value.elements().map(tools::read_tool)),
            b"functions" => request.tools.extend(value.elements().filter_map(tools::read_legacy_tool)),
            b"tool_choice" | b"function_call" => request.tool_choice = Some(tools::read_choice(value)),
            b"parallel_tool_calls" => request.parallel_tool_calls = value.boolean(),
            b"safety_identifier" => newer_user = value.text(),
            _ if read_setting(&mut request, key, value) => {}
            _ => request.extras.keep(key, value),
        }
    }
    request.max_tokens = request.max_tokens.or(older_max_tokens);
    request.end_user = newer_user.or(request.end_user);
    let messages = messages.filter(|messages| messages.kind == Kind::Array);
    let messages = messages.ok_or_else(|| ReadError::new("missing messages"))?;
    for (at, message) in messages.elements().enumerate() {
        request.turns.push(turn::read(message, at + 1)?);
    }
    match request.turns.is_empty() {
        true => Err(ReadError::new("missing messages")),
        false => Ok(request),
    }
}

/// `value` is of a kind that the member `key` can have. Any other can be asked of nobody else.
fn fits(key: &[u8], value: Raw<'_>) -> bool {
    match key {
        b"max_tokens" | b"max_completion_tokens" | b"n" | b"top_logprobs" | b"thinking_budget" => {
            value.count().is_some()
        }
        b"stream" | b"parallel_tool_calls" | b"enable_thinking" => value.kind == Kind::Bool,
        b"model" | b"user" | b"safety_identifier" | b"reasoning_effort" | b"service_tier" | b"prompt_cache_key"
        | b"verbosity" => value.kind == Kind::String,
        b"stop" => value.kind == Kind::String || value.is_list_of_texts(),
        b"tools" | b"functions" => value.kind == Kind::Array,
        b"metadata" | b"stream_options" => value.is_object(),
        _ => true,
    }
}

/// Takes in a member that says how the answer is made and has nothing to do with messages; `false` if it is none.
#[inline]
pub(in crate::dialect) fn read_setting<'a>(request: &mut Request<'a>, key: &'a [u8], value: Raw<'a>) -> bool {
    match key {
        _ if !fits(key, value) => return false,
        b"model" => request.model = value.text(),
        b"stream" => request.stream = value.is_true(),
        b"stream_options" => read_stream_options(request, key, value),
        b"stop" => request.stop_sequences = read_stop(value),
        b"temperature" => request.temperature = Some(value.into()),
        b"top_p" => request.top_p = Some(value.into()),
        b"top_k" => request.top_k = Some(value.into()),
        // `random_seed` is Mistral's.
        b"seed" | b"random_seed" => request.seed = Some(value.into()),
        b"frequency_penalty" => request.frequency_penalty = Some(value.into()),
        b"presence_penalty" => request.presence_penalty = Some(value.into()),
        b"logit_bias" => request.logit_bias = Some(value.into()),
        b"n" => request.choices = value.count(),
        b"response_format" => request.response_format = Some(read_format(value)),
        b"reasoning_effort" => reasoning(request).effort = value.text().map(Effort),
        b"reasoning" if value.is_object() => read_reasoning(reasoning(request), value),
        b"thinking" if value.is_object() => read_thinking(reasoning(request), value),
        b"enable_thinking" => reasoning(request).enabled = value.boolean(),
        b"thinking_budget" => reasoning(request).budget_tokens = value.count(),
        b"user" => request.end_user = value.text(),
        b"metadata" => request.metadata = Some(value.into()),
        b"service_tier" => request.service_tier = value.text(),
        b"prompt_cache_key" => request.prompt_cache_key = value.text(),
        b"verbosity" => request.verbosity = value.text(),
        _ => return false,
    }
    true
}

fn read_stream_options<'a>(request: &mut Request<'a>, key: &'a [u8], options: Raw<'a>) {
    request.include_usage = options.get("include_usage").is_some_and(Raw::is_true);
    if options.members().any(|(name, _)| name != b"include_usage") {
        request.extras.keep(key, options);
    }
}

/// One text, or several.
fn read_stop(stop: Raw<'_>) -> Vec<Text<'_>> {
    match stop.text() {
        Some(text) => vec![text],
        None => stop.elements().filter_map(Raw::text).collect(),
    }
}

fn reasoning<'r, 'a>(request: &'r mut Request<'a>) -> &'r mut ReasoningRequest<'a> {
    request.reasoning.get_or_insert_default()
}

/// OpenRouter's `reasoning`.
fn read_reasoning<'a>(wanted: &mut ReasoningRequest<'a>, told: Raw<'a>) {
    for (key, value) in told.members() {
        match key {
            b"effort" => wanted.effort = value.text().map(Effort),
            b"max_tokens" => wanted.budget_tokens = value.count(),
            b"enabled" => wanted.enabled = value.boolean(),
            b"summary" => wanted.show = value.text(),
            _ => {}
        }
    }
}

/// `thinking` of DeepSeek, Ark and Zhipu.
fn read_thinking<'a>(wanted: &mut ReasoningRequest<'a>, told: Raw<'a>) {
    wanted.enabled = match told.get("type").and_then(Raw::quoted) {
        Some(b"enabled" | b"adaptive") => Some(true),
        Some(b"disabled") => Some(false),
        _ => None,
    };
    wanted.budget_tokens = told.get("budget_tokens").and_then(Raw::count);
}

fn read_format(format: Raw<'_>) -> ResponseFormat<'_> {
    let known = match format.get("type").and_then(Raw::quoted) {
        Some(b"text") => Some(ResponseFormat::Text),
        // llama.cpp takes a schema beside the type.
        Some(b"json_object") if format.get("schema").is_none() => Some(ResponseFormat::JsonObject),
        Some(b"json_schema") => format.get("json_schema").and_then(read_schema),
        _ => None,
    };
    known.unwrap_or_else(|| ResponseFormat::Opaque(format.into()))
}

fn read_schema(told: Raw<'_>) -> Option<ResponseFormat<'_>> {
    let (mut name, mut description, mut strict) = (None, None, None);
    let mut schema: Option<Json<'_>> = None;
    for (key, value) in told.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"name" => name = value.text(),
            b"description" => description = value.text(),
            b"strict" => strict = value.boolean(),
            b"schema" => schema = Some(value.into()),
            _ => {}
        }
    }
    Some(ResponseFormat::JsonSchema { name, description, schema: schema?, strict })
}
