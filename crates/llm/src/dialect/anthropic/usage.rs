//! Token counts: Anthropic counts cached input beside `input_tokens`, the model counts it within.

use crate::json::{ObjectWriter, Raw};
use crate::model::{Text, TokenCounts};

/// What has been told so far. Reports of a stream are cumulative but may leave counts out, so each member is kept until
/// it is told anew.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reported {
    input: u64,
    cache_write: u64,
    cache_write_1h: u64,
    cache_read: u64,
    output: u64,
    thinking: u64,
}

impl Reported {
    /// Takes in a `usage` object.
    pub(super) fn take(&mut self, usage: Raw<'_>) {
        for (key, value) in usage.members() {
            let Some(field) = (match key {
                b"input_tokens" => Some(&mut self.input),
                b"cache_creation_input_tokens" => Some(&mut self.cache_write),
                b"cache_read_input_tokens" => Some(&mut self.cache_read),
                b"output_tokens" => Some(&mut self.output),
                b"cache_creation" => {
                    let hour = value.first("ephemeral_1h_input_tokens").and_then(Raw::count);
                    self.cache_write_1h = hour.unwrap_or(self.cache_write_1h);
                    None
                }
                b"output_tokens_details" => {
                    let thinking = value.first("thinking_tokens").and_then(Raw::count);
                    self.thinking = thinking.unwrap_or(self.thinking);
                    None
                }
                _ => None,
            }) else {
                continue;
            };
            *field = value.count().unwrap_or(*field);
        }
    }

    /// The counts with the model's arithmetic.
    pub(super) fn counts(&self) -> TokenCounts {
        TokenCounts {
            input: self.input.saturating_add(self.cache_write).saturating_add(self.cache_read),
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
            reasoning: self.thinking,
            ..TokenCounts::default()
        }
    }
}

/// The tier that a `usage` object names.
pub(super) fn tier(usage: Raw<'_>) -> Option<Text<'_>> {
    usage.first("service_tier").and_then(Raw::text)
}

/// Appends the members of a `usage` object.
pub(super) fn write(counts: &TokenCounts, tier: Option<&str>, usage: &mut ObjectWriter<'_>) {
    usage.number("input_tokens", counts.uncached_input());
    usage.number("cache_creation_input_tokens", counts.cache_write);
    usage.number("cache_read_input_tokens", counts.cache_read);
    if counts.cache_write > 0 {
        let mut creation = usage.object("cache_creation");
        creation.number("ephemeral_5m_input_tokens", counts.cache_write.saturating_sub(counts.cache_write_1h));
        creation.number("ephemeral_1h_input_tokens", counts.cache_write_1h);
    }
    usage.number("output_tokens", counts.output);
    if counts.reasoning > 0 {
        usage.object("output_tokens_details").number("thinking_tokens", counts.reasoning);
    }
    let known = tier.and_then(|tier| match tier {
        "standard" | "priority" | "batch" => Some(tier),
        "default" => Some("standard"),
        _ => None,
    });
    usage.maybe_string("service_tier", known);
}
