//! How a stream's bytes are cut into [`Frame`]s, whatever carries them.
//!
//! Invariant: frames are handed out in order, each once, whatever the chunks' boundaries. Used by the stream
//! translator.

use crate::array_framing::{ArrayDecoder, ArrayError, Place};
use crate::dialect::{Dialect, Frame};
use crate::eventstream::{EventStreamDecoder, EventStreamError, Message};
use crate::line_framing::{LineDecoder, LineError};
use crate::sse::{SseDecoder, SseError};

/// Frames hold whole pictures and recordings, and a `response.completed` the whole answer.
const MAX_FRAME_BYTES: usize = 16 << 20;

/// The bytes are no stream of the expected framing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error(transparent)]
    Sse(#[from] SseError),
    #[error(transparent)]
    EventStream(#[from] EventStreamError),
    #[error(transparent)]
    JsonArray(#[from] ArrayError),
    #[error(transparent)]
    Lines(#[from] LineError),
}

impl FrameError {
    /// The bytes may be what they should be; they are only more than is read.
    pub(crate) fn is_too_large(&self) -> bool {
        match self {
            FrameError::Sse(SseError::EventTooLarge { .. })
            | FrameError::EventStream(EventStreamError::MessageTooLarge { .. })
            | FrameError::JsonArray(ArrayError::ElementTooLarge { .. })
            | FrameError::Lines(LineError::LineTooLong { .. }) => true,
            FrameError::EventStream(
                EventStreamError::BadLengths | EventStreamError::BadChecksum | EventStreamError::BadHeaders,
            ) => false,
        }
    }
}

/// What carries a provider's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamFraming {
    Sse,
    AwsEventStream,
    /// Gemini's, as its client has asked.
    SseOrJsonArray,
    /// A JSON value on each line.
    Lines,
}

impl Dialect {
    /// What carries the dialect's streams.
    pub(crate) const fn framing(self) -> StreamFraming {
        match self {
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Cohere => StreamFraming::Sse,
            Dialect::Gemini => StreamFraming::SseOrJsonArray,
            Dialect::BedrockConverse => StreamFraming::AwsEventStream,
        }
    }
}

/// What a frame of our own needs so as to stand on its own where a stream has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seam {
    /// An event of the dialect's framing fits, behind `before`, which ends an event that had begun.
    Event { before: &'static str },
    /// An element of the stream's JSON array fits, behind `before`; the array's end must follow.
    Element { before: &'static str },
    /// A frame has begun that nothing but its own rest can end, or the framing has ended: nothing fits.
    Torn,
}

impl Seam {
    /// The seam behind a stream of server-sent events that `decoder` has taken in.
    pub(crate) fn behind_events(decoder: &SseDecoder) -> Self {
        Seam::Event { before: if decoder.is_within_event() { "\n\n" } else { "" } }
    }
}

/// Cuts a provider's bytes into frames.
#[derive(Debug)]
pub enum Deframer {
    Sse(SseDecoder),
    AwsEventStream(EventStreamDecoder),
    JsonArray(ArrayDecoder),
    Lines(LineDecoder),
    /// Gemini's, until its first byte has come: an array opens with a bracket, an event never does.
    SseOrJsonArray,
}

impl Deframer {
    /// Cuts what `framing` carries.
    pub fn new(framing: StreamFraming) -> Self {
        match framing {
            StreamFraming::Sse => Deframer::Sse(SseDecoder::new(MAX_FRAME_BYTES)),
            StreamFraming::AwsEventStream => Deframer::AwsEventStream(EventStreamDecoder::new(MAX_FRAME_BYTES)),
            StreamFraming::SseOrJsonArray => Deframer::SseOrJsonArray,
            StreamFraming::Lines => Deframer::Lines(LineDecoder::new(MAX_FRAME_BYTES)),
        }
    }

    /// Where a frame of our own would have to join on now.
    pub(crate) fn seam(&self) -> Seam {
        match self {
            Deframer::Sse(decoder) => Seam::behind_events(decoder),
            Deframer::AwsEventStream(decoder) if decoder.is_torn() => Seam::Torn,
            Deframer::AwsEventStream(_) | Deframer::Lines(_) | Deframer::SseOrJsonArray => Seam::Event { before: "" },
            Deframer::JsonArray(decoder) => match decoder.place() {
                Place::BeforeElement => Seam::Element { before: "" },
                Place::BehindElement => Seam::Element { before: "," },
                Place::WithinElement | Place::End => Seam::Torn,
            },
        }
    }

    /// The framing allows an end here: only an array has to be closed.
    pub fn may_end(&self) -> bool {
        match self {
            Deframer::JsonArray(decoder) => decoder.place() == Place::End,
            Deframer::Sse(_) | Deframer::AwsEventStream(_) | Deframer::Lines(_) | Deframer::SseOrJsonArray => true,
        }
    }

    /// Takes the end of the bytes and gives the frame that it completes: a last line needs no line feed.
    pub fn end(&mut self, mut visit: impl FnMut(Frame<'_>)) {
        match self {
            Deframer::Lines(decoder) => {
                decoder.end(|line| visit(Frame { name: b"", data: line, is_exception: false }));
            }
            Deframer::Sse(_) | Deframer::AwsEventStream(_) | Deframer::JsonArray(_) | Deframer::SseOrJsonArray => {}
        }
    }

    /// Takes in the next chunk and gives the frames it completes.
    ///
    /// # Errors
    /// If the bytes do not follow the framing.
    pub fn push(&mut self, chunk: &[u8], mut visit: impl FnMut(Frame<'_>)) -> Result<(), FrameError> {
        match self {
            Deframer::Sse(decoder) => {
                decoder.push(chunk, |block| {
                    if let Some(event) = block.event() {
                        visit(Frame { name: event.name, data: &event.data, is_exception: false });
                    }
                })?;
            }
            Deframer::AwsEventStream(decoder) => decoder.push(chunk, |message| visit(frame_of(&message)))?,
            Deframer::JsonArray(decoder) => {
                decoder.push(chunk, |element| visit(Frame { name: b"", data: element, is_exception: false }))?;
            }
            Deframer::Lines(decoder) => {
                decoder.push(chunk, |line| visit(Frame { name: b"", data: line, is_exception: false }))?;
            }
            Deframer::SseOrJsonArray => {
                let Some(first) = chunk.iter().position(|byte| !byte.is_ascii_whitespace()) else { return Ok(()) };
                let (decided, rest) = match chunk[first] {
                    b'[' => (Deframer::JsonArray(ArrayDecoder::new(MAX_FRAME_BYTES)), &chunk[first + 1..]),
                    _ => (Deframer::Sse(SseDecoder::new(MAX_FRAME_BYTES)), &chunk[first..]),
                };
                *self = decided;
                return self.push(rest, visit);
            }
        }
        Ok(())
    }
}

/// A message as a frame. Messages of the type `error` have no payload: their text stands in a header.
fn frame_of<'a>(message: &Message<'a>) -> Frame<'a> {
    let name = |header| message.text(header).unwrap_or_default().as_bytes();
    match message.text(":message-type") {
        Some("exception") => Frame { name: name(":exception-type"), data: message.payload, is_exception: true },
        Some("error") => Frame { name: name(":error-code"), data: name(":error-message"), is_exception: true },
        Some(_) | None => Frame { name: name(":event-type"), data: message.payload, is_exception: false },
    }
}
