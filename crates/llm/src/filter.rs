//! What of a streamed answer reaches the client: everything, but for a usage chunk that only we have asked for.
//!
//! Invariant: complete events are never delayed and never rewritten; an event is dropped whole or forwarded byte for
//! byte. Only where a chunk may have to be dropped are bytes of an unfinished event held until its end arrives.
//! The data plane runs every chunk of a streamed answer through one filter.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::errors::{ErrorKind, stream_error_event};
use crate::observe::{EventClass, StreamObserver};

/// Whether the client may see the usage chunk of an OpenAI chat stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageChunk {
    /// The client asked for it, or the dialect has none.
    Forward,
    /// We asked for it and the client did not.
    Hide,
}

/// Forwards one stream and observes it on the way.
#[derive(Debug)]
pub struct StreamFilter {
    observer: StreamObserver,
    usage_chunk: UsageChunk,
}

impl StreamFilter {
    pub fn new(observer: StreamObserver, usage_chunk: UsageChunk) -> Self {
        Self { observer, usage_chunk }
    }

    /// Takes the next chunk from the provider and gives what is to be sent now, if anything.
    pub fn push(&mut self, chunk: Bytes) -> Option<Bytes> {
        match self.usage_chunk {
            UsageChunk::Forward => {
                self.observer.observe(&chunk);
                Some(chunk).filter(|chunk| !chunk.is_empty())
            }
            UsageChunk::Hide => self.push_hiding(&chunk),
        }
    }

    fn push_hiding(&mut self, chunk: &Bytes) -> Option<Bytes> {
        let held = Bytes::copy_from_slice(self.observer.pending());
        let mut sorted = Sorted::default();
        let followed = self.observer.observe_blocks(chunk, |end, class| sorted.add(end, class));
        // A stream that cannot be followed has nothing in it that could be told apart.
        let decided = followed.unwrap_or(chunk.len());
        if followed.is_none() {
            self.usage_chunk = UsageChunk::Forward;
        }
        let held_goes = sorted.first.map_or(followed.is_none(), |class| class == EventClass::Content);
        sorted.join(chunk, decided, if held_goes { &held } else { &[] })
    }

    /// Takes the end of the provider's bytes and gives what was still held.
    pub fn flush(&mut self) -> Option<Bytes> {
        let rest = match self.usage_chunk {
            UsageChunk::Forward => Bytes::new(),
            UsageChunk::Hide => Bytes::copy_from_slice(self.observer.pending()),
        };
        self.usage_chunk = UsageChunk::Forward;
        Some(rest).filter(|rest| !rest.is_empty())
    }

    /// What tells the client that the stream is broken, to be sent instead of [`StreamFilter::flush`]. An event that
    /// was forwarded in part is closed first, so that the error stands on its own.
    pub fn error_event(&self, kind: ErrorKind, message: &str) -> Bytes {
        let event = stream_error_event(self.observer.protocol(), kind, message);
        let torn = self.usage_chunk == UsageChunk::Forward && !self.observer.pending().is_empty();
        if torn && !event.is_empty() { Bytes::from([b"\n\n", event.as_ref()].concat()) } else { event }
    }

    /// What has been learnt of the stream.
    pub fn observer(&self) -> &StreamObserver {
        &self.observer
    }
}

/// The blocks that one chunk completes, sorted into those that go out and those that do not.
#[derive(Default)]
struct Sorted {
    first: Option<EventClass>,
    /// Where the last block ended.
    end: usize,
    /// Parts of the chunk that are dropped, in order. Almost always empty.
    dropped: Vec<Range<usize>>,
}

impl Sorted {
    fn add(&mut self, end: usize, class: EventClass) {
        self.first.get_or_insert(class);
        if class == EventClass::UsageOnly {
            self.dropped.push(self.end..end);
        }
        self.end = end;
    }

    /// `held` and what stays of `chunk[..decided]`; a slice of `chunk` if that is one run.
    fn join(self, chunk: &Bytes, decided: usize, held: &[u8]) -> Option<Bytes> {
        let mut runs = Vec::new();
        let mut from = 0;
        for gap in self.dropped {
            runs.push(from..gap.start);
            from = gap.end;
        }
        let last = from..decided;
        runs.retain(|run| !run.is_empty());
        if held.is_empty() && runs.is_empty() {
            return (!last.is_empty()).then(|| chunk.slice(last));
        }
        runs.push(last);
        let mut joined = BytesMut::with_capacity(held.len() + decided);
        joined.extend_from_slice(held);
        for run in runs {
            joined.extend_from_slice(&chunk[run]);
        }
        Some(joined.freeze())
    }
}
