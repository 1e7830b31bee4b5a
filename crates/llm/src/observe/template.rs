//! A shortcut for the long middle of a stream, where one event differs from the one before only in its text.
//!
//! The template is the last event that was read in full, with holes where its text and its padding stood. An event
//! that fills the holes with plain strings and equals the template everywhere else would be read to the same facts
//! again, so its text is all that has to be taken. Invariant: a match is a proof, not a guess; whatever does not match
//! byte for byte is read in full.

use std::ops::Range;

use crate::json::plain_run;

/// Events larger than this are not kept: the copy would cost more than it saves.
const LARGEST: usize = 2048;

/// The last event with its holes, each between the quotes of a string.
#[derive(Debug, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    text: Range<usize>,
    padding: Range<usize>,
}

impl Template {
    /// Keeps `event`, whose text and padding stand at these places, in this order. An event without padding has an
    /// empty range at its end.
    pub(super) fn keep(&mut self, event: &[u8], text: Range<usize>, padding: Range<usize>) {
        self.bytes.clear();
        if event.len() <= LARGEST && text.end <= padding.start {
            self.bytes.extend_from_slice(event);
            self.text = text;
            self.padding = padding;
        }
    }

    /// The text of `event`, if that is all that can be new in it.
    pub(super) fn text_of<'e>(&self, event: &'e [u8]) -> Option<&'e [u8]> {
        if self.bytes.is_empty() {
            return None;
        }
        let rest = event.strip_prefix(&self.bytes[..self.text.start])?;
        let (text, rest) = rest.split_at(plain_run(rest));
        let rest = rest.strip_prefix(&self.bytes[self.text.end..self.padding.start])?;
        let padding = if self.padding.start < self.bytes.len() { plain_run(rest) } else { 0 };
        (rest[padding..] == self.bytes[self.padding.end..]).then_some(text)
    }
}
