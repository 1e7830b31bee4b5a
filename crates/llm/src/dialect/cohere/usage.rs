//! Token counts: `tokens` is what was processed, `billed_units` what is charged. The former are read, for only they say
//! how full the context is; cached input is part of the input, reasoning part of the output.

use crate::json::{ObjectWriter, Raw};
use crate::model::TokenCounts;

/// Reads a `usage` object.
pub(super) fn read(usage: Raw<'_>) -> TokenCounts {
    let (mut billed, mut processed) = (TokenCounts::default(), TokenCounts::default());
    let mut cached = 0;
    for (key, value) in usage.members() {
        match key {
            b"billed_units" => billed = read_units(value),
            b"tokens" => processed = read_units(value),
            b"cached_tokens" => cached = value.count().unwrap_or(0),
            _ => {}
        }
    }
    let counts = if processed.total() == 0 { billed } else { processed };
    TokenCounts { cache_read: cached, ..counts }
}

fn read_units(units: Raw<'_>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    for (key, value) in units.members() {
        let count = value.count().unwrap_or(0);
        match key {
            b"input_tokens" => counts.input = count,
            b"output_tokens" => counts.output = count,
            b"reasoning_tokens" => counts.reasoning = count,
            _ => {}
        }
    }
    counts
}

/// Writes the members of a `usage` object.
pub(super) fn write(counts: &TokenCounts, usage: &mut ObjectWriter<'_>) {
    for key in ["billed_units", "tokens"] {
        let mut units = usage.object(key);
        units.number("input_tokens", counts.input);
        units.number("output_tokens", counts.output);
        if key == "tokens" && counts.reasoning > 0 {
            units.number("reasoning_tokens", counts.reasoning);
        }
    }
    usage.number("cached_tokens", counts.cache_read);
}
