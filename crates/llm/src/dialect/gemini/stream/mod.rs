//! Streams: each chunk is an answer of its own which holds what is new of each candidate, and all counts so far.

mod chunks;
mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
