//! JSON in place: text is walked and sliced, never built into a tree.
//!
//! [`cursor`] knows the grammar and refuses what breaks it; [`skim`] gets past values without checking them; [`raw`]
//! looks at one value at a time; [`write`] makes new text. Invariant: nothing here copies or outlives the
//! text it was given. Called by the body scan, the readers of buffered answers and usage, and the stream observer.

mod cursor;
mod raw;
mod skim;
mod write;

pub use cursor::ScanError;
pub(crate) use cursor::{Cursor, Fault, Token, plain_run};
pub use raw::{Elements, Members, Raw};
pub(crate) use raw::{key_is, unescape};
pub use write::{ArrayWriter, ObjectWriter, keep_on_one_line, write_number, write_string};

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

impl Kind {
    /// What the value is that begins with `first`; `None` if none does.
    pub(crate) const fn of(first: u8) -> Option<Self> {
        Some(match first {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return None,
        })
    }
}
