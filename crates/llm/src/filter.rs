//! What of a streamed answer reaches the client: everything, but for a usage chunk that only we have asked for; or,
//! where the client speaks another dialect, all of it in that.
//!
//! Invariant: complete events are never delayed. In the same dialect they are never rewritten either; an event is
//! dropped whole or forwarded byte for byte. Only where a chunk may have to be dropped are bytes of an unfinished event
//! held until its end arrives, or until it is too large to be that chunk.
//! The data plane runs every chunk of a streamed answer through one filter.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::dialect::Dialect;
use crate::errors::{ApiError, ErrorKind, stream_error_event, write_error};
use crate::framing::{FrameError, Seam};
use crate::model::Event;
use crate::observe::{EventClass, StreamEnd, StreamObserver};
use crate::protocol::Protocol;
use crate::sse::Block;
use crate::translate::{StreamTranslator, TranslatedEnd};

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
    passage: Passage,
}

/// The provider's bytes are no stream of its dialect any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct BrokenStream {
    /// What the client is still to get.
    pub translated: Option<Bytes>,
    pub fault: FrameError,
}

/// What becomes of the provider's bytes.
#[derive(Debug)]
enum Passage {
    /// They are forwarded.
    Same(UsageChunk),
    /// They are told in the client's dialect.
    Translated(Box<StreamTranslator>),
}

impl StreamFilter {
    pub fn new(observer: StreamObserver, usage_chunk: UsageChunk) -> Self {
        Self { observer, passage: Passage::Same(usage_chunk) }
    }

    /// A filter that translates a stream in `provider`'s protocol; `keep_text` as in [`StreamObserver::keep_text`].
    pub fn translating(provider: Protocol, translator: StreamTranslator, keep_text: usize) -> Self {
        let observer = StreamObserver::told(provider).keep_text(keep_text);
        Self { observer, passage: Passage::Translated(Box::new(translator)) }
    }

    /// Takes the next chunk from the provider and gives what is to be sent now, if anything.
    ///
    /// # Errors
    /// If the chunk cannot be translated, for it is no stream of the provider's dialect. What stood before the fault is
    /// translated, and still to be sent.
    pub fn push(&mut self, chunk: Bytes) -> Result<Option<Bytes>, BrokenStream> {
        match &mut self.passage {
            Passage::Same(UsageChunk::Forward) => {
                self.observer.observe(&chunk);
                Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
            }
            Passage::Same(UsageChunk::Hide) => Ok(self.push_hiding(&chunk)),
            Passage::Translated(translator) => {
                let mut out = Vec::new();
                let read = translator.push(&chunk, &mut out, &mut |event| self.observer.note(event));
                let translated = some_bytes(out);
                match read {
                    Ok(()) => Ok(translated),
                    Err(fault) => Err(BrokenStream { translated, fault }),
                }
            }
        }
    }

    fn push_hiding(&mut self, chunk: &Bytes) -> Option<Bytes> {
        let mut sorted = Sorted::default();
        let decided = self.observer.observe_blocks(chunk, |block, class| sorted.add(block, class));
        sorted.join(chunk, decided)
    }

    /// How many events could not be decoded and so reached nobody; where bytes are forwarded, none.
    pub fn skipped(&self) -> u64 {
        match &self.passage {
            Passage::Same(_) => 0,
            Passage::Translated(translator) => translator.skipped(),
        }
    }

    /// Takes the end of the provider's bytes: how the stream stands, and what is still to be sent if it ended well.
    pub fn end(&mut self) -> (StreamEnd, Option<Bytes>) {
        match &mut self.passage {
            Passage::Same(usage_chunk) => {
                let held = match usage_chunk {
                    UsageChunk::Forward => Vec::new(),
                    UsageChunk::Hide => self.observer.pending().to_vec(),
                };
                let end = self.observer.end();
                if end != StreamEnd::Cut {
                    *usage_chunk = UsageChunk::Forward;
                }
                (end, some_bytes(held))
            }
            Passage::Translated(translator) => {
                let mut out = Vec::new();
                translator.push_last(&mut out, &mut |event| self.observer.note(event));
                let end = match translator.end(&mut out) {
                    TranslatedEnd::Complete => {
                        self.observer.note(&Event::End);
                        StreamEnd::Complete
                    }
                    TranslatedEnd::Failed(message) => StreamEnd::InStreamError(message),
                    TranslatedEnd::Cut => StreamEnd::Cut,
                };
                (end, some_bytes(out))
            }
        }
    }

    /// What tells the client that the stream is broken. An event that was forwarded in part is closed first, so that
    /// the error stands on its own. Empty where that cannot be done: only the connection's end can tell then.
    pub fn error_event(&mut self, kind: ErrorKind, message: &str) -> Bytes {
        match &mut self.passage {
            Passage::Same(UsageChunk::Hide) if !self.observer.is_passing_over() => {
                stream_error_event(self.observer.protocol(), kind, message)
            }
            Passage::Same(_) => self.error_behind_forwarded(kind, message),
            Passage::Translated(translator) => {
                let mut out = Vec::new();
                let status = kind.status();
                translator.fail(&ApiError { kind, status, message: message.into(), code: None, param: None }, &mut out);
                Bytes::from(out)
            }
        }
    }

    /// The error, joined on to what the client has got already.
    fn error_behind_forwarded(&self, kind: ErrorKind, message: &str) -> Bytes {
        match self.observer.seam() {
            Seam::Torn => Bytes::new(),
            Seam::Event { before } => {
                let event = stream_error_event(self.observer.protocol(), kind, message);
                if event.is_empty() { event } else { Bytes::from([before.as_bytes(), event.as_ref()].concat()) }
            }
            Seam::Element { before } => {
                let error = write_error(Dialect::Gemini, &ApiError::new(kind, message)).body;
                Bytes::from([before.as_bytes(), error.as_ref(), b"]"].concat())
            }
        }
    }

    /// The client gets the stream in another dialect than its provider tells it in.
    pub fn translates(&self) -> bool {
        matches!(self.passage, Passage::Translated(_))
    }

    /// What has been learnt of the stream.
    pub fn observer(&self) -> &StreamObserver {
        &self.observer
    }
}

fn some_bytes(bytes: Vec<u8>) -> Option<Bytes> {
    Some(bytes).filter(|bytes| !bytes.is_empty()).map(Bytes::from)
}

/// The blocks that one chunk completes, sorted into those that go out and those that do not.
#[derive(Default)]
struct Sorted {
    /// What goes out of the chunks before.
    held: Vec<u8>,
    /// Where the last block ended.
    end: usize,
    /// Parts of the chunk that are dropped, in order. Almost always empty.
    dropped: Vec<Range<usize>>,
}

impl Sorted {
    fn add(&mut self, block: Block<'_>, class: EventClass) {
        match class {
            EventClass::Content => self.held.extend_from_slice(block.held),
            EventClass::UsageOnly => self.dropped.push(self.end..block.end),
        }
        self.end = block.end;
    }

    /// What was held and what stays of `chunk[..decided]`; a slice of `chunk` if that is one run.
    fn join(self, chunk: &Bytes, decided: usize) -> Option<Bytes> {
        let held = self.held;
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
        joined.extend_from_slice(&held);
        for run in runs {
            joined.extend_from_slice(&chunk[run]);
        }
        Some(joined.freeze())
    }
}
