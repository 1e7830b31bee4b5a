//! The own form of Alibaba Cloud Model Studio (DashScope): `text-generation` and `multimodal-generation`.
//!
//! OpenAI Chat's messages, tools and choices in an envelope: what the model reads in `input`, all settings in
//! `parameters`, the choices in `output`. Its peculiarities: pieces of a stream repeat what was said before unless only
//! increments are asked for; a finish reason that is not told yet is the word `null`; models that see or hear read
//! content as a list whose parts have no type. Invariant: tools are written and choices read by Chat's own code.

mod answer;
mod message;
mod request;

use super::ProviderCodec;
use crate::dialect::NameRule;
use crate::framing::StreamFraming;
use crate::model::Feature;

/// Pieces of the names of models that see or hear; they have a path of their own.
pub(crate) const MULTIMODAL_MODELS: &[&str] = &["-vl", "-audio", "-omni", "-ocr", "qvq"];

pub(super) const CODEC: ProviderCodec = ProviderCodec {
    write_request: request::write,
    read_response: answer::read,
    stream_reader: || Box::new(answer::Reader::default()),
    framing: StreamFraming::Sse,
    carries: CARRIES,
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};

/// What the form has words for. Media are for the models that see or hear; others are told without them.
const CARRIES: &[Feature] = &[
    Feature::SystemPosition,
    Feature::Image,
    Feature::MediaUrl,
    Feature::Audio,
    Feature::Video,
    Feature::ToolResultMedia,
    Feature::StrictTools,
    Feature::ToolChoice,
    Feature::ToolChoiceFunction,
    Feature::AllowedTools,
    Feature::ParallelToolCalls,
    Feature::JsonObject,
    Feature::JsonSchema,
    Feature::MaxTokens,
    Feature::StopSequences,
    Feature::HighTemperature,
    Feature::TopP,
    Feature::TopK,
    Feature::Seed,
    Feature::PresencePenalty,
    Feature::Logprobs,
    Feature::Choices,
    Feature::ReasoningEffort,
    Feature::Reasoning,
];
