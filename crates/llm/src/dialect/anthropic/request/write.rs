//! Writes a request's body.

use super::thinking::Plan;
use super::{tools, turns};
use crate::dialect::anthropic::generation::Generation;
use crate::dialect::{Dialect, Origin, Quirks, strict_schema};
use crate::json::{ObjectWriter, unescape};
use crate::model::{Feature, Json, Losses, Request, ResponseFormat};

pub(in super::super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let origin = Origin::of(request.dialect, Dialect::Anthropic);
    let plan = Plan::of(request, losses);
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    body.number("max_tokens", plan.max_tokens);
    turns::write(request, losses, &mut body);
    tools::write(request, losses, &mut body);
    plan.write_thinking(&mut body);
    write_output_config(request, plan.effort, losses, &mut body);
    for (name, value) in [("temperature", plan.temperature), ("top_p", plan.top_p), ("top_k", plan.top_k)] {
        if let Some(value) = value {
            body.raw(name, value);
        }
    }
    write_stop_sequences(request, origin, losses, &mut body);
    write_identity(request, origin, losses, &mut body);
    if request.stream {
        body.boolean("stream", true);
    }
    if origin == Origin::Own {
        let others = request.extras.iter().filter(|(name, _)| *name != "output_config");
        others.for_each(|(name, value)| body.raw(name, value.bytes()));
    }
    lose_unknown(request, losses);
    drop(body);
    out
}

/// Effort, the form of the answer, and what else the field holds.
fn write_output_config(request: &Request<'_>, effort: Option<&str>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let origin = Origin::of(request.dialect, Dialect::Anthropic);
    let follows_schemas = Generation::of(request.model.as_deref().unwrap_or_default()).follows_schemas();
    let format = match &request.response_format {
        Some(ResponseFormat::JsonSchema { .. }) if origin == Origin::Foreign && !follows_schemas => {
            losses.lose(Feature::JsonSchema);
            None
        }
        format => format.as_ref().and_then(|format| write_format(format, origin, losses)),
    };
    let others = request.extras.get("output_config").filter(|_| origin == Origin::Own);
    if effort.is_none() && format.is_none() && others.is_none() {
        return;
    }
    let mut config = body.object("output_config");
    config.maybe_string("effort", effort);
    if let Some(format) = format {
        config.raw("format", &format);
    }
    if let Some(others) = others {
        others.raw().members().for_each(|(key, value)| config.raw(&unescape(key), value.bytes));
    }
}

/// `None` if there is nothing to demand.
fn write_format(format: &ResponseFormat<'_>, origin: Origin, losses: &mut Losses) -> Option<Vec<u8>> {
    let schema = match format {
        ResponseFormat::Text => return None,
        ResponseFormat::JsonObject => {
            losses.lose(Feature::JsonObject);
            return None;
        }
        ResponseFormat::Opaque(json) => return (origin == Origin::Own).then(|| json.bytes().to_vec()),
        ResponseFormat::JsonSchema { schema, description, .. } => {
            if description.is_some() {
                losses.lose_field("response_format.description");
            }
            schema
        }
    };
    let fitted: Json<'_> = match origin {
        Origin::Own => schema.clone(),
        Origin::Foreign => strict_schema::closed(schema, &mut |keyword| losses.lose_field(keyword)),
    };
    let mut out = Vec::with_capacity(fitted.bytes().len() + 40);
    let mut object = ObjectWriter::new(&mut out);
    object.string("type", "json_schema");
    object.raw("schema", fitted.bytes());
    drop(object);
    Some(out)
}

/// Anthropic refuses sequences of nothing but blanks.
fn write_stop_sequences(request: &Request<'_>, origin: Origin, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let accepted = |text: &str| origin == Origin::Own || !text.trim().is_empty();
    if !request.stop_sequences.iter().all(|text| accepted(text)) {
        losses.lose(Feature::StopSequences);
    }
    if request.stop_sequences.iter().any(|text| accepted(text)) {
        let mut sequences = body.array("stop_sequences");
        request.stop_sequences.iter().filter(|text| accepted(text)).for_each(|text| sequences.string(text));
    }
}

/// Who asks, and which tier serves it.
fn write_identity(request: &Request<'_>, origin: Origin, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    match (&request.metadata, &request.end_user) {
        (Some(metadata), _) if origin == Origin::Own => body.raw("metadata", metadata.bytes()),
        (metadata, user) => {
            losses.lose_some(Feature::Metadata, metadata.as_ref());
            if let Some(user) = user {
                body.object("metadata").string("user_id", user);
            }
        }
    }
    let tier = match (request.service_tier.as_deref(), origin) {
        (None, _) => return,
        (Some(tier), Origin::Own) => tier,
        // What is bought beforehand serves first, and the standard tier after it.
        (Some("auto" | "priority" | "reserved"), Origin::Foreign) => "auto",
        (Some("default" | "standard" | "standard_only"), Origin::Foreign) => "standard_only",
        (Some(_), Origin::Foreign) => return losses.lose(Feature::ServiceTier),
    };
    body.string("service_tier", tier);
}

/// Tells of what the dialect has no words for. What asks for nothing is no loss.
fn lose_unknown(request: &Request<'_>, losses: &mut Losses) {
    let weighs = |value: &&Json<'_>| value.number() != Some(0.0);
    losses.lose_some(Feature::Seed, request.seed.as_ref());
    losses.lose_some(Feature::FrequencyPenalty, request.frequency_penalty.as_ref().filter(weighs).as_ref());
    losses.lose_some(Feature::PresencePenalty, request.presence_penalty.as_ref().filter(weighs).as_ref());
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::Logprobs, request.logprobs.filter(|wanted| *wanted).as_ref());
    losses.lose_some(Feature::Choices, request.choices.filter(|wanted| *wanted > 1).as_ref());
    losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
    losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
}
