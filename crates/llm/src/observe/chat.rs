//! OpenAI chat chunks, with what compatible providers make of them.
//!
//! A stream is whole after `[DONE]`; some providers (Perplexity) send none, so it is also whole when every choice
//! that was begun has a finish reason. A chunk is walked once, whatever is in it: this runs for every token.

use std::ops::Range;

use super::template::Template;
use super::{EventClass, Facts};
use crate::json::{Cursor, Kind, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

/// Which choices were begun and which have finished, by index. Indices from 63 on share one bit.
#[derive(Debug, Default)]
struct Choices {
    begun: u64,
    finished: u64,
}

impl Choices {
    fn all_finished(&self) -> bool {
        self.begun != 0 && self.begun & !self.finished == 0
    }
}

/// What is known from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Progress {
    choices: Choices,
    template: Template,
}

impl Progress {
    pub(super) fn all_finished(&self) -> bool {
        self.choices.all_finished()
    }
}

/// What one chunk holds beside its deltas.
#[derive(Default)]
struct Chunk<'a> {
    /// How many texts there are, and where the last one stands between its quotes.
    texts: usize,
    text_at: Range<usize>,
    usage: Option<Raw<'a>>,
    /// Usage where some providers put it: Groq in `x_groq`, Moonshot in a choice.
    nested_usage: Option<Raw<'a>>,
    choices: Option<usize>,
}

pub(super) fn observe(facts: &mut Facts, progress: &mut Progress, event: &SseEvent<'_>) -> EventClass {
    let data = event.data.as_ref().trim_ascii();
    if event.name.is_empty()
        && let Some(text) = progress.template.text_of(data)
    {
        facts.add_plain_text(text);
        return EventClass::Content;
    }
    if data == b"[DONE]" {
        facts.finished = true;
        return EventClass::Content;
    }
    read(facts, progress, event.name, data)
}

fn read(facts: &mut Facts, progress: &mut Progress, name: &[u8], data: &[u8]) -> EventClass {
    let mut chunk = Chunk::default();
    let mut padding = data.len()..data.len();
    let whole = Cursor::new(data).each_member(|key, value| {
        match key {
            b"choices" => {
                let mut count = 0;
                value.each_element(|element| {
                    count += 1;
                    choice(facts, &mut progress.choices, &mut chunk, element)
                })?;
                chunk.choices = Some(count);
            }
            b"usage" => chunk.usage = value.take()?.object(),
            b"x_groq" => chunk.nested_usage = value.take()?.get("usage").and_then(Raw::object),
            b"model" => facts.set_model(value.take()?),
            b"error" => {
                let error = value.take()?;
                if error.kind != Kind::Null {
                    facts.set_error(error);
                }
            }
            // OpenAI hides the sizes of tokens with it.
            b"obfuscation" if value.peek() == Some(b'"') => padding = string_at(value)?,
            _ => drop(value.take()?),
        }
        Some(())
    });
    if name == b"error"
        && let Some(error) = Raw::new(data)
    {
        facts.set_error(error);
    }
    let usage = chunk.usage.or(chunk.nested_usage);
    if let Some(usage) = usage {
        facts.add_usage(Protocol::OpenAiChat, usage);
    }
    if whole.is_some() && usage.is_none() && chunk.texts == 1 && name.is_empty() {
        progress.template.keep(data, chunk.text_at, padding);
    }
    match (chunk.usage, chunk.choices) {
        (Some(_), Some(0)) if whole.is_some() => EventClass::UsageOnly,
        _ => EventClass::Content,
    }
}

/// Consumes a string and gives where it stands between its quotes.
fn string_at(value: &mut Cursor<'_>) -> Option<Range<usize>> {
    let start = value.pos + 1;
    value.take()?;
    Some(start..value.pos - 1)
}

/// Takes in one element of `choices`.
fn choice<'a>(facts: &mut Facts, choices: &mut Choices, chunk: &mut Chunk<'a>, element: &mut Cursor<'a>) -> Option<()> {
    let mut index = 0;
    let mut finished = false;
    let walked = element.each_member(|key, value| {
        match key {
            b"index" => index = value.take()?.count().unwrap_or(0).min(63),
            b"delta" => delta(facts, chunk, value)?,
            b"finish_reason" => {
                // Absent, `null`, `""` and `"null"` all mean: not yet.
                let reason = value.take()?.quoted().unwrap_or_default();
                if !matches!(reason, b"" | b"null") {
                    facts.set_finish_reason(&String::from_utf8_lossy(reason));
                    finished = true;
                }
            }
            b"usage" => chunk.nested_usage = value.take()?.object().or(chunk.nested_usage),
            _ => drop(value.take()?),
        }
        Some(())
    });
    choices.begun |= 1 << index;
    choices.finished |= u64::from(finished) << index;
    walked
}

fn delta(facts: &mut Facts, chunk: &mut Chunk<'_>, delta: &mut Cursor<'_>) -> Option<()> {
    delta.each_member(|key, cursor| {
        let start = cursor.pos;
        let value = cursor.take()?;
        match key {
            b"content" if value.kind == Kind::Array => parts(facts, value),
            b"content" if value.kind == Kind::String => {
                facts.add_text(value);
                chunk.texts += 1;
                chunk.text_at = start + 1..cursor.pos - 1;
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
        Some(())
    })
}

/// Mistral's reasoning models send `content` as a list of parts.
fn parts(facts: &mut Facts, parts: Raw<'_>) {
    for part in parts.elements() {
        match part.get("text") {
            Some(text) => facts.add_text(text),
            None => facts.saw_first_token |= part.get("thinking").is_some(),
        }
    }
}
