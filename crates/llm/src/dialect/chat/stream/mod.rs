//! A streamed answer: chunks of `chat.completion.chunk`, then `[DONE]`.
//!
//! Perplexity and Gemini's endpoint end with their connection instead, so a stream is also whole once every choice that
//! was begun has a finish reason.

mod chunk;
mod delta;
mod read;
mod write;

pub(in crate::dialect) use chunk::Envelope;
pub(in crate::dialect) use read::Reader;
pub(in crate::dialect) use write::{CountsAt, Writer};
