//! OpenAI chat chunks, with what compatible providers make of them.
//!
//! A stream is whole after `[DONE]`; some providers (Perplexity) send none, so it is also whole when every choice
//! that was begun has a finish reason.

use super::{EventClass, Facts};
use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

/// Which choices were begun and which have finished, by index. Indices from 63 on share one bit.
#[derive(Debug, Default)]
pub(super) struct Choices {
    begun: u64,
    finished: u64,
}

impl Choices {
    pub(super) fn all_finished(&self) -> bool {
        self.begun != 0 && self.begun & !self.finished == 0
    }
}

pub(super) fn observe(facts: &mut Facts, choices: &mut Choices, event: &SseEvent<'_>) -> EventClass {
    let data = event.data.as_ref().trim_ascii();
    if data == b"[DONE]" {
        facts.finished = true;
        return EventClass::Content;
    }
    let Some(chunk) = Raw::new(data).filter(|chunk| chunk.is_object()) else {
        return EventClass::Content;
    };
    let mut usage = None;
    let mut nested_usage = None;
    let mut choice_count = None;
    for (key, value) in chunk.members() {
        match key {
            b"choices" if value.kind == Kind::Array => {
                let mut count = 0;
                for choice in value.elements() {
                    nested_usage = self::choice(facts, choices, choice).or(nested_usage);
                    count += 1;
                }
                choice_count = Some(count);
            }
            b"usage" if value.is_object() => usage = Some(value),
            // Groq reports here when the client did not ask for usage.
            b"x_groq" => nested_usage = value.get("usage").filter(|usage| usage.is_object()).or(nested_usage),
            b"model" => facts.set_model(value),
            b"error" if value.kind != Kind::Null => facts.set_error(value),
            _ => {}
        }
    }
    if event.name == b"error" {
        facts.set_error(chunk);
    }
    if let Some(usage) = usage.or(nested_usage) {
        facts.add_usage(Protocol::OpenAiChat, usage);
    }
    match (usage, choice_count) {
        (Some(_), Some(0)) => EventClass::UsageOnly,
        _ => EventClass::Content,
    }
}

/// Takes in one element of `choices`; gives the usage object that some providers (Moonshot) put there.
fn choice<'a>(facts: &mut Facts, choices: &mut Choices, choice: Raw<'a>) -> Option<Raw<'a>> {
    let mut index = 0;
    let mut finished = false;
    let mut usage = None;
    for (key, value) in choice.members() {
        match key {
            b"index" => index = value.count().unwrap_or(0).min(63),
            b"delta" => delta(facts, value),
            b"finish_reason" => {
                // Absent, `null`, `""` and `"null"` all mean: not yet.
                if let Some(reason) = value.quoted().filter(|reason| !matches!(*reason, b"" | b"null")) {
                    facts.set_finish_reason(&String::from_utf8_lossy(reason));
                    finished = true;
                }
            }
            b"usage" if value.is_object() => usage = Some(value),
            _ => {}
        }
    }
    choices.begun |= 1 << index;
    choices.finished |= u64::from(finished) << index;
    usage
}

fn delta(facts: &mut Facts, delta: Raw<'_>) {
    for (key, value) in delta.members() {
        match key {
            b"content" if value.kind == Kind::Array => parts(facts, value),
            b"content" => {
                facts.add_text(value);
            }
            b"reasoning_content" | b"reasoning" | b"refusal" => {
                facts.saw_first_token |= value.quoted().is_some_and(|text| !text.is_empty());
            }
            b"tool_calls" if value.elements().next().is_some() => {
                facts.has_tool_calls = true;
                facts.saw_first_token = true;
            }
            _ => {}
        }
    }
}

/// Mistral's reasoning models send `content` as a list of parts.
fn parts(facts: &mut Facts, parts: Raw<'_>) {
    for part in parts.elements() {
        match part.get("text") {
            Some(text) => {
                facts.add_text(text);
            }
            None => facts.saw_first_token |= part.get("thinking").is_some(),
        }
    }
}
