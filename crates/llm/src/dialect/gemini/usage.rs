//! `usageMetadata`: thoughts and what tools brought in stand beside the counts they belong to; cached input is part of
//! the prompt. The total is the sum of prompt, candidates, thoughts and tools' input.

use std::borrow::Cow;

use crate::json::{ObjectWriter, Raw, unescape};
use crate::model::{Extras, Json, Text, TokenCounts};

/// Under this name members of `usageMetadata` that are no counts are kept with an answer.
pub(super) const EXTRAS: &str = "usageMetadata.";

/// The modality `AUDIO`, as Vertex numbers it on demand.
const AUDIO: [&[u8]; 2] = [br#""AUDIO""#, b"4"];

/// What `usageMetadata` tells.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    pub counts: TokenCounts,
    pub service_tier: Option<Text<'a>>,
    /// Such as counts by modality.
    pub extras: Vec<(Text<'a>, Json<'a>)>,
}

pub(super) fn read(metadata: Raw<'_>) -> Report<'_> {
    let mut report = Report::default();
    let (mut prompt, mut candidates) = (0, 0);
    let counts = &mut report.counts;
    for (key, value) in metadata.members().filter(|(_, value)| !value.is_null()) {
        let count = value.count().unwrap_or_default();
        match key {
            b"promptTokenCount" => prompt = count,
            b"candidatesTokenCount" => candidates = count,
            b"thoughtsTokenCount" => counts.reasoning = count,
            b"toolUsePromptTokenCount" => counts.tool_input = count,
            b"cachedContentTokenCount" => counts.cache_read = count,
            b"totalTokenCount" => {}
            b"serviceTier" => report.service_tier = value.text(),
            _ => {
                match key {
                    b"promptTokensDetails" => counts.audio_input = audio(value),
                    b"candidatesTokensDetails" => counts.audio_output = audio(value),
                    _ => {}
                }
                report.extras.push((Cow::Owned(format!("{EXTRAS}{}", unescape(key))), value.into()));
            }
        }
    }
    counts.input = prompt.saturating_add(counts.tool_input);
    counts.output = candidates.saturating_add(counts.reasoning);
    report
}

fn audio(details: Raw<'_>) -> u64 {
    let of_audio = |detail: &Raw<'_>| detail.get("modality").is_some_and(|modality| AUDIO.contains(&modality.bytes));
    details
        .elements()
        .filter(of_audio)
        .filter_map(|detail| detail.get("tokenCount")?.count())
        .fold(0, u64::saturating_add)
}

/// Writes the counts as members of `usageMetadata`; `extras` are an answer's, if it was Gemini's own.
pub(super) fn write(metadata: &mut ObjectWriter<'_>, counts: &TokenCounts, extras: Option<&Extras<'_>>) {
    metadata.number("promptTokenCount", counts.input.saturating_sub(counts.tool_input));
    metadata.number("candidatesTokenCount", counts.visible_output());
    metadata.number("totalTokenCount", counts.total());
    let details = [
        ("thoughtsTokenCount", counts.reasoning),
        ("toolUsePromptTokenCount", counts.tool_input),
        ("cachedContentTokenCount", counts.cache_read),
    ];
    for (key, count) in details.into_iter().filter(|(_, count)| *count > 0) {
        metadata.number(key, count);
    }
    match extras {
        None => {
            write_audio(metadata, "promptTokensDetails", counts.audio_input);
            write_audio(metadata, "candidatesTokensDetails", counts.audio_output);
        }
        Some(extras) => {
            for (key, value) in extras.iter().filter_map(|(key, value)| Some((key.strip_prefix(EXTRAS)?, value))) {
                metadata.raw(key, value.bytes());
            }
        }
    }
}

fn write_audio(metadata: &mut ObjectWriter<'_>, key: &str, count: u64) {
    if count > 0 {
        let mut details = metadata.array(key);
        let mut detail = details.object();
        detail.string("modality", "AUDIO");
        detail.number("tokenCount", count);
    }
}

/// Gemini's word for a tier; most are the same everywhere.
pub(super) fn tier(tier: &str) -> &str {
    match tier {
        "default" => "standard",
        other => other,
    }
}
