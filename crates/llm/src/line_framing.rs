//! A stream of lines, each one JSON value (NDJSON): Ollama's.
//!
//! Invariant: each byte is looked at once, and a line that has not ended never holds more bytes than the
//! bound. Used by the deframer.

/// What a stream keeps allocated between split lines.
const KEPT_CAPACITY: usize = 16 * 1024;

/// Lines may not be longer than told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("a line of the stream is larger than {max} bytes")]
    LineTooLong { max: usize },
}

/// Cuts a stream into lines. Blank ones are passed over.
#[derive(Debug)]
pub(crate) struct LineDecoder {
    /// The beginning of a line whose end has not arrived.
    pending: Vec<u8>,
    max_line_bytes: usize,
}

impl LineDecoder {
    /// A decoder that holds at most `max_line_bytes` of a line that has not ended.
    pub(crate) fn new(max_line_bytes: usize) -> Self {
        Self { pending: Vec::new(), max_line_bytes }
    }

    /// Takes in `chunk` and calls `on_line` for each line that it completes.
    ///
    /// # Errors
    /// [`LineError::LineTooLong`]; the decoder must then not be used again.
    pub(crate) fn push(&mut self, chunk: &[u8], mut on_line: impl FnMut(&[u8])) -> Result<(), LineError> {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, later) = (&rest[..end], &rest[end + 1..]);
            rest = later;
            if self.pending.is_empty() {
                visit(line, &mut on_line);
                continue;
            }
            self.hold(line)?;
            visit(&self.pending, &mut on_line);
            self.pending.clear();
            self.pending.shrink_to(KEPT_CAPACITY);
        }
        self.hold(rest)
    }

    /// Takes the end of the bytes, which ends the last line.
    pub(crate) fn end(&mut self, mut on_line: impl FnMut(&[u8])) {
        visit(&std::mem::take(&mut self.pending), &mut on_line);
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        if self.pending.len() + bytes.len() > self.max_line_bytes {
            return Err(LineError::LineTooLong { max: self.max_line_bytes });
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }
}

fn visit(line: &[u8], on_line: &mut impl FnMut(&[u8])) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        on_line(line);
    }
}
