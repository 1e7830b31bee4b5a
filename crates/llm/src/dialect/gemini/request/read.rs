//! A request, read.

use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, Raw};
use crate::model::{Extras, Json, Part, Request, ResponseFormat, Role, Text, Turn};

use super::{keep_in, pieces, thinking, tools};
use crate::dialect::gemini::{part, schema};

pub(in crate::dialect::gemini) fn read(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    if !body.is_object() {
        return Err(ReadError::new("the request must be a JSON object"));
    }
    let mut request = Request::new(Dialect::Gemini);
    let mut system = None;
    let mut tool_config = None;
    let mut has_contents = false;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"contents" => {
                has_contents = true;
                request.turns = pieces::join(part::elements(value).map(read_turn));
            }
            b"systemInstruction" | b"system_instruction" => system = Some(read_system(value)),
            b"tools" => request.tools = part::elements(value).flat_map(tools::read).collect(),
            b"toolConfig" | b"tool_config" => tool_config = Some(value),
            b"generationConfig" | b"generation_config" => read_generation(value, &mut request),
            b"labels" => request.metadata = Some(value.into()),
            b"serviceTier" | b"service_tier" => request.service_tier = value.text(),
            b"model" => request.model = value.text().map(without_collection),
            _ => request.extras.keep(key, value),
        }
    }
    if !has_contents {
        return Err(ReadError::new("contents is required"));
    }
    if let Some(config) = tool_config {
        tools::read_config(config, &mut request);
    }
    request.turns.splice(0..0, system);
    Ok(request)
}

/// `models/gemini-2.5-pro` is `gemini-2.5-pro`.
fn without_collection(model: Text<'_>) -> Text<'_> {
    match model.strip_prefix("models/").map(str::to_owned) {
        Some(name) => name.into(),
        None => model,
    }
}

/// Reads instructions, which may be plain text, a part, or a turn.
fn read_system(value: Raw<'_>) -> Turn<'_> {
    let is_turn = value.members().any(|(key, _)| matches!(key, b"parts" | b"role"));
    if !is_turn {
        return Turn::new(Role::System, part::elements(value).map(part::read).collect());
    }
    Turn { role: Role::System, ..read_turn(value) }
}

fn read_turn(value: Raw<'_>) -> Turn<'_> {
    if let Some(text) = value.text() {
        return Turn::new(Role::User, vec![Part::text(text)]);
    }
    let mut turn = Turn::new(Role::User, Vec::new());
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        match key {
            // Everything else is the user's side; older clients call tool results `function`.
            b"role" if value.quoted() == Some(b"model") => turn.role = Role::Assistant,
            b"role" => {}
            b"parts" => turn.parts = part::elements(value).map(part::read).collect(),
            _ => turn.extras.keep(key, value),
        }
    }
    turn
}

/// `value` is of a kind that the member `key` of `generationConfig` can have. Any other can be asked of nobody else.
fn fits(key: &[u8], value: Raw<'_>) -> bool {
    match key {
        b"maxOutputTokens" | b"max_output_tokens" | b"candidateCount" | b"candidate_count" | b"logprobs" => {
            value.count().is_some()
        }
        b"stopSequences" | b"stop_sequences" => part::elements(value).all(|text| text.kind == Kind::String),
        b"responseLogprobs" | b"response_logprobs" => value.kind == Kind::Bool,
        b"thinkingConfig" | b"thinking_config" => value.is_object(),
        _ => true,
    }
}

fn read_generation<'a>(config: Raw<'a>, request: &mut Request<'a>) {
    let mut format = Format::default();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match key {
            _ if !fits(key, value) => keep_in(&mut request.extras, "generationConfig", key, value),
            b"temperature" => request.temperature = Some(value.into()),
            b"topP" | b"top_p" => request.top_p = Some(value.into()),
            b"topK" | b"top_k" => request.top_k = Some(value.into()),
            b"maxOutputTokens" | b"max_output_tokens" => request.max_tokens = value.count(),
            b"stopSequences" | b"stop_sequences" => {
                request.stop_sequences = part::elements(value).filter_map(Raw::text).collect();
            }
            b"candidateCount" | b"candidate_count" => request.choices = value.count(),
            b"seed" => request.seed = Some(value.into()),
            b"presencePenalty" | b"presence_penalty" => request.presence_penalty = Some(value.into()),
            b"frequencyPenalty" | b"frequency_penalty" => request.frequency_penalty = Some(value.into()),
            b"responseLogprobs" | b"response_logprobs" => request.logprobs = value.boolean(),
            b"logprobs" => request.top_logprobs = value.count(),
            b"responseMimeType" | b"response_mime_type" => format.media_type = Some(value),
            b"responseSchema" | b"response_schema" => {
                format.schema = Some((schema::from_openapi(value), key, value));
            }
            b"responseJsonSchema" | b"response_json_schema" => {
                format.schema = Some((schema::from_json_schema(value), key, value));
            }
            b"thinkingConfig" | b"thinking_config" => {
                request.reasoning = Some(thinking::read(value, &mut request.extras))
            }
            _ => keep_in(&mut request.extras, "generationConfig", key, value),
        }
    }
    request.response_format = format.read(&mut request.extras);
}

/// The form of the answer is told by two members.
#[derive(Default)]
struct Format<'a> {
    media_type: Option<Raw<'a>>,
    /// As JSON Schema, and the member that told it.
    schema: Option<(Json<'a>, &'a [u8], Raw<'a>)>,
}

impl<'a> Format<'a> {
    fn read(self, extras: &mut Extras<'a>) -> Option<ResponseFormat<'a>> {
        let media_type = self.media_type.and_then(Raw::quoted);
        match (media_type, self.schema) {
            (None | Some(b"application/json"), Some((schema, ..))) => {
                Some(ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None })
            }
            (Some(b"application/json"), None) => Some(ResponseFormat::JsonObject),
            (Some(b"text/plain"), None) => Some(ResponseFormat::Text),
            (media_type, schema) => {
                // Such as `text/x.enum`, which is no JSON.
                if let (Some(_), Some(value)) = (media_type, self.media_type) {
                    keep_in(extras, "generationConfig", b"responseMimeType", value);
                }
                if let Some((_, key, value)) = schema {
                    keep_in(extras, "generationConfig", key, value);
                }
                None
            }
        }
    }
}
