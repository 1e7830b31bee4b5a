//! Anthropic Messages: `POST /v1/messages`, and the same bodies on Bedrock's invoke and on Vertex AI.
//!
//! Its peculiarities: instructions stand in a field of their own; user and assistant take turns, and results of tools
//! are blocks at the front of a user turn; `max_tokens` must be said; thoughts are signed and must come back unchanged;
//! cached input is counted beside `input_tokens`. The clouds' bodies name no model and carry `anthropic_version`,
//! which passes as any field that only this dialect knows.

mod block;
mod generation;
mod request;
mod response;
mod stop;
mod stream;
mod usage;

pub(super) use generation::Generation;
pub(super) use request::{Plan, Thinking};

use crate::dialect::calls::OneByOne;
use crate::dialect::placed::{Cites, Placed};
use crate::dialect::{Codec, NameRule};
use crate::model::Feature;

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: request::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(Placed::new(stream::Reader::default(), Cites::Blocks)),
    stream_writer: |reply| Box::new(OneByOne::new(stream::Writer::new(reply))),
    carries: CARRIES,
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};

/// What the dialect has words for. A few of them are left out where the API refuses the combination, such as a
/// temperature beside thinking; that is told as well.
const CARRIES: &[Feature] = &[
    Feature::Image,
    Feature::MediaUrl,
    Feature::Document,
    Feature::ToolResultMedia,
    Feature::ToolResultError,
    Feature::StrictTools,
    Feature::ToolChoice,
    Feature::ToolChoiceFunction,
    Feature::AllowedTools,
    Feature::ParallelToolCalls,
    Feature::JsonSchema,
    Feature::MaxTokens,
    Feature::StopSequences,
    Feature::TopP,
    Feature::TopK,
    Feature::ReasoningEffort,
    Feature::Reasoning,
    Feature::ReasoningSignature,
    Feature::EndUser,
    Feature::ServiceTier,
    Feature::CacheControl,
    Feature::Citations,
];
