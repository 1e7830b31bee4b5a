//! A streamed answer: `message-start`, then per part a start, deltas and an end, `message-end`, and `[DONE]`.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
