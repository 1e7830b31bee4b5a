//! One JSON value that is still text, and what can be read of it without parsing the rest.
//!
//! Invariant: iterators over malformed text end early, they do not panic.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Cursor, Kind, Token};

/// `true` if the escaped text `key` spells `name`.
#[inline]
pub(crate) fn key_is(key: &[u8], name: &str) -> bool {
    // An escape is always longer than what it stands for.
    match key.len().cmp(&name.len()) {
        Ordering::Less => false,
        Ordering::Equal => key == name.as_bytes() && !key.contains(&b'\\'),
        Ordering::Greater => key.contains(&b'\\') && unescape(key) == name,
    }
}

/// The text that lies between two quotes, with its escapes resolved; invalid text becomes U+FFFD.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text).is_none() {
        return std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
    }
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(String::from_utf8_lossy(text).as_bytes());
    quoted.push(b'"');
    Cow::Owned(serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned()))
}

/// Counts of up to so many digits fit into 64 bits, whatever the digits are.
const SMALL_COUNT: usize = 19;

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
        Some(Self { bytes, kind: Kind::of(*bytes.first()?)? })
    }

    /// The one value that `text` is; `None` if it is not well-formed or no UTF-8 throughout.
    pub fn checked(text: &'a [u8]) -> Option<Self> {
        let bytes = std::str::from_utf8(text).ok()?.as_bytes().trim_ascii();
        let mut cursor = Cursor::new(bytes);
        cursor.take().filter(|value| value.bytes.len() == bytes.len())
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

    /// An array of strings and of nothing else.
    pub(crate) fn is_list_of_texts(self) -> bool {
        self.kind == Kind::Array && self.elements().all(|element| element.kind == Kind::String)
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
        if self.bytes.len() <= SMALL_COUNT && self.bytes.iter().all(u8::is_ascii_digit) {
            return Some(self.bytes.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0')));
        }
        let text = std::str::from_utf8(self.bytes).ok()?;
        text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|n| n as u64))
    }

    /// A number of any kind.
    pub fn number(self) -> Option<f64> {
        std::str::from_utf8(self.bytes).ok().filter(|_| self.kind == Kind::Number)?.parse().ok()
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        (self.kind == Kind::Bool).then_some(self.bytes == b"true")
    }

    /// `true` for `null`, which many providers write for "not told".
    pub fn is_null(self) -> bool {
        self.kind == Kind::Null
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
        let key = self.cursor.skim_key()?;
        Some((key, self.cursor.skim()?))
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
        self.cursor.skim()
    }
}
