//! Tools, and which of them the model may call.
//!
//! In the mode `VALIDATED` arguments follow their schemas exactly, for all functions alike. Invariant: that mode and
//! strict functions stand for each other in both directions.

use crate::dialect::Dialect;
use crate::dialect::gemini::{part, schema};
use crate::json::{ObjectWriter, Raw};
use crate::model::{Feature, FunctionTool, Json, Losses, Request, Text, Tool, ToolBody, ToolChoice};

use super::keep_in;

/// Reads one element of `tools`: several functions, and tools of the provider.
pub(super) fn read(tool: Raw<'_>) -> Vec<Tool<'_>> {
    let members = || tool.members().filter(|(_, value)| !value.is_null());
    let is_functions = |key: &[u8]| matches!(key, b"functionDeclarations" | b"function_declarations");
    if !members().any(|(key, _)| is_functions(key)) {
        return vec![provider_tool(tool.into())];
    }
    let mut tools = Vec::new();
    for (key, value) in members() {
        if is_functions(key) {
            tools.extend(part::elements(value).map(read_function));
            continue;
        }
        let mut json = Vec::with_capacity(key.len() + value.bytes.len() + 5);
        ObjectWriter::new(&mut json).raw(&crate::json::unescape(key), value.bytes);
        tools.push(provider_tool(Json::owned(json)));
    }
    tools
}

fn provider_tool(json: Json<'_>) -> Tool<'_> {
    Tool { body: ToolBody::Opaque(json), cache: None, extras: Default::default() }
}

fn read_function(declaration: Raw<'_>) -> Tool<'_> {
    let mut function = FunctionTool { name: Text::default(), description: None, parameters: None, strict: None };
    let mut extras = crate::model::Extras::default();
    for (key, value) in declaration.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"name" => function.name = value.text().unwrap_or_default(),
            b"description" => function.description = value.text(),
            b"parameters" => function.parameters = Some(schema::from_openapi(value)),
            b"parametersJsonSchema" | b"parameters_json_schema" => {
                function.parameters = Some(schema::from_json_schema(value));
            }
            _ => extras.keep(key, value),
        }
    }
    Tool { body: ToolBody::Function(function), cache: None, extras }
}

/// Reads `toolConfig`, once the tools are known.
pub(super) fn read_config<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"functionCallingConfig" | b"function_calling_config" => read_choice(value, request),
            _ => keep_in(&mut request.extras, "toolConfig", key, value),
        }
    }
}

fn read_choice<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    let (mut mode, mut names) = (None, Vec::new());
    let mut is_known = true;
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"mode" => mode = value.quoted(),
            b"allowedFunctionNames" | b"allowed_function_names" => {
                names = part::elements(value).filter_map(Raw::text).collect();
            }
            _ => is_known = false,
        }
    }
    request.tool_choice = Some(match (mode, names.len()) {
        _ if !is_known => ToolChoice::Opaque(config.into()),
        (Some(b"AUTO"), 0) => ToolChoice::Auto,
        (Some(b"NONE"), _) => ToolChoice::None,
        (Some(b"ANY"), 0) => ToolChoice::Required,
        (Some(b"ANY"), 1) => ToolChoice::Function(names.swap_remove(0)),
        (Some(b"ANY"), _) => ToolChoice::Allowed { names, required: true },
        (Some(b"VALIDATED"), count) if make_strict(request) => match count {
            0 => ToolChoice::Auto,
            _ => ToolChoice::Allowed { names, required: false },
        },
        _ => ToolChoice::Opaque(config.into()),
    });
}

/// Marks every function as strict; `false` if there is none.
fn make_strict(request: &mut Request<'_>) -> bool {
    let mut found = false;
    for tool in &mut request.tools {
        if let ToolBody::Function(function) = &mut tool.body {
            function.strict = Some(true);
            found = true;
        }
    }
    found
}

/// Writes `tools`: the functions together, as Vertex wants them, and the provider's own tools.
pub(super) fn write(request: &Request<'_>, body: &mut ObjectWriter<'_>, losses: &mut Losses) {
    if request.tools.is_empty() {
        return;
    }
    let is_function = |tool: &&Tool<'_>| matches!(tool.body, ToolBody::Function(_));
    let mut tools = body.array("tools");
    if request.tools.iter().any(|tool| is_function(&tool)) {
        let mut object = tools.object();
        let mut functions = object.array("functionDeclarations");
        for tool in &request.tools {
            if let ToolBody::Function(function) = &tool.body {
                write_function(&mut functions.object(), function, tool, request.dialect, losses);
            }
        }
    }
    for tool in &request.tools {
        match &tool.body {
            ToolBody::Function(_) => {}
            ToolBody::Opaque(json) if request.dialect == Dialect::Gemini => tools.raw(json.bytes()),
            ToolBody::Opaque(_) => losses.lose(Feature::ServerTools),
        }
    }
}

fn write_function(
    declaration: &mut ObjectWriter<'_>,
    function: &FunctionTool<'_>,
    tool: &Tool<'_>,
    source: Dialect,
    losses: &mut Losses,
) {
    losses.lose_some(Feature::CacheControl, tool.cache.as_ref());
    declaration.string("name", &function.name);
    declaration.maybe_string("description", function.description.as_deref());
    if let Some(parameters) = &function.parameters {
        write_schema(declaration.key("parametersJsonSchema"), parameters, source, losses);
    }
    tool.extras.iter().for_each(|(key, value)| declaration.raw(key, value.bytes()));
}

/// Writes a JSON Schema, Gemini's own as it stands.
pub(super) fn write_schema(out: &mut Vec<u8>, json: &Json<'_>, source: Dialect, losses: &mut Losses) {
    match source {
        Dialect::Gemini => out.extend_from_slice(json.bytes()),
        _ => out.extend_from_slice(&schema::accepted(json, &mut |keyword| losses.lose_field(keyword))),
    }
}

/// Writes `toolConfig`, with `extras` that stood in it.
pub(super) fn write_config(request: &Request<'_>, config: &mut ObjectWriter<'_>) {
    let is_strict = request.tools.iter().any(|tool| match &tool.body {
        ToolBody::Function(function) => function.strict == Some(true),
        ToolBody::Opaque(_) => false,
    });
    let (mode, names): (_, &[Text<'_>]) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) if is_strict => ("VALIDATED", &[]),
        None => return,
        Some(ToolChoice::Opaque(json)) => return config.raw("functionCallingConfig", json.bytes()),
        Some(ToolChoice::Auto) => ("AUTO", &[]),
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Function(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, required: true }) => ("ANY", names),
        // `AUTO` takes no names.
        Some(ToolChoice::Allowed { names, required: false }) => ("VALIDATED", names),
    };
    let mut choice = config.object("functionCallingConfig");
    choice.string("mode", mode);
    if !names.is_empty() {
        let mut allowed = choice.array("allowedFunctionNames");
        names.iter().for_each(|name| allowed.string(name));
    }
}
