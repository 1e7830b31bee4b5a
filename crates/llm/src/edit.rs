//! Changes to a JSON object, spliced into its bytes.
//!
//! Invariant: what is not changed keeps its bytes, blanks and order included; an edit that changes nothing leaves
//! nothing to write. A field that is replaced or removed is so in all its duplicates, so that no two parsers can
//! read two different values. Used by request shaping.

use std::borrow::Cow;

use crate::json::{Cursor, Raw};
use crate::scan::{BodyScan, DEFAULT_MAX_DEPTH, Field, object_fields};

/// Pending changes to one object.
pub struct Edits<'a> {
    bytes: &'a [u8],
    fields: Cow<'a, [Field]>,
    /// At most one change per key.
    changes: Vec<Change<'a>>,
}

struct Change<'a> {
    key: &'a str,
    /// `None` removes the field.
    value: Option<Cow<'a, [u8]>>,
}

impl<'a> Edits<'a> {
    /// Edits of a scanned body; `None` if it is not an object.
    pub fn new(scan: &'a BodyScan) -> Option<Self> {
        let fields = Cow::Borrowed(scan.fields());
        scan.raw().is_object().then(|| Self { bytes: scan.body(), fields, changes: Vec::new() })
    }

    /// Edits of an object that stands inside another; `None` if it is not one.
    pub fn of(object: Raw<'a>) -> Option<Self> {
        if !object.is_object() {
            return None;
        }
        let mut cursor = Cursor::new(object.bytes);
        let fields = Cow::Owned(object_fields(&mut cursor, DEFAULT_MAX_DEPTH).ok()?);
        Some(Self { bytes: object.bytes, fields, changes: Vec::new() })
    }

    /// The value of `key` with all changes so far.
    pub fn get(&self, key: &str) -> Option<Raw<'_>> {
        if let Some(change) = self.changes.iter().find(|change| change.key == key) {
            return Raw::new(change.value.as_deref()?);
        }
        self.original(key)
    }

    fn original(&self, key: &str) -> Option<Raw<'a>> {
        let field = self.fields.iter().rev().find(|field| field.is(self.bytes, key))?;
        Some(Raw { bytes: &self.bytes[field.value()], kind: field.kind })
    }

    /// Gives `key` the value whose JSON text is `json`.
    pub fn set(&mut self, key: &'a str, json: impl Into<Cow<'a, [u8]>>) {
        self.change(key, Some(json.into()));
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &'a str) {
        if self.get(key).is_some() {
            self.change(key, None);
        }
    }

    fn change(&mut self, key: &'a str, value: Option<Cow<'a, [u8]>>) {
        match self.changes.iter_mut().find(|change| change.key == key) {
            Some(change) => change.value = value,
            None => self.changes.push(Change { key, value }),
        }
    }

    /// `true` if no change was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The object's text with all changes; `None` if nothing changed.
    pub fn apply(&self) -> Option<Vec<u8>> {
        let changes: Vec<&Change<'_>> = self.changes.iter().filter(|change| self.is_effective(change)).collect();
        if changes.is_empty() {
            return None;
        }
        let added: usize = changes
            .iter()
            .map(|change| change.key.len() + change.value.as_ref().map_or(0, |text| text.len()) + 4)
            .sum();
        let mut out = Vec::with_capacity(self.bytes.len() + added);
        let mut end = self.write_fields(&changes, &mut out);
        if self.fields.is_empty() {
            let open = self.bytes.iter().position(|byte| *byte == b'{').map_or(self.bytes.len(), |at| at + 1);
            out.extend_from_slice(&self.bytes[..open]);
            end = (open, true);
        }
        let (tail, mut first) = end;
        for change in changes {
            let Some(value) = change.value.as_deref().filter(|_| self.original(change.key).is_none()) else {
                continue;
            };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            write_key(change.key, &mut out);
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&self.bytes[tail..]);
        Some(out)
    }

    /// `true` if the object's text has to be touched. Duplicates count: one of them would survive.
    fn is_effective(&self, change: &Change<'_>) -> bool {
        let mut known = self.fields.iter().filter(|field| field.is(self.bytes, change.key));
        match (known.next(), known.next()) {
            (None, _) => change.value.is_some(),
            (Some(field), None) => change.value.as_deref() != Some(&self.bytes[field.value()]),
            (Some(_), Some(_)) => true,
        }
    }

    /// Writes the fields that stay, changed or not. Gives where the original's rest begins and whether no field
    /// was written.
    fn write_fields(&self, changes: &[&Change<'_>], out: &mut Vec<u8>) -> (usize, bool) {
        let mut previous_end = 0;
        let mut first = true;
        for (index, field) in self.fields.iter().enumerate() {
            let value = field.value();
            let separator = previous_end..field.start();
            previous_end = value.end;
            if index == 0 {
                out.extend_from_slice(&self.bytes[separator.clone()]);
            }
            let change = changes.iter().find(|change| field.is(self.bytes, change.key));
            let text = match change {
                None => &self.bytes[value.clone()],
                Some(change) => match change.value.as_deref() {
                    Some(text) if self.is_last(index, change.key) => text,
                    _ => continue,
                },
            };
            if !first {
                out.extend_from_slice(&self.bytes[separator]);
            }
            first = false;
            out.extend_from_slice(&self.bytes[field.start()..value.start]);
            out.extend_from_slice(text);
        }
        (previous_end, first)
    }

    /// `true` if no later field than the one at `index` is called `key`.
    fn is_last(&self, index: usize, key: &str) -> bool {
        !self.fields[index + 1..].iter().any(|later| later.is(self.bytes, key))
    }
}

/// Writes `"key":`.
fn write_key(key: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, key).expect("a string always serialises into memory");
    out.push(b':');
}
