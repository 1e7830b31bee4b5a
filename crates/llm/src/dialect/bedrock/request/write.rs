//! Writes a request's body.

use super::{tools, turns};
use crate::dialect::anthropic::Generation;
use crate::dialect::bedrock::family::{self, Wishes};
use crate::dialect::{Dialect, Origin, Quirks, strict_schema};
use crate::json::{ObjectWriter, unescape, write_string};
use crate::model::{Feature, Json, Losses, Request, ResponseFormat};

/// Members that are objects of this dialect's own and of the model's members; their writers write both.
const SHARED: [&str; 4] = ["inferenceConfig", "outputConfig", "toolConfig", family::FIELD];

pub(in super::super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let origin = Origin::of(request.dialect, Dialect::BedrockConverse);
    let wishes = Wishes::of(request, losses);
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    turns::write(request, losses, &mut body);
    tools::write(request, losses, &mut body);
    write_inference(request, &wishes, &mut body);
    wishes.write(request, losses, &mut body);
    write_format(request, losses, &mut body);
    write_tier(request, losses, &mut body);
    if let Some(metadata) = &request.metadata {
        body.raw("requestMetadata", metadata.bytes());
    }
    if origin == Origin::Own {
        let alone = request.extras.iter().filter(|(name, _)| !SHARED.contains(name));
        alone.for_each(|(name, value)| body.raw(name, value.bytes()));
    }
    lose_unknown(request, losses);
    drop(body);
    out
}

/// The members of `name` that only this dialect knows.
fn write_others(request: &Request<'_>, name: &str, object: &mut ObjectWriter<'_>) {
    let others =
        request.extras.get(name).filter(|_| Origin::of(request.dialect, Dialect::BedrockConverse) == Origin::Own);
    if let Some(others) = others {
        others.raw().members().for_each(|(key, value)| object.raw(&unescape(key), value.bytes));
    }
}

fn write_inference(request: &Request<'_>, wishes: &Wishes<'_>, body: &mut ObjectWriter<'_>) {
    let mut out = Vec::new();
    let mut config = ObjectWriter::new(&mut out);
    if let Some(most) = wishes.max_tokens {
        config.number("maxTokens", most);
    }
    for (name, value) in [("temperature", wishes.temperature), ("topP", wishes.top_p)] {
        config.maybe_raw(name, value);
    }
    config.maybe_strings("stopSequences", &request.stop_sequences);
    write_others(request, "inferenceConfig", &mut config);
    drop(config);
    if out != b"{}" {
        body.raw("inferenceConfig", &out);
    }
}

/// The model takes a schema that its answer follows; a client of this dialect knows itself.
fn follows_schemas(request: &Request<'_>) -> bool {
    match Origin::of(request.dialect, Dialect::BedrockConverse) {
        Origin::Own => true,
        Origin::Foreign => Generation::of(request.model.as_deref().unwrap_or_default()).follows_schemas(),
    }
}

fn write_format(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let origin = Origin::of(request.dialect, Dialect::BedrockConverse);
    let mut out = Vec::new();
    let mut config = ObjectWriter::new(&mut out);
    match &request.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => losses.lose(Feature::JsonObject),
        Some(ResponseFormat::Opaque(json)) if origin == Origin::Own => config.raw("textFormat", json.bytes()),
        Some(ResponseFormat::Opaque(_)) => losses.lose_field("response_format"),
        Some(ResponseFormat::JsonSchema { .. }) if !follows_schemas(request) => losses.lose(Feature::JsonSchema),
        Some(ResponseFormat::JsonSchema { name, description, schema, .. }) => {
            let fitted: Json<'_> = match origin {
                Origin::Own => schema.clone(),
                Origin::Foreign => strict_schema::closed(schema, &mut |keyword| losses.lose_field(keyword)),
            };
            let mut format = config.object("textFormat");
            format.string("type", "json_schema");
            let mut structure = format.object("structure");
            let mut json = structure.object("jsonSchema");
            match (name, origin) {
                (Some(name), _) => json.string("name", name),
                (None, Origin::Foreign) => json.string("name", "answer"),
                (None, Origin::Own) => {}
            }
            json.maybe_string("description", description.as_deref().filter(|text| !text.is_empty()));
            write_string(json.key("schema"), &String::from_utf8_lossy(fitted.bytes()));
        }
    }
    write_others(request, "outputConfig", &mut config);
    drop(config);
    if out != b"{}" {
        body.raw("outputConfig", &out);
    }
}

fn write_tier(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let tier = match (request.service_tier.as_deref(), Origin::of(request.dialect, Dialect::BedrockConverse)) {
        // Without the field, the provider decides.
        (None, _) | (Some("auto"), Origin::Foreign) => return,
        (Some(tier), Origin::Own) => tier,
        (Some("default" | "standard" | "standard_only"), Origin::Foreign) => "default",
        (Some(tier @ ("flex" | "priority" | "reserved")), Origin::Foreign) => tier,
        (Some(_), Origin::Foreign) => return losses.lose(Feature::ServiceTier),
    };
    body.object("serviceTier").string("type", tier);
}

/// Tells of what the dialect has no words for. What asks for nothing is no loss.
fn lose_unknown(request: &Request<'_>, losses: &mut Losses) {
    let weighs = |value: &&Json<'_>| value.number() != Some(0.0);
    losses.lose_some(Feature::Seed, request.seed.as_ref());
    losses.lose_some(Feature::FrequencyPenalty, request.frequency_penalty.as_ref().filter(weighs));
    losses.lose_some(Feature::PresencePenalty, request.presence_penalty.as_ref().filter(weighs));
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::Logprobs, request.logprobs.filter(|wanted| *wanted).as_ref());
    losses.lose_some(Feature::Choices, request.choices.filter(|wanted| *wanted > 1).as_ref());
    losses.lose_some(Feature::EndUser, request.end_user.as_ref());
    losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
    losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
}
