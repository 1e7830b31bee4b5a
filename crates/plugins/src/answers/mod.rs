//! Plugins that answer requests themselves: no upstream is called.

pub(crate) mod mocking;
pub(crate) mod public_api;
