//! The one look at a request body: is it JSON, and where are its top-level fields?
//!
//! Invariant: a [`BodyScan`] exists only for text that is well-formed JSON (RFC 8259), valid UTF-8 and not
//! deeper than asked. It keeps offsets and shares the body's bytes; it copies nothing.
//! Called once per LLM request; detection, shaping and the request facts read from it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::json::{Cursor, Fault, Kind, Raw, ScanError, Token, key_is};

/// How deep containers may nest unless a caller has a reason for another bound.
pub const DEFAULT_MAX_DEPTH: usize = 128;

/// Deeper bounds are lowered to this: the scanner recurses, and a worker's stack is finite.
const DEEPEST: usize = 1024;

/// Most requests have fewer top-level fields; more cost a second allocation.
const USUAL_FIELDS: usize = 12;

/// Where one top-level field stands in the body. `key` includes the quotes.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    key: Range<u32>,
    value: Range<u32>,
    pub(crate) kind: Kind,
    /// The key is spelt with escapes, which hardly any is.
    escaped: bool,
}

impl Field {
    /// From the key's opening quote.
    pub(crate) fn start(&self) -> usize {
        self.key.start as usize
    }

    pub(crate) fn value(&self) -> Range<usize> {
        self.value.start as usize..self.value.end as usize
    }

    /// `true` if the field is called `name` in `bytes`, the text that was scanned.
    pub(crate) fn is(&self, bytes: &[u8], name: &str) -> bool {
        let key = &bytes[self.key.start as usize + 1..self.key.end as usize - 1];
        if self.escaped { key_is(key, name) } else { key == name.as_bytes() }
    }
}

/// A scanned JSON text.
#[derive(Debug, Clone)]
pub struct BodyScan {
    body: Bytes,
    top: Kind,
    /// Where the top-level value begins, behind leading blanks.
    start: u32,
    empty: bool,
    fields: Vec<Field>,
}

impl BodyScan {
    /// Validates `body` and notes its top-level fields.
    ///
    /// # Errors
    /// [`ScanError`], whose text says what was found where.
    pub fn parse(body: &Bytes, max_depth: usize) -> Result<Self, ScanError> {
        if u32::try_from(body.len()).is_err() {
            return Err(ScanError::TooLarge { bytes: body.len() });
        }
        if let Err(error) = std::str::from_utf8(body) {
            return Err(ScanError::Utf8 { position: error.valid_up_to() + 1 });
        }
        let max_depth = max_depth.min(DEEPEST);
        let mut cursor = Cursor::new(body);
        let (top, start, fields) =
            top_level(&mut cursor, max_depth).map_err(|fault| cursor.explain(fault, max_depth + 1))?;
        let end = body.trim_ascii_end().len();
        let empty = match top {
            Kind::Object => fields.is_empty(),
            Kind::Array => body[start + 1..end - 1].trim_ascii().is_empty(),
            _ => true,
        };
        Ok(Self { body: body.clone(), top, start: start as u32, empty, fields })
    }

    /// Copies the text into an allocation of its own, so that the scan no longer keeps what it was a part of.
    pub fn detach(&mut self) {
        self.body = Bytes::copy_from_slice(&self.body);
    }

    /// The text that was scanned.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What the whole text is.
    pub fn top_level(&self) -> Kind {
        self.top
    }

    /// `true` for `{}`, `[]` and every scalar.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// The whole text as a value.
    pub fn raw(&self) -> Raw<'_> {
        Raw { bytes: self.body[self.start as usize..].trim_ascii_end(), kind: self.top }
    }

    /// The top-level field `name`; the last one if the text has several.
    pub fn get(&self, name: &str) -> Option<Raw<'_>> {
        let field = self.fields.iter().rev().find(|field| field.is(&self.body, name))?;
        Some(Raw { bytes: &self.body[field.value()], kind: field.kind })
    }

    /// The bytes of the top-level field `name`.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(|value| value.bytes)
    }

    /// What the top-level field `name` is; `None` if it is absent.
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        self.get(name).map(|value| value.kind)
    }

    /// `model`, if it is a string.
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.get("model")?.text()
    }

    /// `true` if `stream` is the literal `true`.
    pub fn stream(&self) -> bool {
        self.get("stream").is_some_and(Raw::is_true)
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }
}

/// Reads a whole text: what it is, where it begins behind blanks, and its fields.
fn top_level(cursor: &mut Cursor<'_>, max_depth: usize) -> Result<(Kind, usize, Vec<Field>), Fault> {
    cursor.skip_blanks();
    let start = cursor.pos;
    let (top, fields) = match cursor.peek() {
        Some(b'{') => (Kind::Object, object_fields(cursor, max_depth)?),
        _ => (cursor.value(0, max_depth)?, Vec::new()),
    };
    cursor.skip_blanks();
    match cursor.peek() {
        Some(_) => Err(Fault::Expected(Token::TheEnd)),
        None => Ok((top, start, fields)),
    }
}

/// The fields of the object under the cursor, which is left behind its closing brace.
pub(crate) fn object_fields(cursor: &mut Cursor<'_>, max_depth: usize) -> Result<Vec<Field>, Fault> {
    cursor.enter(1, max_depth)?;
    if cursor.closes(b'}') {
        return Ok(Vec::new());
    }
    let mut fields = Vec::with_capacity(USUAL_FIELDS);
    loop {
        let key_start = cursor.pos as u32;
        let key = cursor.key()?;
        let key_end = key_start + key.len() as u32 + 2;
        let escaped = key.contains(&b'\\');
        let value_start = cursor.pos as u32;
        let kind = cursor.value(1, max_depth)?;
        fields.push(Field { key: key_start..key_end, value: value_start..cursor.pos as u32, kind, escaped });
        if cursor.closes(b'}') {
            return Ok(fields);
        }
        cursor.comma(Token::CommaOrObjectEnd)?;
    }
}
