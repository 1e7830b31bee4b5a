//! Content blocks: what turns and answers are made of.
//!
//! Invariant: a block that this dialect alone knows is kept whole, as an opaque part. Used by requests, answers and
//! streams.

mod read;
mod write;

pub(super) use read::{cache_control, citation, read_all};
pub(super) use write::{
    write_cache, write_citation, write_extras, write_redacted, write_text, write_thinking, write_tool_use,
};
