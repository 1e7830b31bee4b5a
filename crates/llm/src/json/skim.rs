//! Getting past values that nobody asks for: only their ends are looked for, nothing in them is checked.
//!
//! Invariant: in well-formed text skimming ends where validating would; in any other text it stops or runs to some
//! end, but never panics, never recurses and visits no byte twice. Used on answers and by [`Raw`]'s iterators;
//! a request is validated instead.

use super::cursor::plain_run;
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

    #[inline]
    fn skim_string(&mut self) -> Option<()> {
        self.pos += 1;
        loop {
            self.pos += plain_run(self.bytes.get(self.pos..)?);
            match self.peek()? {
                b'"' => {
                    self.pos += 1;
                    return Some(());
                }
                b'\\' => self.pos += 2,
                _ => self.pos += 1,
            }
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
