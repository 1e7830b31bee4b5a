//! Reads a request's body.

use crate::dialect::bedrock::{block, family};
use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, ObjectWriter, Raw, unescape};
use crate::model::{Extras, FunctionTool, Json, Request, ResponseFormat, Role, Tool, ToolBody, ToolChoice, Turn};

/// Reads a body.
///
/// # Errors
/// If it is no object or a message is none.
pub(in super::super) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    if !body.is_object() {
        return Err(ReadError::new("the body must be a JSON object"));
    }
    let mut request = Request::new(Dialect::BedrockConverse);
    let (mut system, mut messages) = (None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"system" => system = Some(value),
            b"messages" => messages = Some(value),
            b"toolConfig" => read_tools(value, &mut request),
            b"inferenceConfig" => read_inference(value, &mut request),
            b"additionalModelRequestFields" => {
                if let Some(rest) = family::read(value, &mut request) {
                    request.extras.0.push((family::FIELD.into(), rest));
                }
            }
            b"outputConfig" => read_output(value, &mut request),
            b"serviceTier" => request.service_tier = value.get("type").and_then(Raw::text),
            b"requestMetadata" => request.metadata = Some(value.into()),
            _ => request.extras.keep(key, value),
        }
    }
    if let Some(system) = system {
        let parts = block::read_all(system);
        if !parts.is_empty() {
            request.turns.push(Turn::new(Role::System, parts));
        }
    }
    let messages = messages.ok_or_else(|| ReadError::new("messages is required"))?;
    if messages.kind != Kind::Array {
        return Err(ReadError::new("messages must be an array"));
    }
    for (at, message) in messages.elements().enumerate() {
        request.turns.push(read_message(at, message)?);
    }
    Ok(request)
}

fn read_message(at: usize, message: Raw<'_>) -> Result<Turn<'_>, ReadError> {
    let (mut role, mut parts, mut extras) = (None, Vec::new(), Extras::default());
    for (key, value) in message.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"role" => role = value.text(),
            b"content" if value.kind == Kind::Array => parts = block::read_all(value),
            b"content" => return Err(ReadError::new(format!("messages[{at}].content must be an array"))),
            _ => extras.keep(key, value),
        }
    }
    let role = match role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) | None => return Err(ReadError::new(format!("messages[{at}].role must be user or assistant"))),
    };
    Ok(Turn { extras, ..Turn::new(role, parts) })
}

/// Members of an object that only this dialect knows, to be put into an object of the same name again.
struct Rest(Vec<u8>);

impl Rest {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn keep(&mut self, key: &[u8], value: Raw<'_>) {
        let mut object = Vec::new();
        ObjectWriter::new(&mut object).raw(&unescape(key), value.bytes);
        match self.0.pop() {
            None => self.0 = object,
            Some(_) => {
                self.0.push(b',');
                self.0.extend_from_slice(&object[1..]);
            }
        }
    }

    fn keep_as(self, name: &'static str, extras: &mut Extras<'_>) {
        if !self.0.is_empty() {
            extras.0.push((name.into(), Json::owned(self.0)));
        }
    }
}

fn read_inference<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    let mut rest = Rest::new();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"maxTokens" => request.max_tokens = value.count(),
            b"temperature" => request.temperature = Some(value.into()),
            b"topP" => request.top_p = Some(value.into()),
            b"stopSequences" => request.stop_sequences = value.elements().filter_map(Raw::text).collect(),
            _ => rest.keep(key, value),
        }
    }
    rest.keep_as("inferenceConfig", &mut request.extras);
}

fn read_output<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    let mut rest = Rest::new();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"textFormat" => {
                let format = json_schema(value).unwrap_or_else(|| ResponseFormat::Opaque(value.into()));
                request.response_format = Some(format);
            }
            _ => rest.keep(key, value),
        }
    }
    rest.keep_as("outputConfig", &mut request.extras);
}

/// The schema is JSON within a string.
fn json_schema<'a>(format: Raw<'a>) -> Option<ResponseFormat<'a>> {
    let (mut name, mut description, mut schema) = (None, None, None);
    for (key, value) in format.at(&["structure", "jsonSchema"])?.members() {
        match key {
            b"name" => name = value.text(),
            b"description" => description = value.text(),
            b"schema" => schema = value.text(),
            _ => {}
        }
    }
    let schema = schema?;
    Raw::checked(schema.as_bytes())?;
    Some(ResponseFormat::JsonSchema {
        name,
        description,
        schema: Json::owned(schema.into_owned().into_bytes()),
        strict: Some(true),
    })
}

fn read_tools<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    let mut rest = Rest::new();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"tools" => value.elements().for_each(|tool| read_tool(tool, &mut request.tools)),
            b"toolChoice" => request.tool_choice = Some(tool_choice(value)),
            _ => rest.keep(key, value),
        }
    }
    rest.keep_as("toolConfig", &mut request.extras);
}

fn read_tool<'a>(tool: Raw<'a>, tools: &mut Vec<Tool<'a>>) {
    let Some((kind, value)) = tool.members().find(|(_, value)| !value.is_null()) else { return };
    match (kind, tools.last_mut()) {
        (b"toolSpec", _) => tools.push(function(value)),
        (b"cachePoint", Some(last)) => last.cache = Some(block::cache_point(value)),
        (_, _) => tools.push(Tool { body: ToolBody::Opaque(tool.into()), cache: None, extras: Extras::default() }),
    }
}

fn function(spec: Raw<'_>) -> Tool<'_> {
    let mut function = FunctionTool { name: Default::default(), description: None, parameters: None, strict: None };
    let mut extras = Extras::default();
    for (key, value) in spec.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"name" => function.name = value.text().unwrap_or_default(),
            b"description" => function.description = value.text(),
            b"inputSchema" => function.parameters = value.get("json").map(Json::from),
            b"strict" => function.strict = value.boolean(),
            _ => extras.keep(key, value),
        }
    }
    Tool { body: ToolBody::Function(function), cache: None, extras }
}

fn tool_choice(choice: Raw<'_>) -> ToolChoice<'_> {
    match choice.members().find(|(_, value)| !value.is_null()) {
        Some((b"auto", _)) => ToolChoice::Auto,
        Some((b"any", _)) => ToolChoice::Required,
        Some((b"tool", tool)) => match tool.get("name").and_then(Raw::text) {
            Some(name) => ToolChoice::Function(name),
            None => ToolChoice::Opaque(choice.into()),
        },
        Some(_) | None => ToolChoice::Opaque(choice.into()),
    }
}
