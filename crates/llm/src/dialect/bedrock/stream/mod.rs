//! Streams: `messageStart`, blocks one after the other, `messageStop`, `metadata`.
//!
//! Only calls of tools and media open with `contentBlockStart`; text and reasoning begin with their first delta.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
pub(crate) use write::write_exception;
