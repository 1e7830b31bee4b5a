//! A candidate as it stands in an answer or in a chunk of a stream.

use crate::dialect::gemini::part;
use crate::json::Raw;
use crate::model::{Extras, Part, PartBody};

/// What a candidate holds, its members told apart.
#[derive(Debug, Default)]
pub(in crate::dialect::gemini) struct Candidate<'a> {
    /// The first candidate often has none.
    pub index: Option<u32>,
    pub parts: Vec<Part<'a>>,
    pub finish_reason: Option<Raw<'a>>,
    pub grounding: Option<Raw<'a>>,
    pub citations: Option<Raw<'a>>,
    pub logprobs: Option<Raw<'a>>,
    /// Everything but index, content and finish reason: what the model has words for stands here as well.
    pub extras: Extras<'a>,
}

impl<'a> Candidate<'a> {
    pub(in crate::dialect::gemini) fn read(candidate: Raw<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in candidate.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"index" => read.index = value.count().and_then(|index| u32::try_from(index).ok()),
                b"content" => {
                    let parts = value.members().filter(|(key, _)| *key == b"parts");
                    read.parts = parts.flat_map(|(_, parts)| part::elements(parts)).map(part::read).collect();
                    continue;
                }
                b"finishReason" => read.finish_reason = Some(value),
                b"groundingMetadata" => read.grounding = Some(value),
                b"citationMetadata" => read.citations = Some(value),
                b"logprobsResult" => read.logprobs = Some(value),
                _ => {}
            }
            if !matches!(key, b"index" | b"finishReason") {
                read.extras.keep(key, value);
            }
        }
        read
    }

    pub(in crate::dialect::gemini) fn has_calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)))
    }
}

/// The text of a part, if it is one that the reader of the answer sees.
pub(in crate::dialect::gemini) fn visible_text<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.body {
        PartBody::Text { text, .. } => Some(text),
        _ => None,
    }
}
