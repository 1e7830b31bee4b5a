//! What one chunk adds to one choice, walked once.
//!
//! Invariant: what is absent, null or empty is the same.

use super::super::message::told;
use crate::json::{Kind, Raw};
use crate::model::Text;

/// A choice's part of a chunk.
#[derive(Default)]
pub(super) struct ChoiceDelta<'a> {
    pub index: u32,
    pub delta: Delta<'a>,
    pub logprobs: Option<Raw<'a>>,
    pub reason: Option<Raw<'a>>,
    pub stop_sequence: Option<Raw<'a>>,
    /// Moonshot counts here.
    pub usage: Option<Raw<'a>>,
}

/// A choice's `delta`.
#[derive(Default)]
pub(super) struct Delta<'a> {
    /// Text, or Mistral's parts.
    pub content: Option<Raw<'a>>,
    pub reasoning_content: Option<Text<'a>>,
    pub reasoning: Option<Text<'a>>,
    pub reasoning_details: Option<Raw<'a>>,
    pub refusal: Option<Text<'a>>,
    pub tool_calls: Option<Raw<'a>>,
    pub function_call: Option<Raw<'a>>,
    pub annotations: Option<Raw<'a>>,
    pub images: Option<Raw<'a>>,
    pub audio: Option<Raw<'a>>,
    pub extra_content: Option<Raw<'a>>,
}

impl<'a> ChoiceDelta<'a> {
    /// Reads a choice whose news stand in the member `place`: Chat's in `delta`.
    pub(super) fn read(raw: Raw<'a>, place: &[u8]) -> Self {
        let mut choice = Self::default();
        for (key, value) in raw.members() {
            match key {
                b"index" => choice.index = value.count().and_then(|index| index.try_into().ok()).unwrap_or(0),
                b"finish_reason" => choice.reason = Some(value),
                b"stop_reason" if value.kind == Kind::String => choice.stop_sequence = Some(value),
                b"logprobs" => choice.logprobs = value.object(),
                b"usage" => choice.usage = value.object(),
                key if key == place => choice.delta = Delta::read(value),
                // Perplexity repeats the whole message so far in `message`.
                _ => {}
            }
        }
        choice
    }
}

impl<'a> ChoiceDelta<'a> {
    /// A choice that is plain text.
    pub(super) fn of_text(text: Raw<'a>, reason: Option<Raw<'a>>) -> Self {
        Self { delta: Delta { content: Some(text), ..Delta::default() }, reason, ..Self::default() }
    }
}

impl<'a> Delta<'a> {
    fn read(raw: Raw<'a>) -> Self {
        let mut delta = Self::default();
        for (key, value) in raw.members() {
            match key {
                b"content" => delta.content = Some(value),
                b"reasoning_content" => delta.reasoning_content = told(value),
                b"reasoning" => delta.reasoning = told(value),
                b"reasoning_details" => delta.reasoning_details = Some(value),
                b"refusal" => delta.refusal = told(value),
                b"tool_calls" => delta.tool_calls = Some(value),
                b"function_call" => delta.function_call = value.object(),
                b"annotations" => delta.annotations = Some(value),
                b"images" => delta.images = Some(value),
                b"audio" => delta.audio = value.object(),
                b"extra_content" => delta.extra_content = Some(value),
                _ => {}
            }
        }
        delta
    }
}
