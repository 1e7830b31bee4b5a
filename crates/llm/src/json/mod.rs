//! JSON in place: text is walked and sliced, never built into a tree.
//!
//! [`cursor`] knows the grammar and refuses what breaks it; [`raw`] looks at one value at a time. Invariant: nothing
//! here copies or outlives the text it was given. Called by the body scan, the usage reader and the stream observer.

mod cursor;
mod raw;

pub use cursor::ScanError;
pub(crate) use cursor::{Cursor, Fault, Token, plain_run};
pub use raw::{Elements, Members, Raw};
pub(crate) use raw::{key_is, unescape};

/// What a JSON value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}
