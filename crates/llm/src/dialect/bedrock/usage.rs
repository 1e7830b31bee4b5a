//! Token counts: cached input is counted beside `inputTokens`, and the total is the sum of all.

use crate::json::{ObjectWriter, Raw};
use crate::model::TokenCounts;

/// Reads `usage`. The cache's counts come under two names each; `serverToolUsage` counts no tokens.
pub(super) fn read(usage: Raw<'_>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    let mut uncached = 0;
    for (key, value) in usage.members() {
        let count = value.count().unwrap_or(0);
        match key {
            b"inputTokens" => uncached = count,
            b"outputTokens" => counts.output = count,
            b"cacheReadInputTokens" | b"cacheReadInputTokenCount" => counts.cache_read = counts.cache_read.max(count),
            b"cacheWriteInputTokens" | b"cacheWriteInputTokenCount" => {
                counts.cache_write = counts.cache_write.max(count);
            }
            b"cacheDetails" => {
                let hourly =
                    value.elements().filter(|detail| detail.get("ttl").and_then(Raw::text).as_deref() == Some("1h"));
                counts.cache_write_1h =
                    hourly.filter_map(|detail| detail.get("inputTokens")?.count()).fold(0, u64::saturating_add);
            }
            _ => {}
        }
    }
    counts.input = uncached.saturating_add(counts.cache_read).saturating_add(counts.cache_write);
    counts
}

/// Appends the members of `usage`.
pub(super) fn write(counts: &TokenCounts, usage: &mut ObjectWriter<'_>) {
    usage.number("inputTokens", counts.uncached_input());
    usage.number("outputTokens", counts.output);
    usage.number("totalTokens", counts.total());
    usage.number("cacheReadInputTokens", counts.cache_read);
    usage.number("cacheWriteInputTokens", counts.cache_write);
    if counts.cache_write == 0 {
        return;
    }
    let mut details = usage.array("cacheDetails");
    let short = counts.cache_write.saturating_sub(counts.cache_write_1h);
    for (ttl, tokens) in [("5m", short), ("1h", counts.cache_write_1h)] {
        if tokens > 0 {
            let mut detail = details.object();
            detail.string("ttl", ttl);
            detail.number("inputTokens", tokens);
        }
    }
}
