//! Token counts. OpenAI's counts include their details, as the model's do.

use super::{keep_nested, write_nested};
use crate::json::{ObjectWriter, Raw};
use crate::model::{Extras, TokenCounts};

/// Reads a `usage` object; what else it holds (xAI and OpenRouter tell costs) is kept in `extras`.
pub(super) fn read<'a>(usage: Raw<'a>, extras: &mut Extras<'a>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    for (key, value) in usage.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"input_tokens" => counts.input = value.count().unwrap_or_default(),
            b"output_tokens" => counts.output = value.count().unwrap_or_default(),
            b"total_tokens" => {}
            b"input_tokens_details" => {
                for (key, value) in value.members() {
                    match key {
                        b"cached_tokens" => counts.cache_read = value.count().unwrap_or_default(),
                        b"cache_write_tokens" => counts.cache_write = value.count().unwrap_or_default(),
                        b"audio_tokens" => counts.audio_input = value.count().unwrap_or_default(),
                        _ => {}
                    }
                }
            }
            b"output_tokens_details" => {
                for (key, value) in value.members() {
                    match key {
                        b"reasoning_tokens" => counts.reasoning = value.count().unwrap_or_default(),
                        b"audio_tokens" => counts.audio_output = value.count().unwrap_or_default(),
                        _ => {}
                    }
                }
            }
            _ => keep_nested(extras, "usage", key, value),
        }
    }
    counts
}

/// Writes a `usage` object with the details that OpenAI's SDKs require. `extras` are those of the answer, if it is
/// of this dialect.
pub(super) fn write(out: &mut Vec<u8>, counts: &TokenCounts, extras: Option<&Extras<'_>>) {
    let mut usage = ObjectWriter::new(out);
    usage.number("input_tokens", counts.input);
    {
        let mut details = usage.object("input_tokens_details");
        details.number("cached_tokens", counts.cache_read);
        for (name, count) in [("cache_write_tokens", counts.cache_write), ("audio_tokens", counts.audio_input)] {
            if count > 0 {
                details.number(name, count);
            }
        }
    }
    usage.number("output_tokens", counts.output);
    {
        let mut details = usage.object("output_tokens_details");
        details.number("reasoning_tokens", counts.reasoning);
        if counts.audio_output > 0 {
            details.number("audio_tokens", counts.audio_output);
        }
    }
    usage.number("total_tokens", counts.total());
    if let Some(extras) = extras {
        write_nested(&mut usage, "usage", extras);
    }
}
