//! Server-sent events, cut out of a byte stream that arrives in arbitrary chunks.
//!
//! Follows the WHATWG grammar for line ends (LF, CRLF, CR), comments, several `data:` lines and a leading BOM.
//! Invariant: each byte is looked at once; an event that lies whole in one chunk is handed out in place, only a
//! split event is copied. Used by the stream observer and the deframer; it knows nothing of LLMs.

use std::borrow::Cow;

use memchr::memchr2;

use crate::json::{ObjectWriter, keep_on_one_line};

/// An unfinished event may usually not be larger than this, so that an upstream cannot fill memory by never ending one.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// What a stream keeps allocated between split events; one large event must not cost memory for the rest of it.
const KEPT_CAPACITY: usize = 16 * 1024;

/// The stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    #[error("an event of the stream is larger than {max} bytes")]
    EventTooLarge { max: usize },
}

/// One event, as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The last `event:` field; empty if there is none.
    pub name: &'a [u8],
    /// All `data:` fields, joined by LF.
    pub data: Cow<'a, [u8]>,
}

/// A complete block of lines, closing blank line included; or a piece of one that is too large to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The block's bytes; those that came with earlier chunks are among them. Of a block in pieces: its beginning in
    /// the first piece, nothing in the others.
    pub bytes: &'a [u8],
    /// Those that came with earlier chunks.
    pub held: &'a [u8],
    /// Where the block or the piece ends in the chunk that was pushed.
    pub end: usize,
    /// It is a piece.
    pub is_piece: bool,
}

impl<'a> Block<'a> {
    /// The event of this block; `None` for comments and other blocks without `data:`.
    pub fn event(&self) -> Option<SseEvent<'a>> {
        let mut name: &[u8] = b"";
        let mut data: Option<Cow<'a, [u8]>> = None;
        for line in lines(self.bytes) {
            if let Some(value) = field(line, b"data") {
                match &mut data {
                    None => data = Some(Cow::Borrowed(value)),
                    Some(joined) => {
                        let joined = joined.to_mut();
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                    }
                }
            } else if let Some(value) = field(line, b"event") {
                name = value;
            }
        }
        data.map(|data| SseEvent { name, data })
    }
}

/// The value of a line `name: value`, without the one space that may follow the colon.
#[inline]
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Splits at LF, CRLF and CR. (A CRLF gives an empty line more, which holds no field.)
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// Cuts a stream into [`Block`]s.
#[derive(Debug)]
pub struct SseDecoder {
    /// The beginning of an event whose end has not arrived.
    pending: Vec<u8>,
    /// No byte of the current line has been seen.
    line_is_empty: bool,
    /// The byte before was a CR, so an LF now belongs to it.
    after_cr: bool,
    at_stream_start: bool,
    /// The event that is not complete is too large to be kept, and its beginning has been handed out.
    is_passing_over: bool,
    max_event_bytes: usize,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

impl SseDecoder {
    /// A decoder that holds at most `max_event_bytes` of an unfinished event.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            pending: Vec::new(),
            line_is_empty: true,
            after_cr: false,
            at_stream_start: true,
            is_passing_over: false,
            max_event_bytes,
        }
    }

    /// Bytes that belong to an event which is not complete.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// The bytes so far end within an event whose beginning has been handed out.
    pub(crate) fn is_passing_over(&self) -> bool {
        self.is_passing_over
    }

    /// The bytes so far end within an event.
    pub(crate) fn is_within_event(&self) -> bool {
        self.is_passing_over || !self.pending.is_empty()
    }

    /// Takes in `chunk` and calls `on_block` for each block that it completes. Gives how many bytes of `chunk` are
    /// done with; the rest is pending.
    ///
    /// # Errors
    /// [`SseError::EventTooLarge`]; the decoder must then not be used again. What of earlier chunks is in no block is
    /// still pending.
    pub fn push(&mut self, chunk: &[u8], mut on_block: impl FnMut(Block<'_>)) -> Result<usize, SseError> {
        let too_large = SseError::EventTooLarge { max: self.max_event_bytes };
        let mut start = 0;
        let mut pos = 0;
        while let Some(end) = self.next_block_end(chunk, &mut pos, &mut start) {
            if !self.pending.is_empty() && !self.has_room_for(end - start) {
                return Err(too_large);
            }
            self.emit(chunk, start, end, &mut on_block);
            start = end;
        }
        if !self.has_room_for(chunk.len() - start) {
            return Err(too_large);
        }
        self.pending.extend_from_slice(&chunk[start..]);
        Ok(start)
    }

    /// Like [`push`](Self::push), but an event that is too large is passed over: handed out in pieces as it comes.
    pub fn push_passing_over(&mut self, chunk: &[u8], mut on_block: impl FnMut(Block<'_>)) -> usize {
        let mut start = 0;
        let mut pos = 0;
        while let Some(end) = self.next_block_end(chunk, &mut pos, &mut start) {
            if self.is_passing_over || !self.pending.is_empty() && !self.has_room_for(end - start) {
                self.emit_piece(chunk, start, end, &mut on_block);
                self.is_passing_over = false;
            } else {
                self.emit(chunk, start, end, &mut on_block);
            }
            start = end;
        }
        if self.is_passing_over || !self.has_room_for(chunk.len() - start) {
            self.emit_piece(chunk, start, chunk.len(), &mut on_block);
            self.is_passing_over = true;
            return chunk.len();
        }
        self.pending.extend_from_slice(&chunk[start..]);
        start
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.pending.len() + bytes <= self.max_event_bytes
    }

    /// Walks line ends from `pos` until one closes a block. Stray LFs between blocks move `start`.
    #[inline]
    fn next_block_end(&mut self, chunk: &[u8], pos: &mut usize, start: &mut usize) -> Option<usize> {
        while let Some(offset) = memchr2(b'\n', b'\r', &chunk[*pos..]) {
            let at = *pos + offset;
            if offset > 0 {
                self.line_is_empty = false;
                self.after_cr = false;
            }
            *pos = at + 1;
            if chunk[at] == b'\n' && std::mem::take(&mut self.after_cr) {
                if self.pending.is_empty() && *start == at {
                    // The LF of a CR that already closed the block before.
                    *start = *pos;
                }
                continue;
            }
            self.after_cr = chunk[at] == b'\r';
            if !self.line_is_empty {
                self.line_is_empty = true;
                continue;
            }
            if self.after_cr && chunk.get(*pos) == Some(&b'\n') {
                *pos += 1;
                self.after_cr = false;
            }
            return Some(*pos);
        }
        if *pos < chunk.len() {
            self.line_is_empty = false;
            self.after_cr = false;
        }
        None
    }

    fn emit(&mut self, chunk: &[u8], start: usize, end: usize, on_block: &mut impl FnMut(Block<'_>)) {
        let first = std::mem::take(&mut self.at_stream_start);
        let without_bom = |bytes| if first { skip_bom(bytes) } else { bytes };
        if self.pending.is_empty() {
            on_block(Block { bytes: without_bom(&chunk[start..end]), held: &[], end, is_piece: false });
            return;
        }
        let held = self.pending.len();
        self.pending.extend_from_slice(&chunk[start..end]);
        on_block(Block { bytes: without_bom(&self.pending), held: &self.pending[..held], end, is_piece: false });
        self.forget_pending();
    }

    /// Hands out a piece of an event that is too large.
    fn emit_piece(&mut self, chunk: &[u8], start: usize, end: usize, on_block: &mut impl FnMut(Block<'_>)) {
        let first = std::mem::take(&mut self.at_stream_start);
        let head = match (self.is_passing_over, self.pending.is_empty()) {
            (true, _) => &[],
            (false, true) => &chunk[start..end],
            (false, false) => self.pending.as_slice(),
        };
        let bytes = if first { skip_bom(head) } else { head };
        on_block(Block { bytes, held: &self.pending, end, is_piece: true });
        self.forget_pending();
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending.shrink_to(KEPT_CAPACITY);
    }
}

/// Appends an event `name` whose data is the object that `fill` writes.
pub(crate) fn write_event(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    for piece in ["event: ", name, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    let data = out.len();
    fill(&mut ObjectWriter::new(out));
    keep_on_one_line(&mut out[data..]);
    out.extend_from_slice(b"\n\n");
}

fn skip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
