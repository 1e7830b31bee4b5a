//! A stream that is one JSON array, cut into its elements while it arrives: Gemini's streams without `alt=sse`.
//!
//! Invariant: each byte is looked at once, and an unfinished element never holds more bytes than the bound. Nothing is
//! checked but brackets and strings; readers see malformed elements as what they are. Used by the deframer.

/// What a stream keeps allocated between split elements.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Unfinished elements may not be larger than told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    #[error("an element of the stream is larger than {max} bytes")]
    ElementTooLarge { max: usize },
}

/// Where in the array its bytes have stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before an element: behind the opening bracket or a comma.
    BeforeElement,
    WithinElement,
    BehindElement,
    /// Behind the closing bracket.
    End,
}

/// Cuts a stream into the array's elements. What is no object or array is passed over, as are blanks and commas.
#[derive(Debug)]
pub(crate) struct ArrayDecoder {
    /// The beginning of an element whose end has not arrived.
    pending: Vec<u8>,
    /// Brackets that are open, the stream's own not counted.
    depth: usize,
    in_string: bool,
    after_backslash: bool,
    /// Where the bytes stopped, if no element is open.
    place: Place,
    max_element_bytes: usize,
}

impl ArrayDecoder {
    /// A decoder that holds at most `max_element_bytes` of an unfinished element.
    pub(crate) fn new(max_element_bytes: usize) -> Self {
        Self {
            pending: Vec::new(),
            depth: 0,
            in_string: false,
            after_backslash: false,
            place: Place::BeforeElement,
            max_element_bytes,
        }
    }

    /// Where the bytes taken in have stopped.
    pub(crate) fn place(&self) -> Place {
        if self.depth > 0 || self.in_string { Place::WithinElement } else { self.place }
    }

    /// Takes in `chunk`, which begins behind the array's opening bracket or anywhere later, and calls `on_element`
    /// for each element that it completes.
    ///
    /// # Errors
    /// [`ArrayError::ElementTooLarge`]; the decoder must then not be used again.
    pub(crate) fn push(&mut self, chunk: &[u8], mut on_element: impl FnMut(&[u8])) -> Result<(), ArrayError> {
        let mut start = 0;
        if self.place == Place::End {
            return Ok(());
        }
        for (at, byte) in chunk.iter().enumerate() {
            if self.in_string {
                self.step_in_string(*byte);
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.depth == 0 {
                        start = at;
                    }
                    self.depth += 1;
                }
                // The array's own end: what follows is no part of it.
                b'}' | b']' if self.depth == 0 => {
                    self.place = Place::End;
                    return Ok(());
                }
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.emit(&chunk[start..=at], &mut on_element)?;
                        start = at + 1;
                        self.place = Place::BehindElement;
                    }
                }
                b',' if self.depth == 0 => self.place = Place::BeforeElement,
                _ => {}
            }
        }
        if self.depth > 0 { self.hold(&chunk[start..]) } else { Ok(()) }
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if std::mem::take(&mut self.after_backslash) => {}
            b'\\' => self.after_backslash = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), ArrayError> {
        if self.pending.len() + bytes.len() > self.max_element_bytes {
            self.pending = Vec::new();
            return Err(ArrayError::ElementTooLarge { max: self.max_element_bytes });
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn emit(&mut self, bytes: &[u8], on_element: &mut impl FnMut(&[u8])) -> Result<(), ArrayError> {
        if self.pending.is_empty() {
            on_element(bytes);
            return Ok(());
        }
        self.hold(bytes)?;
        on_element(&self.pending);
        self.pending.clear();
        self.pending.shrink_to(KEPT_CAPACITY);
        Ok(())
    }
}
