//! A request's body: the conversation in `input`, by [`message`](super::message), and all settings in `parameters`.
//!
//! Invariant: messages are asked for in Chat's form and streams in increments, for nothing else is read; what there are
//! no words for is told to the losses.

use super::message::{self, Form};
use crate::dialect::Quirks;
use crate::dialect::chat::{write_thinking_switch, write_tools_and_format};
use crate::json::ObjectWriter;
use crate::model::{Feature, Json, Losses, Request};

/// Writes a request's body.
pub(super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let form = Form::of(request.model.as_deref());
    let mut input = body.object("input");
    let mut messages = input.array("messages");
    request.turns.iter().for_each(|turn| message::write(turn, form, &mut messages, losses));
    drop(messages);
    drop(input);
    let mut parameters = body.object("parameters");
    parameters.string("result_format", "message");
    if request.stream {
        parameters.boolean("incremental_output", true);
    }
    write_sampling(request, &mut parameters);
    write_tools_and_format(request, &mut parameters, losses);
    if let Some(wanted) = &request.reasoning {
        write_thinking_switch(wanted, &mut parameters);
    }
    tell_unknown(request, losses);
    drop(parameters);
    drop(body);
    out
}

fn write_sampling(request: &Request<'_>, parameters: &mut ObjectWriter<'_>) {
    if let Some(limit) = request.max_tokens {
        parameters.number("max_tokens", limit);
    }
    parameters.maybe_strings("stop", &request.stop_sequences);
    for (name, value) in [
        ("temperature", &request.temperature),
        ("top_p", &request.top_p),
        ("top_k", &request.top_k),
        ("seed", &request.seed),
        ("presence_penalty", &request.presence_penalty),
    ] {
        parameters.maybe_raw(name, value.as_ref().map(Json::bytes));
    }
    // Alternatives are told beside the probabilities themselves.
    if let Some(wanted) = request.logprobs.or(request.top_logprobs.map(|_| true)) {
        parameters.boolean("logprobs", wanted);
    }
    if let Some(count) = request.top_logprobs {
        parameters.number("top_logprobs", count);
    }
    if let Some(count) = request.choices {
        parameters.number("n", count);
    }
}

fn tell_unknown(request: &Request<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
    losses.lose_some(Feature::FrequencyPenalty, request.frequency_penalty.as_ref());
    losses.lose_some(Feature::EndUser, request.end_user.as_ref());
    losses.lose_some(Feature::Metadata, request.metadata.as_ref());
    losses.lose_some(Feature::ServiceTier, request.service_tier.as_ref());
    losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
    losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
    losses.lose_extras(&request.extras);
}
