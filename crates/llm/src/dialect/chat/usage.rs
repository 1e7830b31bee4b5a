//! Token counts: OpenAI's, in which cached input is part of the prompt and reasoning part of the completion, and the
//! sums of those who count otherwise.
//!
//! Invariant: whoever counts beside, the counts read include their details.

use crate::json::{ObjectWriter, Raw};
use crate::model::TokenCounts;

/// Reads a `usage` object.
pub(super) fn read(usage: Raw<'_>) -> TokenCounts {
    let mut told = Told::default();
    let counts = &mut told.counts;
    for (key, value) in usage.members() {
        let count = || value.count().unwrap_or(0);
        match key {
            b"prompt_tokens" => counts.input = count(),
            b"completion_tokens" => counts.output = count(),
            b"total_tokens" => told.total = count(),
            b"prompt_audio_seconds" => told.audio_seconds = count(),
            // DeepSeek; Mistral's older name; Moonshot; Doubleword, as Anthropic.
            b"prompt_cache_hit_tokens" | b"num_cached_tokens" | b"cached_tokens" | b"cache_read_input_tokens" => {
                counts.cache_read = counts.cache_read.max(count());
            }
            b"cache_creation_input_tokens" => counts.cache_write = counts.cache_write.max(count()),
            b"prompt_tokens_details" => read_input_details(value, counts),
            b"completion_tokens_details" => read_output_details(value, counts),
            _ => {}
        }
    }
    told.summed()
}

/// A `usage` object as it stands there.
#[derive(Default)]
struct Told {
    counts: TokenCounts,
    total: u64,
    /// Of sound in the prompt, as Mistral tells.
    audio_seconds: u64,
}

fn read_input_details(details: Raw<'_>, counts: &mut TokenCounts) {
    for (key, value) in details.members() {
        let count = value.count().unwrap_or(0);
        match key {
            b"cached_tokens" => counts.cache_read = counts.cache_read.max(count),
            // OpenAI and OpenRouter; others in Anthropic's words.
            b"cache_write_tokens" | b"cache_creation_input_tokens" => {
                counts.cache_write = counts.cache_write.max(count);
            }
            b"audio_tokens" => counts.audio_input = count,
            _ => {}
        }
    }
}

fn read_output_details(details: Raw<'_>, counts: &mut TokenCounts) {
    for (key, value) in details.members() {
        match key {
            b"reasoning_tokens" => counts.reasoning = value.count().unwrap_or(0),
            b"audio_tokens" => counts.audio_output = value.count().unwrap_or(0),
            _ => {}
        }
    }
}

impl Told {
    /// The counts with what the provider counted beside them: the total shows it.
    fn summed(self) -> TokenCounts {
        let Self { mut counts, total, audio_seconds } = self;
        let beside = total.saturating_sub(counts.total());
        if beside == 0 {
            // Vercel's gateway over Gemini forgets reasoning in the total too.
            if counts.reasoning > counts.output {
                counts.output = counts.output.saturating_add(counts.reasoning);
            }
        } else if beside == counts.reasoning {
            // xAI.
            counts.output = counts.output.saturating_add(beside);
        } else if beside == counts.audio_input || audio_seconds > 0 {
            // Mistral counts sound beside the prompt, and does not always tell how much of it.
            counts.input = counts.input.saturating_add(beside);
            counts.audio_input = counts.audio_input.max(beside);
        } else if counts.reasoning == 0 {
            // Gemini's endpoint for this dialect does not list its thoughts.
            counts.output = counts.output.saturating_add(beside);
            counts.reasoning = beside;
        }
        counts
    }
}

/// Writes the members of a `usage` object.
pub(in crate::dialect) fn write(counts: &TokenCounts, usage: &mut ObjectWriter<'_>) {
    usage.number("prompt_tokens", counts.input);
    usage.number("completion_tokens", counts.output);
    usage.number("total_tokens", counts.total());
    let mut input = usage.object("prompt_tokens_details");
    input.number("cached_tokens", counts.cache_read);
    if counts.cache_write > 0 {
        input.number("cache_write_tokens", counts.cache_write);
    }
    input.number("audio_tokens", counts.audio_input);
    drop(input);
    let mut output = usage.object("completion_tokens_details");
    output.number("reasoning_tokens", counts.reasoning);
    output.number("audio_tokens", counts.audio_output);
}
