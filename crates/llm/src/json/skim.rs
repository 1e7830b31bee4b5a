//! Getting past values that nobody asks for: only their ends are looked for, nothing in them is checked.
//!
//! Invariant: in well-formed text skimming ends where validating would; in any other text it stops or runs to some
//! end, but never panics, never recurses and visits no byte twice. Used on answers and by [`Raw`]'s iterators;
//! a request is validated instead.

use super::{Cursor, Kind, Raw, Token};

impl<'a> Cursor<'a> {
    /// Consumes the value under the cursor and gives it; `None` if none begins here or it does not end.
    #[inline]
    pub(crate) fn skim(&mut self) -> Option<Raw<'a>> {
        let start = self.pos;
        let kind = Kind::of(self.peek()?)?;
        match kind {
            Kind::String => self.skim_string()?,
            Kind::Object | Kind::Array => self.skim_container()?,
            Kind::Number | Kind::Bool | Kind::Null => self.skim_word(),
        }
        Some(Raw { bytes: &self.bytes[start..self.pos], kind })
    }

    /// As [`Cursor::each_member`], skimming.
    #[inline]
    pub(crate) fn skim_members(&mut self, mut visit: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        if self.peek() != Some(b'{') {
            return self.skim().map(|_| ());
        }
        self.pos += 1;
        if self.closes(b'}') {
            return Some(());
        }
        loop {
            let key = self.skim_key()?;
            visit(key, self)?;
            if self.closes(b'}') {
                return Some(());
            }
            self.comma(Token::CommaOrObjectEnd).ok()?;
        }
    }

    /// As [`Cursor::each_element`], skimming.
    #[inline]
    pub(crate) fn skim_elements(&mut self, mut visit: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek() != Some(b'[') {
            return self.skim().map(|_| ());
        }
        self.pos += 1;
        if self.closes(b']') {
            return Some(());
        }
        loop {
            visit(self)?;
            if self.closes(b']') {
                return Some(());
            }
            self.comma(Token::CommaOrArrayEnd).ok()?;
        }
    }

    /// As [`Cursor::key`], skimming.
    #[inline]
    pub(crate) fn skim_key(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.pos + 1;
        self.skim_string()?;
        let key = self.bytes.get(start..self.pos - 1)?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return None;
        }
        self.pos += 1;
        self.skip_blanks();
        Some(key)
    }

    /// Sixteen bytes at a time, for most strings end within the first or the second sixteen.
    #[inline]
    fn skim_string(&mut self) -> Option<()> {
        self.pos += 1;
        for _ in 0..4 {
            let Some(near) = self.bytes.get(self.pos..).and_then(<[u8]>::first_chunk) else { break };
            let at = string_run(near);
            self.pos += at;
            match near.get(at) {
                Some(b'"') => {
                    self.pos += 1;
                    return Some(());
                }
                Some(_) => self.pos += 2,
                None => {}
            }
        }
        self.skim_long_string()
    }

    /// As [`Cursor::skim_string`], from somewhere inside the string.
    #[inline(never)]
    fn skim_long_string(&mut self) -> Option<()> {
        loop {
            let rest = self.bytes.get(self.pos..)?;
            self.pos += memchr::memchr2(b'"', b'\\', rest)?;
            if self.peek() == Some(b'"') {
                self.pos += 1;
                return Some(());
            }
            self.pos += 2;
        }
    }

    /// Brackets are counted, not matched.
    fn skim_container(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.skim_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.pos += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    #[inline]
    fn skim_word(&mut self) {
        while let Some(byte) = self.peek()
            && !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
        {
            self.pos += 1;
        }
    }
}

/// How many bytes from the start are neither quote nor backslash. Both words are looked at before anything is decided:
/// one branch is cheaper than two that nobody can predict.
#[inline(always)]
fn string_run(bytes: &[u8; 16]) -> usize {
    let both = u128::from_le_bytes(*bytes);
    let (low, high) = (string_specials(both as u64), string_specials((both >> 64) as u64));
    let first = if low == 0 { 64 + high.trailing_zeros() } else { low.trailing_zeros() };
    (first / 8) as usize
}

/// The top bit of the first byte that is a quote or a backslash; what is set above it means nothing.
#[inline(always)]
fn string_specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    ((quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & (ONES * 0x80)
}
