//! OpenAI Responses: a conversation is a flat list of items, and so is an answer.
//!
//! Messages, calls, results and reasoning stand side by side as items; what the model did between two answers of the
//! client is one turn of the model, so neighbouring items of the assistant are read as one turn. `instructions` is a
//! system turn before all others. Members of `text`, `reasoning` and `usage` which the model does not know are kept
//! as extras under dotted names (`reasoning.context`). A stream repeats everything: each piece as a delta, each part
//! and item whole when it is done, and the whole answer in its last event.

mod content;
mod item;
mod media;
mod request;
mod response;
mod stop;
mod stream;
mod usage;
mod whole;

use std::borrow::Cow;

use crate::dialect::calls::OneByOne;
use crate::dialect::placed::{Cites, Placed};
use crate::dialect::{Codec, NameRule};
use crate::json::{ObjectWriter, Raw};
use crate::model::{Extras, Feature};

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: request::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(Placed::new(stream::Reader::default(), Cites::Parts)),
    stream_writer: |reply| Box::new(OneByOne::new(stream::Writer::new(reply))),
    carries: &[
        Feature::SystemPosition,
        Feature::Image,
        Feature::MediaUrl,
        Feature::MediaFile,
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
        Feature::HighTemperature,
        Feature::TopP,
        Feature::Logprobs,
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
    ],
    names: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
    call_ids: NameRule { min_length: 1, max_length: 64, punctuation: "_-", never_first: "" },
};

/// Keeps a member of the object `parent`, under a dotted name.
fn keep_nested<'a>(extras: &mut Extras<'a>, parent: &str, key: &'a [u8], value: Raw<'a>) {
    let name = format!("{parent}.{}", crate::json::unescape(key));
    extras.0.push((Cow::Owned(name), value.into()));
}

/// Writes into `object` what was kept of it under dotted names.
fn write_nested(object: &mut ObjectWriter<'_>, parent: &str, extras: &Extras<'_>) {
    for (name, value) in extras.iter() {
        if let Some(member) = nested_name(name, parent) {
            object.raw(member, value.bytes());
        }
    }
}

/// Something of the object `parent` was kept under dotted names.
fn has_nested(parent: &str, extras: &Extras<'_>) -> bool {
    extras.iter().any(|(name, _)| nested_name(name, parent).is_some())
}

fn nested_name<'n>(name: &'n str, parent: &str) -> Option<&'n str> {
    name.strip_prefix(parent)?.strip_prefix('.')
}

/// A service tier in OpenAI's words; `None` if it has no equal among them.
fn service_tier(tier: &str) -> Option<&str> {
    match tier {
        "auto" | "default" | "flex" | "priority" | "scale" => Some(tier),
        // Anthropic's words.
        "standard_only" | "standard" => Some("default"),
        _ => None,
    }
}
