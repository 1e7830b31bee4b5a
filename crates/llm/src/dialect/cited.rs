//! The text of an answer, kept for the citations that point into it.
//!
//! Invariant: no choice keeps more than [`MOST_BYTES`]; where a longer answer's citations point is not told. Quotes
//! cost what they are long, wherever they stand, and all together are no more than a few times the text. Used by
//! readers and writers of dialects that tell it in other units, or quote it.

/// More than a model answers at once.
const MOST_BYTES: usize = 1 << 20;

/// Quotes that overlap repeat the text; more often than this they are left out.
const MOST_REPEATS: usize = 8;

/// So many characters lie between two marks.
const STRIDE: usize = 256;

/// The text so far, unless it has grown too long.
#[derive(Debug)]
pub(in crate::dialect) struct CitedText {
    kept: Option<String>,
    /// Where every [`STRIDE`]th character begins, as far as anybody has asked.
    marks: Vec<usize>,
    /// Bytes of all quotes so far.
    quoted: usize,
}

impl Default for CitedText {
    fn default() -> Self {
        Self { kept: Some(String::new()), marks: vec![0], quoted: 0 }
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

    /// The words from the character `start` to before the character `end`; empty if there are none, or if too much has
    /// been quoted already.
    pub(in crate::dialect) fn quote(&mut self, start: u64, end: u64) -> &str {
        let Self { kept: Some(text), marks, quoted } = self else { return "" };
        let [start, end] = [start, end].map(|at| byte_of(text, marks, usize::try_from(at).unwrap_or(usize::MAX)));
        let words = text.get(start..end).unwrap_or_default();
        if *quoted + words.len() > MOST_REPEATS * text.len() {
            return "";
        }
        *quoted += words.len();
        words
    }
}

/// Where in `text` the `character`th character begins; its end if there is none.
fn byte_of(text: &str, marks: &mut Vec<usize>, character: usize) -> usize {
    let after = |from: usize, count: usize| text[from..].char_indices().nth(count).map(|(at, _)| from + at);
    while let Some(last) = marks.last().copied()
        && marks.len() * STRIDE <= character
        && let Some(next) = after(last, STRIDE)
    {
        marks.push(next);
    }
    let mark = (character / STRIDE).min(marks.len().saturating_sub(1));
    let from = marks.get(mark).copied().unwrap_or_default();
    after(from, character - mark * STRIDE).unwrap_or(text.len())
}
