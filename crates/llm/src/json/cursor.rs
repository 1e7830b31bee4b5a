//! A validating cursor over JSON text. It consumes one grammar item at a time and builds nothing.
//!
//! Invariant: when a step fails, the cursor stands at what was wrong, so a fault needs no position of its own.
//! Used by the body scan, by [`Raw`] and by the stream observer's single walks.

use super::{Kind, Raw};

/// Why a body is not acceptable JSON. Positions count bytes from 1. The wording is lua-cjson's, which
/// APISIX users know from its answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("Expected {expected} but found {found} at character {position}")]
    Syntax { expected: &'static str, found: &'static str, position: usize },
    #[error("Found too many nested data structures ({depth}) at character {position}")]
    TooDeep { depth: usize, position: usize },
    #[error("Expected value but found invalid UTF-8 at character {position}")]
    Utf8 { position: usize },
    /// Offsets are 32 bits wide.
    #[error("body of {bytes} bytes is larger than 4 GiB")]
    TooLarge { bytes: usize },
}

/// What a cursor stumbled over, at its position. Two bytes, because every step of the hot path returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The token under the cursor is not what the grammar wants here.
    Expected(Token),
    /// What is under the cursor is no token at all.
    Found(Broken),
    TooDeep,
}

/// What the grammar may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Value,
    Key,
    Colon,
    CommaOrObjectEnd,
    CommaOrArrayEnd,
    TheEnd,
}

/// What a token can break of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    ControlCharacter,
    UnexpectedEnd,
    Escape,
    UnicodeEscape,
    Number,
    Token,
}

impl Token {
    const fn name(self) -> &'static str {
        match self {
            Token::Value => "value",
            Token::Key => "object key string",
            Token::Colon => "colon",
            Token::CommaOrObjectEnd => "comma or object end",
            Token::CommaOrArrayEnd => "comma or array end",
            Token::TheEnd => "the end",
        }
    }
}

impl Broken {
    const fn name(self) -> &'static str {
        match self {
            Broken::ControlCharacter => "control character in string",
            Broken::UnexpectedEnd => "unexpected end of string",
            Broken::Escape => "invalid escape code",
            Broken::UnicodeEscape => "invalid unicode escape code",
            Broken::Number => "invalid number",
            Broken::Token => "invalid token",
        }
    }
}

/// Nesting that [`Raw`]'s readers accept in text that nobody has validated yet, such as stream events.
const RAW_DEPTH: usize = 128;

/// A position in JSON text. Each method consumes exactly one grammar item, or fails.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    pub(crate) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Consumes the value under the cursor and gives it.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Raw<'a>> {
        let start = self.pos;
        let kind = self.value(0, RAW_DEPTH).ok()?;
        Some(Raw { bytes: &self.bytes[start..self.pos], kind })
    }

    /// Consumes the value under the cursor. If it is an object, `visit` is called for each member, with the cursor
    /// at the member's value, which it has to consume. `None` where the text is malformed.
    pub(crate) fn each_member(&mut self, mut visit: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        if self.peek() != Some(b'{') {
            return self.take().map(|_| ());
        }
        self.pos += 1;
        if self.closes(b'}') {
            return Some(());
        }
        loop {
            let key = self.key().ok()?;
            visit(key, self)?;
            if self.closes(b'}') {
                return Some(());
            }
            self.comma(Token::CommaOrObjectEnd).ok()?;
        }
    }

    /// As [`Cursor::each_member`], for the elements of an array.
    pub(crate) fn each_element(&mut self, mut visit: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek() != Some(b'[') {
            return self.take().map(|_| ());
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

    /// Consumes one value. `depth` is how deep its parent is, `max_depth` how deep containers may nest.
    #[inline]
    pub(crate) fn value(&mut self, depth: usize, max_depth: usize) -> Result<Kind, Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| Kind::String),
            Some(b'{') => self.object(depth + 1, max_depth),
            Some(b'[') => self.array(depth + 1, max_depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", Kind::Bool),
            Some(b'f') => self.literal(b"false", Kind::Bool),
            Some(b'n') => self.literal(b"null", Kind::Null),
            _ => Err(Fault::Expected(Token::Value)),
        }
    }

    fn object(&mut self, depth: usize, max_depth: usize) -> Result<Kind, Fault> {
        self.enter(depth, max_depth)?;
        if self.closes(b'}') {
            return Ok(Kind::Object);
        }
        loop {
            self.key()?;
            self.value(depth, max_depth)?;
            if self.closes(b'}') {
                return Ok(Kind::Object);
            }
            self.comma(Token::CommaOrObjectEnd)?;
        }
    }

    fn array(&mut self, depth: usize, max_depth: usize) -> Result<Kind, Fault> {
        self.enter(depth, max_depth)?;
        if self.closes(b']') {
            return Ok(Kind::Array);
        }
        loop {
            self.value(depth, max_depth)?;
            if self.closes(b']') {
                return Ok(Kind::Array);
            }
            self.comma(Token::CommaOrArrayEnd)?;
        }
    }

    /// Consumes the opening bracket under the cursor.
    #[inline]
    pub(crate) fn enter(&mut self, depth: usize, max_depth: usize) -> Result<(), Fault> {
        if depth > max_depth {
            return Err(Fault::TooDeep);
        }
        self.pos += 1;
        Ok(())
    }

    /// Consumes blanks and then `bracket`, if it is there.
    #[inline]
    pub(crate) fn closes(&mut self, bracket: u8) -> bool {
        self.skip_blanks();
        let closed = self.peek() == Some(bracket);
        self.pos += usize::from(closed);
        closed
    }

    #[inline]
    pub(crate) fn comma(&mut self, expected: Token) -> Result<(), Fault> {
        if self.peek() != Some(b',') {
            return Err(Fault::Expected(expected));
        }
        self.pos += 1;
        self.skip_blanks();
        Ok(())
    }

    /// Consumes `"key" :` and the blanks after it; gives the key's text between the quotes, still escaped.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<&'a [u8], Fault> {
        if self.peek() != Some(b'"') {
            return Err(Fault::Expected(Token::Key));
        }
        let key = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(Fault::Expected(Token::Colon));
        }
        self.pos += 1;
        self.skip_blanks();
        Ok(key)
    }

    /// Consumes the string under the cursor; gives the text between the quotes, still escaped.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.pos + 1;
        self.pos = start;
        loop {
            self.pos += plain_run(&self.bytes[self.pos..]);
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(&self.bytes[start..self.pos - 1]);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(Fault::Found(Broken::ControlCharacter)),
                None => return Err(Fault::Found(Broken::UnexpectedEnd)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.pos += 2,
            Some(b'u') => match self.code_unit(self.pos)? {
                0xD800..=0xDBFF => {
                    let pair = self.bytes.get(self.pos + 6..self.pos + 8) == Some(b"\\u".as_slice());
                    if !pair || !matches!(self.code_unit(self.pos + 6)?, 0xDC00..=0xDFFF) {
                        return Err(Fault::Found(Broken::UnicodeEscape));
                    }
                    self.pos += 12;
                }
                0xDC00..=0xDFFF => return Err(Fault::Found(Broken::UnicodeEscape)),
                _ => self.pos += 6,
            },
            _ => return Err(Fault::Found(Broken::Escape)),
        }
        Ok(())
    }

    /// The four hex digits of the `\uXXXX` that begins at `at`.
    fn code_unit(&self, at: usize) -> Result<u32, Fault> {
        let digits = self.bytes.get(at + 2..at + 6).unwrap_or_default();
        let mut unit = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else {
                return Err(Fault::Found(Broken::UnicodeEscape));
            };
            unit = unit * 16 + value;
        }
        if digits.len() < 4 {
            return Err(Fault::Found(Broken::UnicodeEscape));
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let start = self.pos;
        self.pos += usize::from(self.peek() == Some(b'-'));
        let mut valid = match self.peek() {
            Some(b'0') => {
                self.pos += 1;
                true
            }
            _ => self.digits(),
        };
        if valid && self.peek() == Some(b'.') {
            self.pos += 1;
            valid = self.digits();
        }
        if valid && matches!(self.peek(), Some(b'e' | b'E')) {
            self.pos += 1;
            self.pos += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            valid = self.digits();
        }
        if valid {
            return Ok(Kind::Number);
        }
        self.pos = start;
        Err(Fault::Found(Broken::Number))
    }

    /// Consumes digits; `false` if there is none.
    fn digits(&mut self) -> bool {
        let start = self.pos;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
        self.pos > start
    }

    fn literal(&mut self, text: &'static [u8], kind: Kind) -> Result<Kind, Fault> {
        if self.bytes[self.pos..].starts_with(text) {
            self.pos += text.len();
            return Ok(kind);
        }
        Err(Fault::Found(Broken::Token))
    }

    /// `fault` in words. `depth` is the nesting that was one too deep.
    #[cold]
    pub(crate) fn explain(&self, fault: Fault, depth: usize) -> ScanError {
        let position = self.pos + 1;
        let (expected, found) = match fault {
            Fault::TooDeep => return ScanError::TooDeep { depth, position },
            Fault::Found(broken) => (Token::Value, broken.name()),
            Fault::Expected(token) => (token, self.token_name()),
        };
        ScanError::Syntax { expected: expected.name(), found, position }
    }

    /// The token under the cursor, as lua-cjson calls it.
    fn token_name(&self) -> &'static str {
        match self.peek() {
            None => "T_END",
            Some(b'{') => "T_OBJ_BEGIN",
            Some(b'}') => "T_OBJ_END",
            Some(b'[') => "T_ARR_BEGIN",
            Some(b']') => "T_ARR_END",
            Some(b'"') => "T_STRING",
            Some(b'0'..=b'9' | b'-') => "T_NUMBER",
            Some(b':') => "T_COLON",
            Some(b',') => "T_COMMA",
            _ if self.bytes[self.pos..].starts_with(b"null") => "T_NULL",
            _ if self.bytes[self.pos..].starts_with(b"true") => "T_BOOLEAN",
            _ if self.bytes[self.pos..].starts_with(b"false") => "T_BOOLEAN",
            _ => Broken::Token.name(),
        }
    }
}

/// How many bytes from the start need no look inside a string: no quote, no backslash, no control character.
/// Short runs are the rule (keys, numbers in quotes), so eight bytes are tried at a time in one register; a run that
/// proves long goes on in blocks which the compiler turns into vector instructions.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    /// So many words are tried before the run counts as long.
    const WORDS: usize = 6;
    let mut rest = bytes;
    let mut words = 0;
    while let Some((word, tail)) = rest.split_first_chunk() {
        match first_special(*word) {
            8 => rest = tail,
            at => return bytes.len() - rest.len() + at,
        }
        words += 1;
        if words == WORDS {
            rest = &rest[long_plain_run(rest)..];
        }
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Whole blocks of plain bytes at the start.
#[inline(never)]
fn long_plain_run(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let plain = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | is_special(*byte));
    bytes.chunks_exact(BLOCK).take_while(plain).count() * BLOCK
}

#[inline]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// The index of the first special byte among eight; 8 if there is none. Subtraction borrows into the top bit of each
/// byte that is zero (or below 0x20); a borrow can only spoil bytes behind the first hit.
#[inline]
fn first_special(word: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(word);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let hits = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    ((hits & (ONES * 0x80)).trailing_zeros() / 8) as usize
}
