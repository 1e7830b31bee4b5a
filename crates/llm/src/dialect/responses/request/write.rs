//! Writing requests.

use super::read::LOGPROBS;
use super::turns::ItemWriter;
use crate::dialect::responses::content::write_extras;
use crate::dialect::responses::{has_nested, nested_name, service_tier, write_nested};
use crate::dialect::strict_schema::{self, OpenAiFunction};
use crate::dialect::{Dialect, Quirks};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{
    Effort, Feature, FunctionTool, Json, Losses, PartBody, ReasoningRequest, Request, ResponseFormat, Role, Tool,
    ToolBody, ToolChoice, Turn,
};

/// What `include` says where the client wants to send reasoning back.
const ENCRYPTED_REASONING: &str = "reasoning.encrypted_content";

/// OpenAI refuses a lower limit, so one is raised to this; the field is then told as lost.
const LEAST_MAX_TOKENS: u64 = 16;

pub(in crate::dialect::responses) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let own = request.dialect == Dialect::OpenAiResponses;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let turns = match leading_instructions(request) {
        Some(text) => {
            body.string("instructions", text);
            &request.turns[1..]
        }
        None => &request.turns,
    };
    write_input(&mut body, turns, request.dialect, losses);
    if request.stream {
        body.boolean("stream", true);
    }
    write_tools(&mut body, request, losses);
    write_text(&mut body, request);
    write_reasoning(&mut body, request, losses);
    write_include(&mut body, request);
    write_sampling(&mut body, request, losses);
    write_labels(&mut body, request, losses);
    if own {
        let is_nested = |name: &str| nested_name(name, "text").or(nested_name(name, "reasoning")).is_some();
        for (name, value) in request.extras.iter().filter(|(name, _)| *name != "include" && !is_nested(name)) {
            body.raw(name, value.bytes());
        }
    } else {
        // The client's dialect keeps no answers, and nothing will ask for this one.
        body.boolean("store", false);
    }
    drop(body);
    out
}

/// A system turn of one text at the front. It stays an item if nothing follows it, for `input` must not be empty, and
/// where any JSON is wanted: OpenAI looks for the word `JSON` in `input` alone.
fn leading_instructions<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let (first, rest) = request.turns.split_first()?;
    if rest.is_empty() || matches!(request.response_format, Some(ResponseFormat::JsonObject)) {
        return None;
    }
    let Turn { role: Role::System, parts, name: None, extras, .. } = first else { return None };
    let [part] = parts.as_slice() else { return None };
    match &part.body {
        PartBody::Text { text, .. } if extras.is_empty() && part.extras.is_empty() && part.cache.is_none() => {
            Some(text)
        }
        _ => None,
    }
}

fn write_input(body: &mut ObjectWriter<'_>, turns: &[Turn<'_>], source: Dialect, losses: &mut Losses) {
    let mut writer = ItemWriter { items: body.array("input"), losses, source };
    turns.iter().for_each(|turn| writer.turn(turn));
}

fn write_tools(body: &mut ObjectWriter<'_>, request: &Request<'_>, losses: &mut Losses) {
    if !request.tools.is_empty() {
        let mut tools = body.array("tools");
        request.tools.iter().for_each(|tool| write_tool(&mut tools, tool, request.dialect, losses));
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => body.string("tool_choice", "auto"),
        Some(ToolChoice::None) => body.string("tool_choice", "none"),
        Some(ToolChoice::Required) => body.string("tool_choice", "required"),
        Some(ToolChoice::Function(name)) => write_function_name(&mut body.object("tool_choice"), name),
        Some(ToolChoice::Allowed { names, required }) => {
            let mut choice = body.object("tool_choice");
            choice.string("type", "allowed_tools");
            choice.string("mode", if *required { "required" } else { "auto" });
            let mut tools = choice.array("tools");
            names.iter().for_each(|name| write_function_name(&mut tools.object(), name));
        }
        Some(ToolChoice::Opaque(json)) if request.dialect == Dialect::OpenAiResponses => {
            body.raw("tool_choice", json.bytes());
        }
        Some(ToolChoice::Opaque(_)) => losses.lose(Feature::ToolChoice),
    }
    if let Some(parallel) = request.parallel_tool_calls {
        body.boolean("parallel_tool_calls", parallel);
    }
}

fn write_function_name(object: &mut ObjectWriter<'_>, name: &str) {
    object.string("type", "function");
    object.string("name", name);
}

fn write_tool(tools: &mut ArrayWriter<'_>, tool: &Tool<'_>, source: Dialect, losses: &mut Losses) {
    let own = source == Dialect::OpenAiResponses;
    if tool.cache.is_some() {
        losses.lose(Feature::CacheControl);
    }
    match &tool.body {
        ToolBody::Function(function) => {
            let mut object = tools.object();
            write_function(&mut object, function, source, losses);
            if own {
                write_extras(&mut object, &tool.extras);
            }
        }
        ToolBody::Opaque(json) if own => tools.raw(json.bytes()),
        ToolBody::Opaque(_) => losses.lose(Feature::ServerTools),
    }
}

/// Here a function without `strict` is strict; elsewhere it is not, so that is said.
fn write_function(object: &mut ObjectWriter<'_>, function: &FunctionTool<'_>, source: Dialect, losses: &mut Losses) {
    write_function_name(object, &function.name);
    object.maybe_string("description", function.description.as_deref());
    let own = source == Dialect::OpenAiResponses;
    let OpenAiFunction { strict, fitted } = OpenAiFunction::of(function, source, losses);
    match (&fitted, &function.parameters) {
        (Some(schema), _) | (None, Some(schema)) => object.raw("parameters", schema.bytes()),
        (None, None) if own => {}
        (None, None) => object.raw("parameters", b"{\"type\":\"object\",\"properties\":{}}"),
    }
    if let Some(strict) = strict.or((!own).then_some(false)) {
        object.boolean("strict", strict);
    }
}

fn write_text(body: &mut ObjectWriter<'_>, request: &Request<'_>) {
    let own = request.dialect == Dialect::OpenAiResponses;
    let has_extras = own && has_nested("text", &request.extras);
    if request.response_format.is_none() && request.verbosity.is_none() && !has_extras {
        return;
    }
    let mut text = body.object("text");
    match &request.response_format {
        None => {}
        Some(ResponseFormat::Text) => text.object("format").string("type", "text"),
        Some(ResponseFormat::JsonObject) => text.object("format").string("type", "json_object"),
        Some(ResponseFormat::JsonSchema { name, description, schema, strict }) => {
            let mut format = text.object("format");
            format.string("type", "json_schema");
            format.string("name", name.as_deref().unwrap_or("response"));
            format.maybe_string("description", description.as_deref());
            format.raw("schema", strict_schema::answer_schema(schema, *strict, request.dialect).bytes());
            if let Some(strict) = strict {
                format.boolean("strict", *strict);
            }
        }
        Some(ResponseFormat::Opaque(json)) if own => text.raw("format", json.bytes()),
        Some(ResponseFormat::Opaque(_)) => {}
    }
    text.maybe_string("verbosity", request.verbosity.as_deref());
    if own {
        write_nested(&mut text, "text", &request.extras);
    }
}

fn write_reasoning(body: &mut ObjectWriter<'_>, request: &Request<'_>, losses: &mut Losses) {
    let own = request.dialect == Dialect::OpenAiResponses;
    let mut effort = request.reasoning.as_ref().and_then(|wanted| effort(wanted, own));
    let thinks = request.reasoning.as_ref().is_some_and(|wanted| wanted.enabled == Some(true));
    if request.dialect == Dialect::Anthropic && !thinks && effort.take().is_some() {
        // There it is for all that a model writes; here models that do not reason refuse it.
        losses.lose_field("output_config.effort");
    }
    let show = request.reasoning.as_ref().and_then(|wanted| wanted.show.as_deref());
    let has_extras = own && has_nested("reasoning", &request.extras);
    if let Some(wanted) = &request.reasoning
        && (wanted.enabled == Some(false) && wanted.effort.is_none())
    {
        // Only newer models know the effort `none`; the rest refuse it.
        losses.lose(Feature::ReasoningEffort);
    }
    if effort.is_none() && show.is_none() && !has_extras {
        return;
    }
    let mut reasoning = body.object("reasoning");
    reasoning.maybe_string("effort", effort.as_ref().map(|effort| effort.0.as_ref()));
    reasoning.maybe_string("summary", show.map(|show| if own { show } else { summary(show) }));
    if own {
        write_nested(&mut reasoning, "reasoning", &request.extras);
    }
}

/// The effort that is asked for, in OpenAI's words.
fn effort<'r>(wanted: &'r ReasoningRequest<'_>, own: bool) -> Option<Effort<'r>> {
    if let Some(effort) = &wanted.effort {
        let word = if !own && effort.0 == "max" { "xhigh" } else { effort.0.as_ref() };
        return Some(Effort(word.into()));
    }
    match wanted.enabled {
        Some(false) => None,
        Some(true) | None => wanted.budget_tokens.map(Effort::from_budget),
    }
}

/// Which summary shows the thoughts that a client wants to read.
fn summary(show: &str) -> &str {
    match show {
        "auto" | "concise" | "detailed" => show,
        _ => "auto",
    }
}

/// A client of another dialect cannot ask for encrypted reasoning, yet its next turn needs it. Models that do not
/// reason refuse the question, so it is asked where reasoning is.
fn write_include(body: &mut ObjectWriter<'_>, request: &Request<'_>) {
    let own = request.dialect == Dialect::OpenAiResponses;
    let told = request.extras.get("include").filter(|_| own);
    let reasons = request.reasoning.as_ref().is_some_and(|wanted| {
        let none = wanted.effort.as_ref().is_some_and(|effort| effort.0 == "none");
        wanted.enabled != Some(false) && !none
    });
    let asks = !own && reasons;
    let logprobs = request.logprobs == Some(true);
    if told.is_none() && !asks && !logprobs {
        return;
    }
    let mut include = body.array("include");
    told.into_iter().flat_map(|told| told.raw().elements()).for_each(|wanted| include.raw(wanted.bytes));
    if asks {
        include.string(ENCRYPTED_REASONING);
    }
    if logprobs {
        include.string(LOGPROBS);
    }
}

fn write_sampling(body: &mut ObjectWriter<'_>, request: &Request<'_>, losses: &mut Losses) {
    if let Some(limit) = request.max_tokens {
        let least = if request.dialect == Dialect::OpenAiResponses { 0 } else { LEAST_MAX_TOKENS };
        if limit < least {
            losses.lose_field("max_tokens");
        }
        body.number("max_output_tokens", limit.max(least));
    }
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        body.maybe_raw(name, value.as_ref().map(Json::bytes));
    }
    if let Some(alternatives) = request.top_logprobs {
        body.number("top_logprobs", alternatives);
    }
    losses.lose_some(Feature::TopK, request.top_k.as_ref());
    losses.lose_some(Feature::Seed, request.seed.as_ref());
    losses.lose_some(Feature::FrequencyPenalty, request.frequency_penalty.as_ref());
    losses.lose_some(Feature::PresencePenalty, request.presence_penalty.as_ref());
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::StopSequences, request.stop_sequences.first());
    losses.lose_some(Feature::Choices, request.choices.filter(|count| *count > 1).as_ref());
}

fn write_labels(body: &mut ObjectWriter<'_>, request: &Request<'_>, losses: &mut Losses) {
    let own = request.dialect == Dialect::OpenAiResponses;
    body.maybe_string("safety_identifier", request.end_user.as_deref());
    if let Some(metadata) = &request.metadata {
        body.raw("metadata", metadata.bytes());
    }
    if let Some(tier) = request.service_tier.as_deref() {
        let tier = if own { Some(tier) } else { service_tier(tier) };
        body.maybe_string("service_tier", tier);
        if tier.is_none() {
            losses.lose(Feature::ServiceTier);
        }
    }
    body.maybe_string("prompt_cache_key", request.prompt_cache_key.as_deref());
}
