//! Amazon Bedrock's `invoke-with-response-stream`: each frame holds one event of the model's family, in base64.
//!
//! Events of Anthropic's models are told in full; of other families, whose events are not read here, only what the last
//! frame counts. Invariant: counts that the model has told itself are not told again, for Bedrock's
//! leave the cache out at times.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialect::client::invoke::METRICS;
use crate::dialect::{Dialect, EventReader, Frame};
use crate::json::Raw;
use crate::model::{Event, TokenCounts};

/// Reads one stream.
pub(super) struct Reader {
    events: Box<dyn EventReader>,
    has_usage: bool,
    /// The frame with the counts, the last one, has come.
    is_counted: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { events: Dialect::Anthropic.stream_reader(), has_usage: false, is_counted: false }
    }
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        if frame.is_exception {
            return self.events.read(frame, tell);
        }
        let wrapped = Raw::new(frame.data).and_then(|chunk| chunk.first("bytes")).and_then(Raw::text);
        let Some(event) = wrapped.and_then(|text| STANDARD.decode(text.as_bytes()).ok()) else { return };
        let metrics = Raw::new(&event).and_then(|event| event.first(METRICS));
        if let Some(metrics) = metrics {
            self.is_counted = true;
            if !self.has_usage {
                tell(Event::Usage(read_metrics(metrics)));
            }
        }
        let Self { events, has_usage, .. } = self;
        events.read(Frame { name: b"", data: &event, is_exception: false }, &mut |event| {
            *has_usage |= matches!(&event, Event::Usage(counts) if counts.output > 0);
            tell(event);
        });
    }

    fn may_end(&self) -> bool {
        self.is_counted
    }
}

/// Bedrock counts cached input beside the rest.
fn read_metrics(metrics: Raw<'_>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    for (key, value) in metrics.members() {
        let count = value.count().unwrap_or(0);
        match key {
            b"inputTokenCount" => counts.input = counts.input.saturating_add(count),
            b"outputTokenCount" => counts.output = count,
            b"cacheReadInputTokenCount" => {
                counts.cache_read = count;
                counts.input = counts.input.saturating_add(count);
            }
            b"cacheWriteInputTokenCount" => {
                counts.cache_write = count;
                counts.input = counts.input.saturating_add(count);
            }
            _ => {}
        }
    }
    counts
}
