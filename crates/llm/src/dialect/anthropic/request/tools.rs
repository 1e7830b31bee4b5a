//! Writes `tools` and `tool_choice`.

use crate::dialect::anthropic::block::write_cache;
use crate::dialect::anthropic::generation::Generation;
use crate::dialect::{Dialect, Origin, strict_schema};
use crate::json::ObjectWriter;
use crate::model::{Feature, FunctionTool, Losses, Request, Tool, ToolBody, ToolChoice};

/// Anthropic refuses more strict tools in one request.
const MOST_STRICT_TOOLS: usize = 20;

/// Appends both fields.
pub(super) fn write(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let origin = Origin::of(request.dialect, Dialect::Anthropic);
    // What is left of the number of strict tools that one request may have.
    let mut strict_left = match Generation::of(request.model.as_deref().unwrap_or_default()).follows_schemas() {
        true => MOST_STRICT_TOOLS,
        false => 0,
    };
    if !request.tools.is_empty() {
        let mut tools = body.array("tools");
        let callable = request.callable();
        for tool in request.tools.iter().filter(|tool| callable.holds(tool)) {
            match &tool.body {
                ToolBody::Opaque(json) if origin == Origin::Own => tools.raw(json.bytes()),
                ToolBody::Opaque(_) => losses.lose(Feature::ServerTools),
                ToolBody::Function(function) => {
                    let strict = strictness(function, origin, &mut strict_left, losses);
                    write_function(tool, function, strict, losses, &mut tools.object());
                }
            }
        }
    }
    write_choice(request, body);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// As the client of this dialect said.
    Repeated(Option<bool>),
    /// For a client of another dialect.
    Loose,
    Strict,
}

fn strictness(function: &FunctionTool<'_>, origin: Origin, left: &mut usize, losses: &mut Losses) -> Strictness {
    match (origin, function.strict) {
        (Origin::Own, said) => Strictness::Repeated(said),
        (Origin::Foreign, Some(true))
            if *left > 0 && !function.parameters.as_ref().is_some_and(strict_schema::is_open) =>
        {
            *left -= 1;
            Strictness::Strict
        }
        (Origin::Foreign, Some(true)) => {
            losses.lose(Feature::StrictTools);
            Strictness::Loose
        }
        (Origin::Foreign, Some(false) | None) => Strictness::Loose,
    }
}

fn write_function(
    tool: &Tool<'_>,
    function: &FunctionTool<'_>,
    strictness: Strictness,
    losses: &mut Losses,
    out: &mut ObjectWriter<'_>,
) {
    out.string("name", &function.name);
    out.maybe_string("description", function.description.as_deref());
    match (&function.parameters, strictness) {
        (None, _) => out.raw("input_schema", br#"{"type":"object","properties":{}}"#),
        (Some(schema), Strictness::Repeated(_)) => out.raw("input_schema", schema.bytes()),
        (Some(schema), Strictness::Loose) => out.raw("input_schema", &strict_schema::object_schema(schema)),
        (Some(schema), Strictness::Strict) => {
            let closed = strict_schema::closed(schema, &mut |keyword| losses.lose_field(keyword));
            out.raw("input_schema", &strict_schema::object_schema(&closed));
        }
    }
    match strictness {
        Strictness::Repeated(Some(strict)) => out.boolean("strict", strict),
        Strictness::Strict => out.boolean("strict", true),
        Strictness::Repeated(None) | Strictness::Loose => {}
    }
    write_cache(out, tool.cache.as_ref());
    if let Strictness::Repeated(_) = strictness {
        tool.extras.iter().for_each(|(name, value)| out.raw(name, value.bytes()));
    }
}

fn write_choice(request: &Request<'_>, body: &mut ObjectWriter<'_>) {
    let origin = Origin::of(request.dialect, Dialect::Anthropic);
    if request.tools.is_empty() && origin == Origin::Foreign {
        return;
    }
    let (kind, name) = match &request.tool_choice {
        Some(ToolChoice::Opaque(json)) if origin == Origin::Own => return body.raw("tool_choice", json.bytes()),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Function(name)) => ("tool", Some(name.as_ref())),
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        None | Some(ToolChoice::Opaque(_)) if request.parallel_tool_calls == Some(false) => ("auto", None),
        None | Some(ToolChoice::Opaque(_)) => return,
    };
    let mut choice = body.object("tool_choice");
    choice.string("type", kind);
    choice.maybe_string("name", name);
    match request.parallel_tool_calls {
        // One call at a time is worth saying wherever there may be calls; several are the rule.
        Some(false) if kind != "none" => choice.boolean("disable_parallel_tool_use", true),
        Some(true) if origin == Origin::Own => choice.boolean("disable_parallel_tool_use", false),
        Some(_) | None => {}
    }
}
