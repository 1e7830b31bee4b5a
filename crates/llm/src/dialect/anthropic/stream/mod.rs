//! Streams: `message_start`, blocks one after the other, `message_delta`, `message_stop`; `ping` anywhere.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
