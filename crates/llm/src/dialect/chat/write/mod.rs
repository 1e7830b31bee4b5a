//! A request's body, written: settings here, messages in [`turn`], their parts in [`part`], tools in [`tools`].
//!
//! Invariant: a request of another dialect becomes one that OpenAI itself accepts; only a request that came in this
//! dialect is written with the fields that compatible providers added.

mod part;
mod tools;
mod turn;

use crate::dialect::{Dialect, Origin, Quirks, StreamUsage, ThinkingField, strict_schema};
use crate::json::ObjectWriter;
use crate::model::{Effort, Extras, Feature, Json, Losses, ReasoningRequest, Request, ResponseFormat};

pub(super) use part::write_url;
pub(super) use tools::{write_call, write_signature};
pub(in crate::dialect) use turn::write_thinking;
pub(super) use turn::{is_call, write_annotations};

/// The name of a schema that has none; APISIX's.
const SCHEMA_NAME: &str = "structured_output";

/// Writes a request's body.
pub(super) fn write(request: &Request<'_>, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let origin = Origin::of(request.dialect, Dialect::OpenAiChat);
    Writer { origin, dialect: request.dialect, quirks, losses }.request(request, &mut out);
    out
}

/// Writes tools, the choice among them and the form of the answer, for a provider's own form that has these from Chat.
pub(in crate::dialect) fn write_tools_and_format(
    request: &Request<'_>,
    object: &mut ObjectWriter<'_>,
    losses: &mut Losses,
) {
    let quirks = &Quirks::OF_OPENAI;
    let mut writer = Writer { origin: Origin::Foreign, dialect: Dialect::OpenAiChat, quirks, losses };
    writer.tools(request, object);
    if let Some(format) = &request.response_format {
        writer.format(format, object);
    }
}

struct Writer<'w> {
    origin: Origin,
    dialect: Dialect,
    quirks: &'w Quirks,
    losses: &'w mut Losses,
}

impl Writer<'_> {
    fn request(&mut self, request: &Request<'_>, out: &mut Vec<u8>) {
        let mut body = ObjectWriter::new(out);
        body.maybe_string("model", request.model.as_deref());
        self.messages(&request.turns, body.key("messages"));
        self.stream(request, &mut body);
        self.sampling(request, &mut body);
        self.tools(request, &mut body);
        if let Some(format) = &request.response_format {
            self.format(format, &mut body);
        }
        if let Some(wanted) = &request.reasoning {
            self.reasoning(wanted, &mut body);
        }
        body.maybe_string("user", request.end_user.as_deref());
        body.maybe_raw("metadata", request.metadata.as_ref().map(Json::bytes));
        if let Some(tier) = &request.service_tier {
            body.string("service_tier", self.tier(tier));
        }
        body.maybe_string("prompt_cache_key", request.prompt_cache_key.as_deref());
        body.maybe_string("verbosity", request.verbosity.as_deref());
        self.extras(&request.extras, &mut body);
    }

    fn stream(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        if !request.stream {
            return;
        }
        body.boolean("stream", true);
        let has_options = self.origin == Origin::Own && request.extras.get("stream_options").is_some();
        let asks = request.include_usage && self.quirks.stream_usage == StreamUsage::WhenAsked;
        if asks && !has_options {
            body.object("stream_options").boolean("include_usage", true);
        }
    }

    fn sampling(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        if let Some(limit) = request.max_tokens {
            body.number(self.quirks.max_tokens_field, limit);
        }
        body.maybe_strings("stop", &request.stop_sequences);
        body.maybe_raw("temperature", request.temperature.as_ref().map(Json::bytes));
        body.maybe_raw("top_p", request.top_p.as_ref().map(Json::bytes));
        match self.origin {
            Origin::Own => body.maybe_raw("top_k", request.top_k.as_ref().map(Json::bytes)),
            Origin::Foreign => self.losses.lose_some(Feature::TopK, request.top_k.as_ref()),
        }
        body.maybe_raw(self.quirks.seed_field, request.seed.as_ref().map(Json::bytes));
        body.maybe_raw("frequency_penalty", request.frequency_penalty.as_ref().map(Json::bytes));
        body.maybe_raw("presence_penalty", request.presence_penalty.as_ref().map(Json::bytes));
        body.maybe_raw("logit_bias", request.logit_bias.as_ref().map(Json::bytes));
        // Alternatives are refused unless the probabilities themselves are asked for.
        if let Some(wanted) = request.logprobs.or(request.top_logprobs.map(|_| true)) {
            body.boolean("logprobs", wanted);
        }
        if let Some(count) = request.top_logprobs {
            body.number("top_logprobs", count);
        }
        if let Some(count) = request.choices {
            body.number("n", count);
        }
    }

    fn format(&mut self, format: &ResponseFormat<'_>, body: &mut ObjectWriter<'_>) {
        let (name, description, schema, strict) = match format {
            ResponseFormat::Text => return body.object("response_format").string("type", "text"),
            ResponseFormat::JsonObject => return body.object("response_format").string("type", "json_object"),
            ResponseFormat::Opaque(json) => match self.origin {
                Origin::Own => return body.raw("response_format", json.bytes()),
                Origin::Foreign => return self.losses.lose_field("response_format"),
            },
            ResponseFormat::JsonSchema { name, description, schema, strict } => (name, description, schema, strict),
        };
        let mut format = body.object("response_format");
        format.string("type", "json_schema");
        let mut told = format.object("json_schema");
        told.string("name", name.as_deref().unwrap_or(SCHEMA_NAME));
        told.maybe_string("description", description.as_deref());
        told.raw("schema", strict_schema::answer_schema(schema, *strict, self.dialect).bytes());
        if let Some(strict) = strict {
            told.boolean("strict", *strict);
        }
    }

    /// OpenAI knows an effort alone: a budget becomes one, and thinking without either is `medium`. Most of its models
    /// refuse the wish not to think: where the provider has no word for it, it is left out.
    fn reasoning(&mut self, wanted: &ReasoningRequest<'_>, body: &mut ObjectWriter<'_>) {
        if self.origin == Origin::Own {
            return own_reasoning(wanted, body);
        }
        let is_anthropics = self.dialect == Dialect::Anthropic;
        let is_declined = match (self.quirks.thinking, wanted.switch()) {
            (ThinkingField::Budget, Some(_)) => return write_thinking_switch(wanted, body),
            (ThinkingField::Type, Some((enabled, _))) => {
                write_thinking_type(enabled, body);
                false
            }
            (ThinkingField::EffortOrType, Some((false, _))) if !is_anthropics => {
                return write_thinking_type(false, body);
            }
            (ThinkingField::Effort | ThinkingField::EffortOrType, Some((enabled, _))) => !enabled,
            (_, None) => false,
        };
        let effort = if is_anthropics { self.effort_of_thinking(wanted) } else { plain_effort(wanted) };
        match effort {
            Some(effort) => body.string("reasoning_effort", &effort.0),
            None if is_declined => self.losses.lose(Feature::ReasoningEffort),
            None => {}
        }
    }

    /// Of Anthropic's clients, as APISIX has it: a budget becomes an effort, adaptive thinking has its own, word for
    /// word. An effort without thinking is for all that a model writes, and models that do not reason refuse the field.
    fn effort_of_thinking<'r>(&mut self, wanted: &'r ReasoningRequest<'_>) -> Option<Effort<'r>> {
        match (wanted.enabled, wanted.budget_tokens, &wanted.effort) {
            (Some(true), Some(budget), _) => Some(Effort::from_budget(budget)),
            (Some(true), None, Some(effort)) => Some(Effort(effort.0.as_ref().into())),
            (Some(true), None, None) => Some(Effort("medium".into())),
            (Some(false) | None, _, effort) => {
                if effort.is_some() {
                    self.losses.lose_field("output_config.effort");
                }
                None
            }
        }
    }

    fn tier<'t>(&self, told: &'t str) -> &'t str {
        match (self.origin, told) {
            (Origin::Own, _) | (Origin::Foreign, "auto" | "default" | "flex" | "scale" | "priority") => told,
            (Origin::Foreign, "standard" | "standard_only") => "default",
            (Origin::Foreign, _) => "auto",
        }
    }

    /// Writes what only this dialect knows.
    fn extras(&mut self, extras: &Extras<'_>, object: &mut ObjectWriter<'_>) {
        match self.origin {
            Origin::Own => extras.iter().for_each(|(key, value)| object.raw(key, value.bytes())),
            Origin::Foreign => self.losses.lose_extras(extras),
        }
    }
}

/// The effort that is asked for, in OpenAI's words; `None` if there is none or no thought is wanted.
fn plain_effort<'r>(wanted: &'r ReasoningRequest<'_>) -> Option<Effort<'r>> {
    match (&wanted.effort, wanted.budget_tokens, wanted.enabled) {
        // Anthropic's top word has no equal here.
        (Some(effort), _, _) if effort.0 == "max" => Some(Effort("xhigh".into())),
        (Some(effort), _, _) => Some(Effort(effort.0.as_ref().into())),
        (None, _, Some(false)) | (None, Some(0), _) | (None, None, None) => None,
        (None, Some(budget), _) => Some(Effort::from_budget(budget)),
        (None, None, Some(true)) => Some(Effort("medium".into())),
    }
}

/// As the client's provider may know it: OpenRouter's object if there is a budget, else `reasoning_effort` and
/// DeepSeek's switch.
fn own_reasoning(wanted: &ReasoningRequest<'_>, body: &mut ObjectWriter<'_>) {
    if wanted.budget_tokens.is_some() || wanted.show.is_some() {
        let mut object = body.object("reasoning");
        object.maybe_string("effort", wanted.effort.as_ref().map(|effort| effort.0.as_ref()));
        if let Some(budget) = wanted.budget_tokens {
            object.number("max_tokens", budget);
        }
        if let Some(enabled) = wanted.enabled {
            object.boolean("enabled", enabled);
        }
        return object.maybe_string("summary", wanted.show.as_deref());
    }
    body.maybe_string("reasoning_effort", wanted.effort.as_ref().map(|effort| effort.0.as_ref()));
    if let Some(enabled) = wanted.enabled {
        write_thinking_type(enabled, body);
    }
}

fn write_thinking_type(enabled: bool, body: &mut ObjectWriter<'_>) {
    body.object("thinking").string("type", if enabled { "enabled" } else { "disabled" });
}

/// Writes DashScope's switch and its budget.
pub(in crate::dialect) fn write_thinking_switch(wanted: &ReasoningRequest<'_>, object: &mut ObjectWriter<'_>) {
    let Some((enabled, budget)) = wanted.switch() else { return };
    object.boolean("enable_thinking", enabled);
    if let Some(budget) = budget {
        object.number("thinking_budget", budget);
    }
}
