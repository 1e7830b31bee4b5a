//! Tools, the choice among them, and calls, written.

use super::Writer;
use crate::dialect::strict_schema::{self, OpenAiFunction};
use crate::dialect::{Dialect, Origin, ToolChoices};
use crate::json::ObjectWriter;
use crate::model::{
    CacheControl, Feature, FunctionTool, ReasoningRequest, Request, Signature, Tool, ToolBody, ToolCall, ToolChoice,
};

impl Writer<'_> {
    /// `tools` and what is said about all of them; providers refuse a choice among none.
    pub(super) fn tools(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        let known = |tool: &&Tool<'_>| self.origin == Origin::Own || matches!(tool.body, ToolBody::Function(_));
        let count = request.tools.iter().filter(known).count();
        if count < request.tools.len() {
            self.losses.lose(Feature::ServerTools);
        }
        if count == 0 {
            return;
        }
        let mut tools = body.array("tools");
        for tool in &request.tools {
            match &tool.body {
                ToolBody::Function(function) => self.function(tool, function, &mut tools.object()),
                ToolBody::Opaque(json) if self.origin == Origin::Own => tools.raw(json.bytes()),
                ToolBody::Opaque(_) => {}
            }
        }
        drop(tools);
        match &request.tool_choice {
            Some(choice) if self.accepts(choice, request) => self.choice(choice, body),
            Some(_) => self.losses.lose(Feature::ToolChoice),
            None => {}
        }
        if let Some(parallel) = request.parallel_tool_calls {
            body.boolean("parallel_tool_calls", parallel);
        }
    }

    /// The provider takes `choice`, which a client of its own dialect knows itself.
    fn accepts(&self, choice: &ToolChoice<'_>, request: &Request<'_>) -> bool {
        let demands = match choice {
            ToolChoice::Required | ToolChoice::Function(_) => true,
            ToolChoice::Allowed { required, .. } => *required,
            ToolChoice::Auto | ToolChoice::None | ToolChoice::Opaque(_) => false,
        };
        match (self.origin, self.quirks.tool_choice) {
            (Origin::Own, _) | (_, ToolChoices::All) => true,
            (Origin::Foreign, ToolChoices::OnlyAuto) => *choice == ToolChoice::Auto,
            (Origin::Foreign, ToolChoices::FreeWhileThinking) => {
                let thinks = request.reasoning.as_ref().and_then(ReasoningRequest::switch);
                !demands || !thinks.is_some_and(|(enabled, _)| enabled)
            }
        }
    }

    fn function(&mut self, tool: &Tool<'_>, function: &FunctionTool<'_>, object: &mut ObjectWriter<'_>) {
        object.string("type", "function");
        let mut told = object.object("function");
        told.string("name", &function.name);
        told.maybe_string("description", function.description.as_deref());
        let OpenAiFunction { strict, fitted } = OpenAiFunction::of(function, self.dialect, self.losses);
        match (fitted, &function.parameters) {
            (Some(schema), _) => told.raw("parameters", schema.bytes()),
            (None, Some(schema)) if self.origin == Origin::Foreign => {
                told.raw("parameters", &strict_schema::object_schema(schema));
            }
            (None, Some(schema)) => told.raw("parameters", schema.bytes()),
            (None, None) => {}
        }
        if let Some(strict) = strict {
            told.boolean("strict", strict);
        }
        drop(told);
        self.cache(tool.cache.as_ref(), object);
        self.extras(&tool.extras, object);
    }

    fn choice(&mut self, choice: &ToolChoice<'_>, body: &mut ObjectWriter<'_>) {
        match choice {
            ToolChoice::Auto => body.string("tool_choice", "auto"),
            ToolChoice::None => body.string("tool_choice", "none"),
            ToolChoice::Required => body.string("tool_choice", "required"),
            ToolChoice::Function(name) => write_function_name(name, &mut body.object("tool_choice")),
            ToolChoice::Allowed { names, required } => {
                let mut choice = body.object("tool_choice");
                choice.string("type", "allowed_tools");
                let mut allowed = choice.object("allowed_tools");
                allowed.string("mode", if *required { "required" } else { "auto" });
                let mut tools = allowed.array("tools");
                names.iter().for_each(|name| write_function_name(name, &mut tools.object()));
            }
            ToolChoice::Opaque(json) => match self.origin {
                Origin::Own => body.raw("tool_choice", json.bytes()),
                Origin::Foreign => self.losses.lose(Feature::ToolChoice),
            },
        }
    }

    /// Writes Anthropic's mark, which OpenAI does not know and others take in this dialect.
    pub(super) fn cache(&mut self, cache: Option<&CacheControl<'_>>, object: &mut ObjectWriter<'_>) {
        let Some(cache) = cache else { return };
        if self.origin == Origin::Foreign {
            return self.losses.lose(Feature::CacheControl);
        }
        let mut mark = object.object("cache_control");
        mark.string("type", "ephemeral");
        mark.maybe_string("ttl", cache.ttl.as_deref());
    }
}

fn write_function_name(name: &str, choice: &mut ObjectWriter<'_>) {
    choice.string("type", "function");
    choice.object("function").string("name", name);
}

/// Writes the members of one call; `signature` is the call's own, or what stood before it.
pub(in super::super) fn write_call(
    call: &ToolCall<'_>,
    signature: Option<&Signature<'_>>,
    object: &mut ObjectWriter<'_>,
) {
    object.string("id", &call.id);
    object.string("type", "function");
    let mut function = object.object("function");
    function.string("name", &call.name);
    function.string("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
    drop(function);
    if let Some(signature) = call.signature.as_ref().or(signature) {
        write_signature(signature, object);
    }
}

/// Writes a signature where Gemini's endpoint for this dialect puts it.
pub(in super::super) fn write_signature(signature: &Signature<'_>, object: &mut ObjectWriter<'_>) {
    let mut content = object.object("extra_content");
    content.object("google").string("thought_signature", &signature.written(Dialect::OpenAiChat));
}
