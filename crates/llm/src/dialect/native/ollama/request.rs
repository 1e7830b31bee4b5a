//! A request's body, written: settings and tools here, the conversation in [`message`](super::message).
//!
//! Invariant: whether the answer shall stream is always said.

use super::message;
use crate::dialect::Quirks;
use crate::json::ObjectWriter;
use crate::model::{
    Effort, Feature, Json, Losses, ReasoningRequest, Request, ResponseFormat, Tool, ToolBody, ToolChoice,
};

/// Writes a request's body.
pub(super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let mut messages = body.array("messages");
    request.turns.iter().for_each(|turn| message::write(turn, &mut messages, losses));
    drop(messages);
    body.boolean("stream", request.stream);
    write_tools(request, &mut body, losses);
    write_format(request.response_format.as_ref(), &mut body, losses);
    if let Some(wanted) = &request.reasoning {
        write_thinking(wanted, request.model.as_deref().unwrap_or_default(), &mut body);
    }
    write_options(request, &mut body);
    tell_unknown(request, losses);
    drop(body);
    out
}

/// What Ollama has no words for.
fn tell_unknown(request: &Request<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::Logprobs, request.logprobs.filter(|wanted| *wanted).as_ref());
    losses.lose_some(Feature::Choices, request.choices.filter(|count| *count > 1).as_ref());
    losses.lose_some(Feature::EndUser, request.end_user.as_ref());
    losses.lose_some(Feature::Metadata, request.metadata.as_ref());
    losses.lose_some(Feature::ServiceTier, request.service_tier.as_ref());
    losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
    losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
    let serial = request.parallel_tool_calls.filter(|parallel| !parallel);
    losses.lose_some(Feature::ParallelToolCalls, serial.as_ref());
    losses.lose_extras(&request.extras);
}

fn write_options(request: &Request<'_>, body: &mut ObjectWriter<'_>) {
    let mut options = body.object("options");
    if let Some(limit) = request.max_tokens {
        options.number("num_predict", limit);
    }
    options.maybe_strings("stop", &request.stop_sequences);
    for (name, value) in [
        ("temperature", &request.temperature),
        ("top_p", &request.top_p),
        ("top_k", &request.top_k),
        ("seed", &request.seed),
        ("frequency_penalty", &request.frequency_penalty),
        ("presence_penalty", &request.presence_penalty),
    ] {
        options.maybe_raw(name, value.as_ref().map(Json::bytes));
    }
}

fn write_format(format: Option<&ResponseFormat<'_>>, body: &mut ObjectWriter<'_>, losses: &mut Losses) {
    match format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => body.string("format", "json"),
        Some(ResponseFormat::JsonSchema { schema, .. }) => body.raw("format", schema.bytes()),
        Some(ResponseFormat::Opaque(_)) => losses.lose_field("response_format"),
    }
}

/// Ollama knows a switch and, for these models alone, three words for an effort.
const MODELS_WITH_EFFORT: &str = "gpt-oss";

fn write_thinking(wanted: &ReasoningRequest<'_>, model: &str, body: &mut ObjectWriter<'_>) {
    let effort = wanted.effort.clone().or_else(|| wanted.budget_tokens.map(Effort::from_budget));
    let is_off = wanted.enabled == Some(false)
        || wanted.budget_tokens == Some(0)
        || effort.as_ref().is_some_and(|effort| effort.0 == "none");
    match effort.as_ref().map(|effort| effort.0.as_ref()) {
        _ if is_off => body.boolean("think", false),
        Some(_) if !model.contains(MODELS_WITH_EFFORT) => body.boolean("think", true),
        Some("minimal" | "low") => body.string("think", "low"),
        Some("high" | "xhigh" | "max") => body.string("think", "high"),
        Some(_) => body.string("think", "medium"),
        None if wanted.enabled == Some(true) => body.boolean("think", true),
        None => {}
    }
}

/// There is no choice among tools: one that forbids them, or allows only some, is kept by what is offered.
fn write_tools(request: &Request<'_>, body: &mut ObjectWriter<'_>, losses: &mut Losses) {
    let only = match &request.tool_choice {
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => None,
        Some(ToolChoice::None) => return,
        Some(ToolChoice::Function(name)) => {
            losses.lose(Feature::ToolChoiceFunction);
            Some(name)
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. } | ToolChoice::Opaque(_)) => {
            losses.lose(Feature::ToolChoice);
            None
        }
    };
    let callable = request.callable();
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match &tool.body {
            ToolBody::Function(function) if only.is_none_or(|name| function.name == *name) && callable.holds(tool) => {
                tools.push((tool, function));
            }
            ToolBody::Function(_) => {}
            ToolBody::Opaque(_) => losses.lose(Feature::ServerTools),
        }
    }
    if tools.is_empty() {
        return;
    }
    let mut list = body.array("tools");
    for (tool, function) in tools {
        tell_tool(tool, function.strict, losses);
        let mut object = list.object();
        object.string("type", "function");
        let mut told = object.object("function");
        told.string("name", &function.name);
        told.string("description", function.description.as_deref().unwrap_or_default());
        told.raw("parameters", function.parameters.as_ref().map_or(NO_PARAMETERS, Json::bytes));
    }
}

/// Ollama reads parameters into a structure that must be there.
const NO_PARAMETERS: &[u8] = br#"{"type":"object","properties":{}}"#;

fn tell_tool(tool: &Tool<'_>, strict: Option<bool>, losses: &mut Losses) {
    losses.lose_some(Feature::StrictTools, strict.filter(|strict| *strict).as_ref());
    losses.lose_some(Feature::CacheControl, tool.cache.as_ref());
    losses.lose_extras(&tool.extras);
}
