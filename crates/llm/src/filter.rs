//! What of a streamed answer reaches the client: everything, but for a usage chunk that only we have asked for.
//!
//! Invariant: complete events are never delayed and never rewritten; an event is dropped whole or forwarded byte for
//! byte. Only where a chunk may have to be dropped are bytes of an unfinished event held until its end arrives.

use bytes::{Bytes, BytesMut};

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
        Self {
            observer,
            usage_chunk,
        }
    }

    /// Takes the next chunk from the provider and gives what is to be sent now, if anything.
    pub fn push(&mut self, chunk: Bytes) -> Option<Bytes> {
        match self.usage_chunk {
            UsageChunk::Forward => {
                self.observer.observe(&chunk);
                Some(chunk).filter(|chunk| !chunk.is_empty())
            }
            UsageChunk::Hide => self.push_hiding(chunk),
        }
    }

    fn push_hiding(&mut self, chunk: Bytes) -> Option<Bytes> {
        let held = Bytes::copy_from_slice(self.observer.pending());
        let mut out = Pieces {
            chunk: &chunk,
            held,
            from: 0,
            to: 0,
            joined: BytesMut::new(),
        };
        let followed = self
            .observer
            .observe_blocks(&chunk, |block, class| out.block(block.end, class));
        if !followed {
            // The stream cannot be followed any more, so nothing in it can be told apart.
            out.to = chunk.len();
            self.usage_chunk = UsageChunk::Forward;
        }
        out.finish()
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

    /// What has been learnt of the stream.
    pub fn observer(&self) -> &StreamObserver {
        &self.observer
    }
}

/// Collects the parts of one chunk that go out. As long as they are one run of the chunk, nothing is copied.
struct Pieces<'a> {
    chunk: &'a Bytes,
    /// The beginning, in earlier chunks, of the first event that this chunk completes.
    held: Bytes,
    /// The run of the chunk that goes out and is not yet in `joined`.
    from: usize,
    to: usize,
    joined: BytesMut,
}

impl Pieces<'_> {
    /// An event ends at `end` of the chunk.
    fn block(&mut self, end: usize, class: EventClass) {
        let held = std::mem::take(&mut self.held);
        match class {
            EventClass::Content => {
                self.joined.extend_from_slice(&held);
                self.to = end;
            }
            EventClass::UsageOnly => {
                self.joined
                    .extend_from_slice(&self.chunk[self.from..self.to]);
                self.from = end;
                self.to = end;
            }
        }
    }

    fn finish(mut self) -> Option<Bytes> {
        let run = self.from..self.to;
        if self.joined.is_empty() && self.held.is_empty() {
            return (!run.is_empty()).then(|| self.chunk.slice(run));
        }
        if run.is_empty() && self.joined.is_empty() {
            return None;
        }
        self.joined.extend_from_slice(&self.chunk[run]);
        Some(self.joined.freeze())
    }
}
