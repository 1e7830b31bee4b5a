//! How a stream's bytes are cut into [`Frame`]s, whatever carries them.
//!
//! Invariant: frames are handed out in order, each once, whatever the chunks' boundaries. Used by the stream
//! translator.

use crate::dialect::{Dialect, Frame};
use crate::eventstream::{EventStreamDecoder, EventStreamError, Message};
use crate::sse::{MAX_EVENT_BYTES, SseDecoder, SseError};

/// The bytes are no stream of the expected framing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error(transparent)]
    Sse(#[from] SseError),
    #[error(transparent)]
    EventStream(#[from] EventStreamError),
}

/// Cuts a provider's bytes into frames.
#[derive(Debug)]
pub enum Deframer {
    Sse(SseDecoder),
    AwsEventStream(EventStreamDecoder),
}

impl Deframer {
    /// The framing of `dialect`'s streams.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Cohere => {
                Deframer::Sse(SseDecoder::new(MAX_EVENT_BYTES))
            }
            Dialect::BedrockConverse => Deframer::AwsEventStream(EventStreamDecoder::new(MAX_EVENT_BYTES)),
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
