//! Writing JSON text piece by piece, without building a tree first: a log entry is written on the way of a request.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use config::vars::Var;
use http::HeaderName;
use serde::Serialize;

/// A member's name that stands in the text as it is, between its quotes and before its colon. Made by [`name!`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal(&'static str);

/// A member's name, known when this is compiled and free of what would need escaping.
macro_rules! name {
    ($name:literal) => {
        $crate::observability::json::Literal::quoted(concat!("\"", $name, "\":"))
    };
}
pub(super) use name;

/// What a member can be called by.
pub(super) trait Name {
    /// Appends the name between quotes, and a colon.
    fn write(self, out: &mut Vec<u8>);
}

/// Members written beforehand, for those that are the same in every object.
#[derive(Debug, Default)]
pub(super) struct Members(Box<[u8]>);

/// An object that is being written. Every call adds one member; [`Object::end`] closes it.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl Literal {
    /// `text` is the name with its quotes and its colon.
    pub const fn quoted(text: &'static str) -> Self {
        Self(text)
    }
}

impl Name for Literal {
    #[inline(always)]
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// Header names consist of letters, digits and signs that need no escaping.
impl Name for &HeaderName {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        let name = self.as_str();
        out.reserve(name.len() + 3);
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    }
}

impl Name for &str {
    fn write(self, out: &mut Vec<u8>) {
        write_text(out, self.as_bytes());
        out.push(b':');
    }
}

impl Members {
    /// What `write` adds to an object.
    pub fn new(write: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut text = Vec::new();
        write(&mut Object { out: &mut text, empty: true });
        Self(text.into())
    }
}

impl<'o> Object<'o> {
    /// Opens an object at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub fn end(self) {
        self.out.push(b'}');
    }

    /// A member whose value is an object, to be ended before the next member.
    pub fn object(&mut self, name: impl Name) -> Object<'_> {
        self.name(name);
        Object::begin(self.out)
    }

    /// Members that were written beforehand.
    pub fn members(&mut self, members: &Members) {
        if !members.0.is_empty() {
            self.separate();
            self.out.extend_from_slice(&members.0);
        }
    }

    pub fn text(&mut self, name: impl Name, value: &str) {
        self.name(name);
        write_text(self.out, value.as_bytes());
    }

    /// Text, or nothing at all.
    pub fn optional_text(&mut self, name: impl Name, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// What should be text; what is no UTF-8 in it is replaced.
    pub fn bytes(&mut self, name: impl Name, value: &[u8]) {
        self.name(name);
        write_text(self.out, value);
    }

    /// One text, given in pieces.
    pub fn pieces(&mut self, name: impl Name, pieces: &[&str]) {
        self.name(name);
        self.out.push(b'"');
        pieces.iter().for_each(|piece| write_escaped(self.out, piece.as_bytes()));
        self.out.push(b'"');
    }

    pub fn address(&mut self, name: impl Name, value: IpAddr) {
        self.name(name);
        self.out.push(b'"');
        match value {
            IpAddr::V4(address) => {
                let [first, rest @ ..] = address.octets();
                write_integer(self.out, first.into());
                for octet in rest {
                    self.out.push(b'.');
                    write_integer(self.out, octet.into());
                }
            }
            // Writing to memory does not fail.
            IpAddr::V6(address) => drop(write!(self.out, "{address}")),
        }
        self.out.push(b'"');
    }

    pub fn integer(&mut self, name: impl Name, value: u64) {
        self.name(name);
        write_integer(self.out, value);
    }

    pub fn flag(&mut self, name: impl Name, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// With at most three decimals.
    pub fn decimal(&mut self, name: impl Name, value: f64) {
        self.name(name);
        let thousandths = (value * 1_000.0).round();
        if (0.0..EXACT).contains(&thousandths) {
            write_thousandths(self.out, thousandths as u64);
        } else {
            write_number(self.out, thousandths / 1_000.0);
        }
    }

    /// In milliseconds, with at most three decimals.
    pub fn milliseconds(&mut self, name: impl Name, value: Duration) {
        self.name(name);
        let micros = u64::from(value.subsec_nanos() + 500) / 1_000;
        write_thousandths(self.out, value.as_secs().saturating_mul(1_000_000).saturating_add(micros));
    }

    /// Any value that serialises.
    pub fn value<T: Serialize + ?Sized>(&mut self, name: impl Name, value: &T) {
        self.name(name);
        write_value(self.out, value);
    }

    /// JSON text as it is, on one line.
    pub fn raw(&mut self, name: impl Name, json: &[u8]) {
        self.name(name);
        // A line end can only stand between tokens: inside strings it is escaped.
        self.out.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    }

    /// A variable in its own type; nothing at all if it has no value.
    pub fn variable(&mut self, name: impl Name, value: &Var<'_>) {
        match value {
            Var::Nil => {}
            Var::Bool(flag) => self.flag(name, *flag),
            Var::Number(number) => {
                self.name(name);
                write_number(self.out, *number);
            }
            Var::Text(text) => self.text(name, text),
            Var::Json(value) => self.value(name, &**value),
        }
    }

    /// Several texts under one name: alone, or as a list. What is no UTF-8 in them is replaced.
    pub fn texts(&mut self, name: impl Name, mut values: impl Iterator<Item: AsRef<[u8]>>) {
        let Some(first) = values.next() else { return };
        let Some(second) = values.next() else { return self.bytes(name, first.as_ref()) };
        self.name(name);
        self.out.push(b'[');
        write_text(self.out, first.as_ref());
        for value in std::iter::once(second).chain(values) {
            self.out.push(b',');
            write_text(self.out, value.as_ref());
        }
        self.out.push(b']');
    }

    #[inline]
    fn name(&mut self, name: impl Name) {
        self.separate();
        name.write(self.out);
    }

    #[inline]
    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

/// Up to here a float tells whole numbers exactly.
const EXACT: f64 = (1_u64 << 53) as f64;

/// Appends a string; what is no UTF-8 in it is replaced.
fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends what stands between a string's quotes.
#[inline]
fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) { out.extend_from_slice(text) } else { write_with_escapes(out, text) }
}

#[cold]
fn write_with_escapes(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    write_value(out, &*String::from_utf8_lossy(text));
    // Without its quotes.
    out.remove(start);
    out.pop();
}

/// `true` if every byte stands for itself in a JSON string, as nearly always. The last bytes of a text are looked at
/// together, also if some of them have been looked at before: most texts of an entry are short.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<16>() {
        return text.as_chunks::<16>().0.iter().all(are_plain) && are_plain(last);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return special_bits(u64::from_le_bytes(*first)) | special_bits(u64::from_le_bytes(*last)) == 0;
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return special_bits(first << 32 | last) == 0;
    }
    !text.iter().any(is_special)
}

/// Not zero if one of eight bytes is special. Subtraction borrows into the top bit of each byte that is zero, or below a
/// space, and past such a byte may do so wrongly.
#[inline]
fn special_bits(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let is = |byte: u8| {
        let zero = word ^ (ONES * u64::from(byte));
        zero.wrapping_sub(ONES) & !zero
    };
    let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
    (word | control | is(b'"') | is(b'\\') | is(0x7f)) & TOPS
}

/// Without a branch, so that the compiler looks at all of them at once.
#[inline]
fn are_plain(bytes: &[u8; 16]) -> bool {
    bytes.iter().fold(0, |found, byte| found | u8::from(is_special(byte))) == 0
}

/// No sign from the space to the tilde, or one that cannot stand in a string as it is.
#[inline]
fn is_special(byte: &u8) -> bool {
    !(b' '..=b'~').contains(byte) | (*byte == b'"') | (*byte == b'\\')
}

fn write_integer(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// As [`write_number`] writes their thousandth part.
fn write_thousandths(out: &mut Vec<u8>, thousandths: u64) {
    write_integer(out, thousandths / 1_000);
    let rest = thousandths % 1_000;
    if rest > 0 {
        let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8);
        let length = 3 - digits.iter().rev().take_while(|digit| **digit == b'0').count();
        out.push(b'.');
        out.extend_from_slice(&digits[..length]);
    }
}

/// Appends `value`; what does not serialise becomes `null`, so that the text stays JSON.
fn write_value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Whole numbers without a point, as Lua prints them; what is no number is `null`.
fn write_number(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        // Writing to memory cannot fail.
        let _ = write!(out, "{number}");
    } else {
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_written_is_json_on_one_line() {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.text("a\"b", "line\nend");
        object.integer("n", 7);
        object.decimal("d", 1.23456);
        object.decimal("nan", f64::NAN);
        object.raw("raw", b"{\n \"x\": \"\\n\"\r\n}");
        object.variable("nil", &Var::Nil);
        object.variable("num", &Var::Number(3.0));
        object.variable("json", &Var::Json(Cow::Owned(json!([1]))));
        object.texts("one", ["x"].into_iter());
        object.texts("two", ["x", "y"].into_iter());
        object.pieces("pieces", &["a", "\"", "é"]);
        object.address("v4", IpAddr::from([127, 0, 0, 1]));
        object.address("v6", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        let mut inner = object.object("o");
        inner.flag("f", true);
        inner.end();
        object.object(name!("empty")).end();
        object.members(&Members::default());
        object.members(&Members::new(|members| {
            members.text(name!("first"), "1");
            members.integer("second", 2);
        }));
        object.text(&HeaderName::from_static("x-a"), "h");
        object.milliseconds(name!("ms"), Duration::from_nanos(1_250_500));
        object.end();
        assert!(!out.contains(&b'\n'));
        let value: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({
            "a\"b": "line\nend", "n": 7, "d": 1.235, "nan": null, "raw": {"x": "\n"}, "num": 3, "json": [1],
            "one": "x", "two": ["x", "y"], "pieces": "a\"é", "v4": "127.0.0.1", "v6": "::1", "o": {"f": true}, "empty": {},
            "first": "1", "second": 2, "x-a": "h", "ms": 1.251
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn bytes_that_need_escaping_are_found_wherever_they_stand() {
        for byte in 0..=255 {
            for length in [1, 3, 4, 7, 8, 9, 15, 16, 20] {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let plain = (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&text), plain, "{byte} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        for (bytes, expected) in [(&b"plain"[..], "\"plain\""), (b"a\xff\x1f\x7f", "\"a\u{fffd}\\u001f\x7f\"")] {
            let mut out = Vec::new();
            write_text(&mut out, bytes);
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn decimals_have_no_zeros_at_their_end() {
        let rows = [
            (0.0, "0"),
            (7.0, "7"),
            (0.5, "0.5"),
            (1.0204, "1.02"),
            (12.3456, "12.346"),
            (-1.5, "-1.5"),
            (1e300, "1e300"),
        ];
        for (value, expected) in rows {
            let mut out = Vec::new();
            let mut object = Object::begin(&mut out);
            object.decimal("d", value);
            object.end();
            let read: Value = serde_json::from_slice(&out).expect("JSON");
            let expected: Value = serde_json::from_str(expected).expect("JSON");
            assert_eq!(read["d"].as_f64(), expected.as_f64(), "{}", String::from_utf8_lossy(&out));
        }
    }
}
