//! Writes `toolConfig`.
//!
//! Bedrock refuses a history with calls or results of tools beside which no tools are declared: where the
//! client declares none, those of the history are declared. It has no way to forbid tools, so they are
//! then left out, if they can be.

use std::collections::HashSet;

use crate::dialect::bedrock::block;
use crate::dialect::{Dialect, Origin, strict_schema};
use crate::json::{ArrayWriter, ObjectWriter, unescape};
use crate::model::{Feature, FunctionTool, Losses, PartBody, Request, Tool, ToolBody, ToolChoice, Turn};

/// The member's name.
const FIELD: &str = "toolConfig";

/// Arguments of any form.
const ANY_ARGUMENTS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// Appends the field, if it is needed.
pub(super) fn write(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    losses.lose_some(Feature::ParallelToolCalls, request.parallel_tool_calls.filter(|many| !many).as_ref());
    let origin = Origin::of(request.dialect, Dialect::BedrockConverse);
    let needed = mentions_tools(&request.turns);
    let forbidden = request.tool_choice == Some(ToolChoice::None);
    if forbidden && needed && !request.tools.is_empty() {
        losses.lose(Feature::ToolChoice);
    }
    if !needed && (request.tools.is_empty() || forbidden) {
        return;
    }
    let mut config = body.object(FIELD);
    let mut tools = config.array("tools");
    let callable = request.callable();
    request.tools.iter().filter(|tool| callable.holds(tool)).for_each(|tool| match &tool.body {
        ToolBody::Opaque(json) if origin == Origin::Own => tools.raw(json.bytes()),
        ToolBody::Opaque(_) => losses.lose(Feature::ServerTools),
        ToolBody::Function(function) => {
            write_function(tool, function, origin, losses, &mut tools);
            block::write_cache_point(tool.cache.as_ref(), &mut tools);
        }
    });
    if tools.is_empty() {
        declare_history(request, &mut tools);
    }
    drop(tools);
    if !request.tools.is_empty() {
        write_choice(request, origin, &mut config);
    }
    let others = request.extras.get(FIELD).filter(|_| origin == Origin::Own);
    if let Some(others) = others {
        others.raw().members().for_each(|(key, value)| config.raw(&unescape(key), value.bytes));
    }
}

/// `true` if the conversation calls tools or answers calls.
fn mentions_tools(turns: &[Turn<'_>]) -> bool {
    let mentions = |body: &PartBody<'_>| matches!(body, PartBody::ToolCall(_) | PartBody::ToolResult(_));
    turns.iter().flat_map(|turn| &turn.parts).any(|part| mentions(&part.body))
}

fn write_function(
    tool: &Tool<'_>,
    function: &FunctionTool<'_>,
    origin: Origin,
    losses: &mut Losses,
    tools: &mut ArrayWriter<'_>,
) {
    let mut declared = tools.object();
    let mut spec = declared.object("toolSpec");
    spec.string("name", &function.name);
    spec.maybe_string("description", function.description.as_deref().filter(|text| !text.is_empty()));
    let strict = match (origin, function.strict) {
        (Origin::Foreign, Some(true)) if function.parameters.as_ref().is_some_and(strict_schema::is_open) => {
            losses.lose(Feature::StrictTools);
            None
        }
        (_, strict) => strict,
    };
    let mut schema = spec.object("inputSchema");
    match (&function.parameters, strict, origin) {
        (None, _, _) => schema.raw("json", ANY_ARGUMENTS),
        (Some(parameters), _, Origin::Own) => schema.raw("json", parameters.bytes()),
        (Some(parameters), Some(true), Origin::Foreign) => {
            let closed = strict_schema::closed(parameters, &mut |keyword| losses.lose_field(keyword));
            schema.raw("json", &strict_schema::object_schema(&closed));
        }
        (Some(parameters), _, Origin::Foreign) => schema.raw("json", &strict_schema::object_schema(parameters)),
    }
    drop(schema);
    match (strict, origin) {
        (Some(strict), Origin::Own) => spec.boolean("strict", strict),
        (Some(true), Origin::Foreign) => spec.boolean("strict", true),
        (Some(false) | None, _) => {}
    }
    if origin == Origin::Own {
        tool.extras.iter().for_each(|(name, value)| spec.raw(name, value.bytes()));
    }
}

/// The tools that the history knows, without what the client no longer tells of them.
fn declare_history(request: &Request<'_>, tools: &mut ArrayWriter<'_>) {
    let mut declared: HashSet<&str> = HashSet::new();
    let mut declare = |name| {
        if declared.insert(name) {
            let mut tool = tools.object();
            let mut spec = tool.object("toolSpec");
            spec.string("name", name);
            spec.object("inputSchema").raw("json", ANY_ARGUMENTS);
        }
    };
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        match &part.body {
            PartBody::ToolCall(call) => declare(call.name.as_ref()),
            PartBody::ToolResult(result) => result.name.iter().for_each(|name| declare(name.as_ref())),
            PartBody::Text { .. }
            | PartBody::Media(_)
            | PartBody::Reasoning(_)
            | PartBody::Refusal(_)
            | PartBody::Opaque(_) => {}
        }
    }
    if declared.is_empty() {
        let mut tool = tools.object();
        let mut spec = tool.object("toolSpec");
        spec.string("name", "tool");
        spec.object("inputSchema").raw("json", ANY_ARGUMENTS);
    }
}

fn write_choice(request: &Request<'_>, origin: Origin, config: &mut ObjectWriter<'_>) {
    match &request.tool_choice {
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {
            drop(config.object("toolChoice").object("auto"));
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            drop(config.object("toolChoice").object("any"));
        }
        Some(ToolChoice::Function(name)) => config.object("toolChoice").object("tool").string("name", name),
        Some(ToolChoice::Opaque(json)) if origin == Origin::Own => config.raw("toolChoice", json.bytes()),
        None | Some(ToolChoice::None | ToolChoice::Opaque(_)) => {}
    }
}
