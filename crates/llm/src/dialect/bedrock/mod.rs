//! Amazon Bedrock Converse: `POST /model/{id}/converse` and `/converse-stream`.
//!
//! Its peculiarities: the model and streaming stand in the path; every block is an object with one member that names
//! its kind; marks of the cache are blocks of their own; what only one family of models knows goes into
//! `additionalModelRequestFields` ([`family`]); tools must be declared wherever the history holds calls of them;
//! documents have unique names; cached input is counted beside `inputTokens`; streams are AWS event streams. Invariant:
//! blobs are base64 throughout, for its SDKs decode them.

mod block;
mod family;
mod media;
mod request;
mod response;
mod stop;
mod stream;
mod usage;

pub(crate) use stream::write_exception;

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

/// What the dialect has words for. Some more is carried in part: `top_k` and thinking for the families that know them,
/// files and URLs that name S3, citations of answers. Unsigned thoughts of other dialects are left out, and
/// that no tool may be called cannot be said where the history calls some; both are told as lost.
const CARRIES: &[Feature] = &[
    Feature::Image,
    Feature::Document,
    Feature::Audio,
    Feature::Video,
    Feature::ToolResultMedia,
    Feature::ToolResultError,
    Feature::StrictTools,
    Feature::ToolChoice,
    Feature::ToolChoiceFunction,
    Feature::AllowedTools,
    Feature::JsonSchema,
    Feature::MaxTokens,
    Feature::StopSequences,
    Feature::TopP,
    Feature::Reasoning,
    Feature::ReasoningSignature,
    Feature::Metadata,
    Feature::ServiceTier,
    Feature::CacheControl,
];
