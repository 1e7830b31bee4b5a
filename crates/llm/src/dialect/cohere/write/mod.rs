//! A request's body, written: settings here, messages in [`turn`], tools in [`tools`].
//!
//! Invariant: fields that only this dialect knows are written only into requests that came in it; what is told as
//! media and has no place here is told to the losses.

mod tools;
mod turn;

use super::document;
use crate::dialect::{Dialect, Origin, Quirks};
use crate::json::ObjectWriter;
use crate::model::{Extras, Feature, Json, Losses, ReasoningRequest, Request, ResponseFormat};

pub(super) use turn::{write_call, write_citations, write_text, write_thought};

/// Writes a request's body.
pub(super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let origin = Origin::of(request.dialect, Dialect::Cohere);
    Writer { origin, losses }.request(request, &mut ObjectWriter::new(&mut out));
    out
}

struct Writer<'w> {
    origin: Origin,
    losses: &'w mut Losses,
}

impl Writer<'_> {
    fn request(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        body.maybe_string("model", request.model.as_deref());
        if request.stream {
            body.boolean("stream", true);
        }
        let mut messages = body.array("messages");
        request.turns.iter().for_each(|turn| self.turn(turn, &mut messages));
        drop(messages);
        write_documents(request, body);
        self.sampling(request, body);
        self.tools(request, body);
        if let Some(format) = &request.response_format {
            self.format(format, body);
        }
        if let Some(wanted) = &request.reasoning {
            write_thinking(wanted, body);
        }
        self.unknown(request);
        self.extras(&request.extras, body);
    }

    /// What Cohere has no words for.
    fn unknown(&mut self, request: &Request<'_>) {
        let losses = &mut *self.losses;
        losses.lose_some(Feature::LogitBias, request.logit_bias.as_ref());
        losses.lose_some(Feature::Choices, request.choices.filter(|count| *count > 1).as_ref());
        losses.lose_some(Feature::EndUser, request.end_user.as_ref());
        losses.lose_some(Feature::Metadata, request.metadata.as_ref());
        losses.lose_some(Feature::ServiceTier, request.service_tier.as_ref());
        losses.lose_some(Feature::PromptCacheKey, request.prompt_cache_key.as_ref());
        losses.lose_some(Feature::Verbosity, request.verbosity.as_ref());
        let serial = request.parallel_tool_calls.filter(|parallel| !parallel);
        losses.lose_some(Feature::ParallelToolCalls, serial.as_ref());
    }

    fn sampling(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        if let Some(limit) = request.max_tokens {
            body.number("max_tokens", limit);
        }
        body.maybe_strings("stop_sequences", &request.stop_sequences);
        let temperature = Bounds { name: "temperature", most: b"1", exceeds: |value| value > 1.0 };
        if self.bounded(request.temperature.as_ref(), &temperature, body) {
            self.losses.lose(Feature::HighTemperature);
        }
        // OpenAI's default of 1 is above what Cohere takes, and the same for all that it means.
        let top_p = Bounds { name: "p", most: b"0.99", exceeds: |value| value > 0.99 };
        self.bounded(request.top_p.as_ref(), &top_p, body);
        body.maybe_raw("k", request.top_k.as_ref().map(Json::bytes));
        body.maybe_raw("seed", request.seed.as_ref().map(Json::bytes));
        for (name, penalty) in
            [("frequency_penalty", &request.frequency_penalty), ("presence_penalty", &request.presence_penalty)]
        {
            match penalty.as_ref().and_then(Json::number) {
                Some(value) if self.origin == Origin::Foreign && value < 0.0 => self.losses.lose_field(name),
                _ => {
                    self.bounded(penalty.as_ref(), &Bounds { name, most: b"1", exceeds: |value| value > 1.0 }, body);
                }
            }
        }
        match (self.origin, request.logprobs) {
            (_, None) => {}
            (Origin::Own, Some(wanted)) => body.boolean("logprobs", wanted),
            // They would come back in a form of their own.
            (Origin::Foreign, Some(wanted)) if wanted => self.losses.lose(Feature::Logprobs),
            (Origin::Foreign, Some(_)) => {}
        }
    }

    /// Writes a number of another dialect, at most what Cohere takes; `true` if that is less than was asked for.
    fn bounded(&mut self, value: Option<&Json<'_>>, bounds: &Bounds, body: &mut ObjectWriter<'_>) -> bool {
        let Some(value) = value else { return false };
        let is_bounded = self.origin == Origin::Foreign && value.number().is_some_and(bounds.exceeds);
        body.raw(bounds.name, if is_bounded { bounds.most } else { value.bytes() });
        is_bounded
    }

    fn format(&mut self, format: &ResponseFormat<'_>, body: &mut ObjectWriter<'_>) {
        match format {
            ResponseFormat::Text => body.object("response_format").string("type", "text"),
            ResponseFormat::JsonObject => body.object("response_format").string("type", "json_object"),
            ResponseFormat::JsonSchema { schema, .. } => {
                let mut object = body.object("response_format");
                object.string("type", "json_object");
                object.raw("json_schema", schema.bytes());
            }
            ResponseFormat::Opaque(json) => match self.origin {
                Origin::Own => body.raw("response_format", json.bytes()),
                Origin::Foreign => self.losses.lose_field("response_format"),
            },
        }
    }

    fn extras(&mut self, extras: &Extras<'_>, object: &mut ObjectWriter<'_>) {
        match self.origin {
            Origin::Own => extras.iter().for_each(|(key, value)| object.raw(key, value.bytes())),
            Origin::Foreign => self.losses.lose_extras(extras),
        }
    }
}

/// The most that Cohere takes of a number.
struct Bounds {
    name: &'static str,
    most: &'static [u8],
    exceeds: fn(f64) -> bool,
}

/// Cohere counts tokens of thinking; the wish not to think has its own word.
fn write_thinking(wanted: &ReasoningRequest<'_>, body: &mut ObjectWriter<'_>) {
    let budget = wanted.budget_tokens.or_else(|| wanted.effort.as_ref().map(|effort| effort.budget()));
    let mut thinking = body.object("thinking");
    if wanted.enabled == Some(false) || budget == Some(0) {
        return thinking.string("type", "disabled");
    }
    thinking.string("type", "enabled");
    if let Some(budget) = budget {
        thinking.number("token_budget", budget);
    }
}

/// Those that a client of this dialect has told beside its messages.
fn write_documents(request: &Request<'_>, body: &mut ObjectWriter<'_>) {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let mut told = parts.filter(|part| document::is_of_request(part)).filter_map(|part| part.extras.as_written());
    if let Some(first) = told.next() {
        let mut documents = body.array("documents");
        std::iter::once(first).chain(told).for_each(|document| documents.raw(document.bytes()));
    }
}
