//! Ollama's own `/api/chat`.
//!
//! Its peculiarities: streaming is on unless it is switched off, and a stream is lines of JSON; settings of sampling
//! stand in `options`; arguments of calls are objects and calls have no identifiers; images are bare base64 beside the
//! text; `done_reason` does not tell of calls.

mod answer;
mod message;
mod request;

use super::ProviderCodec;
use crate::dialect::NameRule;
use crate::framing::StreamFraming;
use crate::model::Feature;

pub(super) const CODEC: ProviderCodec = ProviderCodec {
    write_request: request::write,
    read_response: answer::read,
    stream_reader: || Box::new(answer::Reader::default()),
    framing: StreamFraming::Lines,
    carries: CARRIES,
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};

/// What the form has words for. Documents of plain text are carried as text.
const CARRIES: &[Feature] = &[
    Feature::SystemPosition,
    Feature::Image,
    Feature::AllowedTools,
    Feature::JsonObject,
    Feature::JsonSchema,
    Feature::MaxTokens,
    Feature::StopSequences,
    Feature::HighTemperature,
    Feature::TopP,
    Feature::TopK,
    Feature::Seed,
    Feature::FrequencyPenalty,
    Feature::PresencePenalty,
    Feature::ReasoningEffort,
    Feature::Reasoning,
];
