//! A request, written.

use crate::dialect::{Dialect, Quirks};
use crate::json::ObjectWriter;
use crate::model::{Extras, Feature, Json, Losses, Request, ResponseFormat};

use super::{contents, thinking, tools};

pub(in crate::dialect::gemini) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    contents::write(request, &mut body, losses);
    tools::write(request, &mut body, losses);
    section(&mut body, "toolConfig", |config| {
        tools::write_config(request, config);
        write_extras(&request.extras, "toolConfig.", config);
    });
    section(&mut body, "generationConfig", |config| write_generation(request, config, losses));
    if request.dialect == Dialect::Gemini {
        write_own(request, &mut body);
    }
    lose_unsayable(request, losses);
    drop(body);
    out
}

/// Writes an object if something is in it.
fn section(body: &mut ObjectWriter<'_>, key: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) {
    let mut json = Vec::new();
    write(&mut ObjectWriter::new(&mut json));
    if json != b"{}" {
        body.raw(key, &json);
    }
}

/// Writes the extras that stood in the object which `prefix` names.
fn write_extras(extras: &Extras<'_>, prefix: &str, object: &mut ObjectWriter<'_>) {
    for (name, value) in extras.iter() {
        if let Some(key) = name.strip_prefix(prefix).filter(|key| !key.contains('.')) {
            object.raw(key, value.bytes());
        }
    }
}

/// Writes what only Google's clients can mean: the Gemini API and Vertex each refuse some of it.
fn write_own(request: &Request<'_>, body: &mut ObjectWriter<'_>) {
    if let Some(labels) = &request.metadata {
        body.raw("labels", labels.bytes());
    }
    body.maybe_string("serviceTier", request.service_tier.as_deref());
    write_extras(&request.extras, "", body);
}

fn write_generation(request: &Request<'_>, config: &mut ObjectWriter<'_>, losses: &mut Losses) {
    let numbers = [
        ("temperature", &request.temperature),
        ("topP", &request.top_p),
        ("topK", &request.top_k),
        ("presencePenalty", &request.presence_penalty),
        ("frequencyPenalty", &request.frequency_penalty),
    ];
    for (key, value) in numbers {
        config.maybe_raw(key, value.as_ref().map(Json::bytes));
    }
    if let Some(seed) = &request.seed {
        write_seed(config, seed);
    }
    let counts = [
        ("maxOutputTokens", request.max_tokens),
        ("candidateCount", request.choices),
        ("logprobs", request.top_logprobs.filter(|count| *count > 0)),
    ];
    for (key, value) in counts {
        if let Some(value) = value {
            config.number(key, value);
        }
    }
    if let Some(logprobs) = request.logprobs {
        config.boolean("responseLogprobs", logprobs);
    }
    config.maybe_strings("stopSequences", &request.stop_sequences);
    write_format(request, config, losses);
    section(config, "thinkingConfig", |config| {
        thinking::write(request, config);
        write_extras(&request.extras, "generationConfig.thinkingConfig.", config);
    });
    write_extras(&request.extras, "generationConfig.", config);
}

/// Seeds are 32 bits wide here; a longer one is cut, which keeps equal seeds equal.
fn write_seed(config: &mut ObjectWriter<'_>, seed: &Json<'_>) {
    let number = std::str::from_utf8(seed.bytes()).ok().and_then(|text| text.parse::<i64>().ok());
    match number.filter(|number| i32::try_from(*number).is_err()) {
        Some(long) => config.number("seed", long.unsigned_abs() & 0x7fff_ffff),
        None => config.raw("seed", seed.bytes()),
    }
}

fn write_format(request: &Request<'_>, config: &mut ObjectWriter<'_>, losses: &mut Losses) {
    match &request.response_format {
        None | Some(ResponseFormat::Opaque(_)) => {}
        Some(ResponseFormat::Text) => config.string("responseMimeType", "text/plain"),
        Some(ResponseFormat::JsonObject) => config.string("responseMimeType", "application/json"),
        // Its name is a label for the schema only, and an answer always follows the schema here.
        Some(ResponseFormat::JsonSchema { name: _, description, schema, strict: _ }) => {
            if description.is_some() {
                losses.lose_field("response_format.description");
            }
            config.string("responseMimeType", "application/json");
            tools::write_schema(config.key("responseJsonSchema"), schema, request.dialect, losses);
        }
    }
}

fn lose_unsayable(request: &Request<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::EndUser, request.end_user.as_ref());
    losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
    losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
    if request.parallel_tool_calls == Some(false) {
        losses.lose(Feature::ParallelToolCalls);
    }
    if request.dialect != Dialect::Gemini {
        losses.lose_some(Feature::Metadata, request.metadata.as_ref());
        let tier = request.service_tier.as_ref().filter(|tier| !matches!(tier.as_ref(), "auto" | "default"));
        losses.lose_some(Feature::ServiceTier, tier);
    }
}
