//! Tools, and the choice among them.

use super::Writer;
use crate::dialect::{Origin, strict_schema};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Callable, Feature, FunctionTool, Request, Tool, ToolBody, ToolChoice};

impl Writer<'_> {
    /// `tools` and what is said about all of them.
    pub(super) fn tools(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        let callable = request.callable();
        let told = |tool: &&Tool<'_>| self.is_told(tool, request.tool_choice.as_ref(), &callable);
        let told: Vec<&Tool<'_>> = request.tools.iter().filter(told).collect();
        if told.is_empty() {
            return;
        }
        let mut tools = body.array("tools");
        told.iter().for_each(|tool| self.tool(tool, &mut tools));
        drop(tools);
        let strict = told.iter().filter_map(|tool| match &tool.body {
            ToolBody::Function(function) => function.strict,
            ToolBody::Opaque(_) => None,
        });
        if let Some(strict) = strict.max() {
            body.boolean("strict_tools", strict);
        }
        if let Some(choice) = &request.tool_choice {
            self.choice(choice, body);
        }
    }

    /// Where only some tools may be called, the others are not told of: Cohere has no other word for it.
    fn is_told(&mut self, tool: &Tool<'_>, choice: Option<&ToolChoice<'_>>, callable: &Callable<'_>) -> bool {
        match (&tool.body, choice) {
            (ToolBody::Function(function), Some(ToolChoice::Function(name))) => function.name == *name,
            (ToolBody::Function(_), _) => callable.holds(tool),
            (ToolBody::Opaque(_), _) if self.origin == Origin::Own => true,
            (ToolBody::Opaque(_), _) => {
                self.losses.lose(Feature::ServerTools);
                false
            }
        }
    }

    fn tool(&mut self, tool: &Tool<'_>, tools: &mut ArrayWriter<'_>) {
        match &tool.body {
            ToolBody::Opaque(json) => tools.raw(json.bytes()),
            ToolBody::Function(function) => {
                let mut object = tools.object();
                write_function(function, &mut object);
                self.losses.lose_some(Feature::CacheControl, tool.cache.as_ref());
                self.extras(&tool.extras, &mut object);
            }
        }
    }

    fn choice(&mut self, choice: &ToolChoice<'_>, body: &mut ObjectWriter<'_>) {
        match choice {
            ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => {}
            ToolChoice::None => body.string("tool_choice", "NONE"),
            ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Allowed { required: true, .. } => {
                body.string("tool_choice", "REQUIRED");
            }
            ToolChoice::Opaque(json) => match self.origin {
                Origin::Own => body.raw("tool_choice", json.bytes()),
                Origin::Foreign => self.losses.lose(Feature::ToolChoice),
            },
        }
    }
}

fn write_function(function: &FunctionTool<'_>, object: &mut ObjectWriter<'_>) {
    object.string("type", "function");
    let mut told = object.object("function");
    told.string("name", &function.name);
    told.maybe_string("description", function.description.as_deref());
    match &function.parameters {
        Some(schema) => told.raw("parameters", &strict_schema::object_schema(schema)),
        None => told.raw("parameters", br#"{"type":"object"}"#),
    }
}
