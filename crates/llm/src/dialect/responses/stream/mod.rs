//! Streams: named events, each with a sequence number.

mod items;
mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
