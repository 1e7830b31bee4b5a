//! The text of a streamed answer, kept for the citations that point into it.
//!
//! Invariant: no choice keeps more than [`MOST_BYTES`]; where a longer answer's citations point is not told. Used by
//! readers and writers of dialects that tell it in other units, or quote it.

/// More than a model answers at once.
const MOST_BYTES: usize = 1 << 20;

/// The text so far, unless it has grown too long.
#[derive(Debug)]
pub(in crate::dialect) struct CitedText {
    kept: Option<String>,
}

impl Default for CitedText {
    fn default() -> Self {
        Self { kept: Some(String::new()) }
    }
}

impl CitedText {
    pub(in crate::dialect) fn push(&mut self, piece: &str) {
        match &mut self.kept {
            Some(kept) if kept.len() + piece.len() <= MOST_BYTES => kept.push_str(piece),
            Some(_) => self.kept = None,
            None => {}
        }
    }

    /// `None` once it was too long: spans mean nothing then.
    pub(in crate::dialect) fn get(&self) -> Option<&str> {
        self.kept.as_deref()
    }
}
