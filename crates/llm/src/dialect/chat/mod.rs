//! OpenAI Chat Completions, and what some thirty compatible providers make of it.
//!
//! The dialect is loose where its speakers differ: `content` is a string or an array, reasoning has four homes
//! ([`reasoning`]), an absent key, `null`, `""` and `"null"` all mean "not told". Readers take all of that from anyone;
//! writers write what OpenAI itself accepts, and a provider's own additions only into requests that came in this
//! dialect. Invariant: a message is read by [`message`] wherever it stands, in a request, an answer or (as a delta) in
//! a stream's first chunk.

mod citation;
mod media;
mod message;
mod moved;
mod part;
mod reasoning;
mod request;
mod response;
mod stop;
mod stream;
mod tools;
mod turn;
mod usage;
mod write;

use crate::dialect::{Codec, NameRule};
use crate::model::Feature;

pub(crate) use moved::move_thoughts;
pub(in crate::dialect) use reasoning::marks_thoughts;
pub(in crate::dialect) use request::read_setting;
pub(in crate::dialect) use response::{is_call_signature, read_choice, read_text_choice, write_answer, write_calls};
pub(in crate::dialect) use stop::word as stop_word;
pub(in crate::dialect) use stream::{CountsAt, Envelope, Reader, Writer};
pub(in crate::dialect) use usage::write as write_usage;
pub(in crate::dialect) use write::{write_thinking, write_thinking_switch, write_tools_and_format};

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: write::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(stream::Reader::default()),
    stream_writer: |reply| Box::new(stream::Writer::new(reply, CountsAt::OwnChunk)),
    carries: CARRIES,
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
    // OpenAI takes up to 40 characters.
    call_ids: NameRule { min_length: 1, max_length: 40, punctuation: "_-", never_first: "" },
};

/// What has its words here. Of media, images go by URL and documents by file; reasoning goes back only if a chat
/// provider told it; citations and media of answers have no place in the next request. What is left out is told.
const CARRIES: &[Feature] = &[
    Feature::SystemPosition,
    Feature::TurnName,
    Feature::Image,
    Feature::MediaUrl,
    Feature::ImageDetail,
    Feature::Document,
    Feature::Audio,
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
    Feature::Seed,
    Feature::FrequencyPenalty,
    Feature::PresencePenalty,
    Feature::LogitBias,
    Feature::Logprobs,
    Feature::Choices,
    Feature::ReasoningEffort,
    Feature::Reasoning,
    Feature::ReasoningSignature,
    Feature::EndUser,
    Feature::Metadata,
    Feature::ServiceTier,
    Feature::PromptCacheKey,
    Feature::Verbosity,
    Feature::Refusal,
    Feature::Citations,
    Feature::MediaOutput,
];
