//! Writes a stream: the events of the family's dialect, each within a `chunk`.
//!
//! Invariant: an event leaves in the call that completes it, and the counts stand in the last one alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{InvokeFamily, METRICS};
use crate::dialect::{EventWriter, Frame, Reply, write_exception};
use crate::eventstream::{EventStreamDecoder, write_message};
use crate::framing::Deframer;
use crate::json::ObjectWriter;
use crate::model::{Event, TokenCounts};
use crate::sse::SseDecoder;

/// Writes one stream.
pub(in crate::dialect::client) struct Writer {
    family: InvokeFamily,
    events: Box<dyn EventWriter>,
    /// What `events` has written and is not sent: always whole events.
    written: Vec<u8>,
    frames: Deframer,
    counts: TokenCounts,
}

impl Writer {
    pub(in crate::dialect::client) fn new(family: InvokeFamily, reply: Reply) -> Self {
        // The bounds are for what others send.
        let frames = match family {
            InvokeFamily::Anthropic => Deframer::Sse(SseDecoder::new(usize::MAX)),
            InvokeFamily::Nova => Deframer::AwsEventStream(EventStreamDecoder::new(usize::MAX)),
        };
        let events = family.dialect().stream_writer(reply);
        Self { family, events, written: Vec::new(), frames, counts: TokenCounts::default() }
    }

    /// Sends what has been written.
    fn send(&mut self, out: &mut Vec<u8>) {
        let Self { family, written, frames, counts, .. } = self;
        // What our own writers write can be cut.
        let _ = frames.push(written, |frame| send_chunk(out, &event_of(*family, frame, counts)));
        written.clear();
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Error(error) => return write_exception(error, out),
            Event::Usage(counts) => self.counts.merge(counts),
            _ => {}
        }
        self.events.write(event, &mut self.written);
        self.send(out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.events.finish(&mut self.written);
        self.send(out);
    }
}

/// The JSON of an event: in Nova's streams, its name is a member that holds it.
fn event_of(family: InvokeFamily, frame: Frame<'_>, counts: &TokenCounts) -> Vec<u8> {
    let mut event = Vec::with_capacity(frame.name.len() + frame.data.len() + 5);
    let is_last = match family {
        InvokeFamily::Anthropic => {
            event.extend_from_slice(frame.data);
            frame.name == b"message_stop"
        }
        InvokeFamily::Nova => {
            for piece in [b"{\"", frame.name, b"\":", frame.data, b"}"] {
                event.extend_from_slice(piece);
            }
            frame.name == b"metadata"
        }
    };
    if is_last {
        // Both are objects that hold something.
        event.pop();
        event.push(b',');
        let mut metrics = Vec::new();
        write_metrics(counts, &mut ObjectWriter::new(&mut metrics).object(METRICS));
        event.extend_from_slice(&metrics[1..]);
    }
    event
}

/// Bedrock counts cached input beside the rest. How long the model took is not known here.
fn write_metrics(counts: &TokenCounts, metrics: &mut ObjectWriter<'_>) {
    metrics.number("inputTokenCount", counts.uncached_input());
    metrics.number("outputTokenCount", counts.output);
    metrics.number("cacheReadInputTokenCount", counts.cache_read);
    metrics.number("cacheWriteInputTokenCount", counts.cache_write);
    metrics.number("invocationLatency", 0);
    metrics.number("firstByteLatency", 0);
}

/// Appends a frame that holds `event`.
fn send_chunk(out: &mut Vec<u8>, event: &[u8]) {
    let headers = [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
    write_message(out, &headers, |out| ObjectWriter::new(out).string("bytes", &STANDARD.encode(event)));
}
