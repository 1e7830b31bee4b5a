//! Content blocks: what messages, answers and results of tools are made of.
//!
//! Invariant: a block that this dialect alone knows is kept whole, as an opaque part. Used by requests, answers and
//! streams.

mod read;
mod write;

pub(super) use read::{cache_point, citation, is_server_side, read_all, redacted};
pub(super) use write::{
    write_cache_point, write_citation, write_extras, write_redacted, write_thought, write_tool_use,
    write_with_citations,
};
