//! JSON in place: a validating cursor over bytes, and [`Raw`], one value that is still text.
//!
//! Nothing here builds a tree. Reading a field walks the bytes once and hands back a slice of the input.
//! Invariant: a `Raw` never outlives or copies its bytes, and iterators over malformed text end, they do not panic.
//! Called by the body scan, the usage reader and the stream observer.

use std::borrow::Cow;

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

/// `true` if the escaped text `key` spells `name`.
#[inline]
pub(crate) fn key_is(key: &[u8], name: &str) -> bool {
    // An escape is always longer than what it stands for.
    key == name.as_bytes() || (key.len() > name.len() && key.contains(&b'\\') && unescape(key) == name)
}

/// The text that lies between two quotes, with its escapes resolved; invalid text becomes U+FFFD.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'\\') {
        return String::from_utf8_lossy(text);
    }
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(String::from_utf8_lossy(text).as_bytes());
    quoted.push(b'"');
    Cow::Owned(serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned()))
}

/// One JSON value, still text: `bytes` begins with the value's first byte and ends with its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a> {
    pub bytes: &'a [u8],
    pub kind: Kind,
}

impl<'a> Raw<'a> {
    /// Looks at `text` as one JSON value, trusting what comes after its first byte; `None` if it is blank
    /// or begins no value.
    pub fn new(text: &'a [u8]) -> Option<Self> {
        let bytes = text.trim_ascii();
        let kind = match bytes.first()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return None,
        };
        Some(Self { bytes, kind })
    }

    /// The member `name` of an object; the last one if there are several.
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        self.members().filter(|(key, _)| key_is(key, name)).last().map(|(_, value)| value)
    }

    /// The first member `name` of an object. Unlike [`Raw::get`] it looks no further.
    pub(crate) fn first(self, name: &str) -> Option<Raw<'a>> {
        self.members().find(|(key, _)| key_is(key, name)).map(|(_, value)| value)
    }

    /// The value reached by following `path` through objects.
    pub fn at(self, path: &[&str]) -> Option<Raw<'a>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The members of an object, keys between their quotes and still escaped. Empty for other kinds;
    /// ends early where the text is malformed.
    pub fn members(self) -> Members<'a> {
        Members { cursor: inside(self, Kind::Object), first: true }
    }

    /// The elements of an array. Empty for other kinds; ends early where the text is malformed.
    pub fn elements(self) -> Elements<'a> {
        Elements { cursor: inside(self, Kind::Array), first: true }
    }

    /// The text of a string.
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.quoted().map(unescape)
    }

    /// A string's bytes between the quotes, still escaped.
    pub(crate) fn quoted(self) -> Option<&'a [u8]> {
        (self.kind == Kind::String && self.bytes.len() >= 2).then(|| &self.bytes[1..self.bytes.len() - 1])
    }

    /// A number that counts something; fractions are cut, negative numbers are `None`.
    pub fn count(self) -> Option<u64> {
        if self.kind != Kind::Number {
            return None;
        }
        let text = std::str::from_utf8(self.bytes).ok()?;
        text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|n| n as u64))
    }

    /// `true` for the literal `true` only.
    pub fn is_true(self) -> bool {
        self.bytes == b"true"
    }

    /// The value itself, if it is an object.
    pub fn object(self) -> Option<Self> {
        self.is_object().then_some(self)
    }

    /// `true` for an object.
    pub fn is_object(self) -> bool {
        self.kind == Kind::Object
    }
}

/// A cursor behind the opening bracket of `value`, or at the end if `value` is of another kind.
fn inside(value: Raw<'_>, kind: Kind) -> Cursor<'_> {
    let pos = if value.kind == kind { 1 } else { value.bytes.len() };
    Cursor { bytes: value.bytes, pos }
}

/// See [`Raw::members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    cursor: Cursor<'a>,
    first: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Raw<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.skip_blanks();
        if !std::mem::take(&mut self.first) {
            self.cursor.comma(Token::CommaOrObjectEnd).ok()?;
        }
        let key = self.cursor.key().ok()?;
        Some((key, self.cursor.take()?))
    }
}

/// See [`Raw::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    cursor: Cursor<'a>,
    first: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.skip_blanks();
        if !std::mem::take(&mut self.first) {
            self.cursor.comma(Token::CommaOrArrayEnd).ok()?;
        }
        self.cursor.take()
    }
}
