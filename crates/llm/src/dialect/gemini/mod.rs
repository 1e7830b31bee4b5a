//! Gemini's `generateContent` and `streamGenerateContent`, at Google's Gemini API and at Vertex AI.
//!
//! A turn is a list of parts which are told apart by the member they hold. Clients spell members in camelCase or in
//! snake_case; both are read, camelCase is written. The model and streaming stand in the path. Calls may have no
//! identifier and are then answered by name and order; text and calls, not thoughts, carry signatures. A finish reason
//! `STOP` covers tool calls too, thoughts are counted beside the output, and a stream ends with its connection.
//! Called through [`CODEC`] alone.

mod grounding;
mod logprobs;
mod media;
mod part;
mod request;
mod response;
mod schema;
mod signature;
mod stop;
mod stream;
mod usage;

use crate::dialect::{Codec, NameRule};
use crate::model::Feature;

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: request::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(stream::Reader::default()),
    stream_writer: |reply| Box::new(stream::Writer::new(reply)),
    carries: &[
        Feature::Image,
        Feature::MediaUrl,
        Feature::Document,
        Feature::Audio,
        Feature::Video,
        Feature::ToolResultMedia,
        Feature::ToolResultError,
        Feature::StrictTools,
        Feature::ToolChoice,
        Feature::ToolChoiceFunction,
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
        Feature::Logprobs,
        Feature::Choices,
        Feature::ReasoningEffort,
        Feature::Reasoning,
        Feature::ReasoningSignature,
        Feature::Citations,
        Feature::MediaOutput,
    ],
    // Some models take dots and colons as well.
    // Vertex wants a letter or an underscore first.
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "0123456789-" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};
