//! Cohere's v2 Chat.
//!
//! Near to OpenAI Chat in its messages and tools, with other names for sampling (`p`, `k`). What the model says before
//! it calls tools is a field of its own, `tool_plan`; it is read as text, and the text of a message that calls is
//! written there. Thoughts are parts of type `thinking` without signatures; citations point to spans of the answer and
//! name sources. A stream is typed events, ended by `message-end` and then `[DONE]`. Called through [`CODEC`] alone.

mod citation;
mod document;
mod message;
mod request;
mod response;
mod stop;
mod stream;
mod usage;
mod write;

use crate::dialect::calls::OneByOne;
use crate::dialect::{Codec, NameRule};
use crate::model::Feature;

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: write::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(stream::Reader::default()),
    stream_writer: |reply| Box::new(OneByOne::new(stream::Writer::new(reply))),
    carries: &[
        Feature::SystemPosition,
        Feature::Image,
        Feature::MediaUrl,
        Feature::ImageDetail,
        Feature::StrictTools,
        Feature::ToolChoice,
        Feature::ToolChoiceFunction,
        Feature::AllowedTools,
        Feature::JsonObject,
        Feature::JsonSchema,
        Feature::MaxTokens,
        Feature::StopSequences,
        Feature::TopP,
        Feature::TopK,
        Feature::Seed,
        Feature::FrequencyPenalty,
        Feature::PresencePenalty,
        Feature::ReasoningEffort,
        Feature::Reasoning,
        Feature::Citations,
    ],
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_", never_first: "" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};
