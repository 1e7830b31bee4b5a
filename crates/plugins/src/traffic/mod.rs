//! What bounds how much traffic passes.

pub(crate) mod limit_count;
