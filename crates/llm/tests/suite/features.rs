//! Requests of another dialect, each with one feature: what a writer does with it shows whether its dialect carries it.

use serde_json::{Value, json};
use tidegate_llm::Dialect;
use tidegate_llm::model::{
    CacheControl, Effort, Extras, Feature, FunctionTool, Json, Media, MediaKind, MediaSource, Part, PartBody,
    Reasoning, ReasoningRequest, Request, ResponseFormat, Role, Signature, Tool, ToolBody, ToolCall, ToolChoice,
    ToolResult, Turn,
};

pub fn json(value: Value) -> Json<'static> {
    Json::owned(value.to_string().into_bytes())
}

pub fn tool(name: &'static str) -> Tool<'static> {
    let function = FunctionTool { name: name.into(), description: None, parameters: None, strict: None };
    Tool { body: ToolBody::Function(function), cache: None, extras: Extras::default() }
}

pub fn call(id: &'static str) -> Part<'static> {
    PartBody::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into(), signature: None }).into()
}

pub fn result(id: &'static str, text: &'static str) -> Part<'static> {
    let content = vec![Part::text(text)];
    PartBody::ToolResult(ToolResult { call_id: id.into(), name: None, content, json: None, is_error: false }).into()
}

pub fn media(kind: MediaKind, source: MediaSource<'static>) -> Part<'static> {
    let media = Media { kind, source, media_type: None, name: None, context: None, detail: None, citations: None };
    PartBody::Media(Box::new(media)).into()
}

pub fn thinks(effort: &'static str) -> Option<ReasoningRequest<'static>> {
    Some(ReasoningRequest { effort: Some(Effort(effort.into())), ..ReasoningRequest::default() })
}

/// `request` with `feature` and nothing else of note, on its way to `target`; `None` for features of answers.
pub fn having(mut request: Request<'static>, feature: Feature, target: Dialect) -> Option<Request<'static>> {
    let some = || Some(json(json!(0.5)));
    match feature {
        Feature::SystemPosition => request.turns.push(Turn::new(Role::System, vec![Part::text("x")])),
        Feature::TurnName => request.turns[0].name = Some("ann".into()),
        Feature::Image => request.turns[0].parts.push(media(MediaKind::Image, MediaSource::Base64("AA==".into()))),
        Feature::MediaUrl => request.turns[0].parts.push(media(MediaKind::Image, MediaSource::Url("https://x".into()))),
        Feature::MediaFile => request.turns[0].parts.push(media(MediaKind::Image, MediaSource::File("file-1".into()))),
        Feature::ImageDetail => {
            let mut image = media(MediaKind::Image, MediaSource::Url("https://x".into()));
            let PartBody::Media(inner) = &mut image.body else { return None };
            inner.detail = Some("low".into());
            request.turns[0].parts.push(image);
        }
        Feature::Document => {
            request.turns[0].parts.push(media(MediaKind::Document, MediaSource::Base64("AA==".into())));
        }
        Feature::Audio => request.turns[0].parts.push(media(MediaKind::Audio, MediaSource::Base64("AA==".into()))),
        Feature::Video => request.turns[0].parts.push(media(MediaKind::Video, MediaSource::Base64("AA==".into()))),
        Feature::ToolResultMedia | Feature::ToolResultError => {
            let mut answer = result("a", "x");
            let PartBody::ToolResult(inner) = &mut answer.body else { return None };
            inner.is_error = feature == Feature::ToolResultError;
            inner.content.push(media(MediaKind::Image, MediaSource::Url("https://x".into())));
            request.turns.push(Turn::new(Role::Assistant, vec![call("a")]));
            request.turns.push(Turn::new(Role::Tool, vec![answer]));
        }
        Feature::ServerTools => request.turns[0].parts.push(PartBody::Opaque(json(json!({"type": "x"}))).into()),
        Feature::StrictTools => {
            let mut strict = tool("f");
            let ToolBody::Function(function) = &mut strict.body else { return None };
            function.strict = Some(true);
            request.tools.push(strict);
        }
        Feature::ToolChoice => {
            request.tools.push(tool("f"));
            request.tool_choice = Some(ToolChoice::Required);
        }
        Feature::ToolChoiceFunction => {
            request.tools.push(tool("f"));
            request.tool_choice = Some(ToolChoice::Function("f".into()));
        }
        Feature::AllowedTools => {
            request.tools.push(tool("f"));
            request.tool_choice = Some(ToolChoice::Allowed { names: vec!["f".into()], required: false });
        }
        Feature::ParallelToolCalls => {
            request.tools.push(tool("f"));
            request.parallel_tool_calls = Some(false);
        }
        Feature::JsonObject => request.response_format = Some(ResponseFormat::JsonObject),
        Feature::JsonSchema => {
            let schema = json(json!({"type": "object", "properties": {}}));
            let strict = Some(true);
            request.response_format =
                Some(ResponseFormat::JsonSchema { name: Some("x".into()), description: None, schema, strict });
        }
        Feature::MaxTokens => request.max_tokens = Some(9),
        Feature::StopSequences => request.stop_sequences = vec!["END".into()],
        Feature::HighTemperature => request.temperature = Some(json(json!(1.5))),
        Feature::TopP => request.top_p = some(),
        Feature::TopK => request.top_k = some(),
        Feature::Seed => request.seed = some(),
        Feature::FrequencyPenalty => request.frequency_penalty = some(),
        Feature::PresencePenalty => request.presence_penalty = some(),
        Feature::LogitBias => request.logit_bias = some(),
        Feature::Logprobs => request.logprobs = Some(true),
        Feature::Choices => request.choices = Some(2),
        Feature::ReasoningEffort => request.reasoning = thinks("low"),
        Feature::Reasoning | Feature::ReasoningSignature => {
            let signature = Some(Signature { origin: target, value: "sig".into() });
            let thought = Reasoning { text: "hm".into(), signature, ..Reasoning::default() };
            request.turns.push(Turn::new(Role::Assistant, vec![PartBody::Reasoning(thought).into()]));
        }
        Feature::EndUser => request.end_user = Some("u".into()),
        Feature::Metadata => request.metadata = Some(json(json!({"a": "b"}))),
        Feature::ServiceTier => request.service_tier = Some("priority".into()),
        Feature::CacheControl => request.turns[0].parts[0].cache = Some(CacheControl { ttl: Some("1h".into()) }),
        Feature::PromptCacheKey => request.prompt_cache_key = Some("k".into()),
        Feature::Verbosity => request.verbosity = Some("low".into()),
        Feature::Refusal => {
            request.turns.push(Turn::new(Role::Assistant, vec![PartBody::Refusal("no".into()).into()]));
        }
        Feature::Citations | Feature::MediaOutput => return None,
    }
    Some(request)
}
