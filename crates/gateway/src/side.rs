//! An HTTP client for the side runtime.

/// An HTTP client for the side runtime.
#[derive(Debug)]
pub struct SideClient {}
