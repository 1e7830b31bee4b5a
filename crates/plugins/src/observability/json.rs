//! Writing JSON text piece by piece, without building a tree first: a log entry is written on the way of a request.

use std::io::Write as _;
use std::net::IpAddr;

use config::vars::Var;
use serde::Serialize;

/// An object that is being written. Every call adds one member; [`Object::end`] closes it.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
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
    pub fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::begin(self.out)
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_text(self.out, value.as_bytes());
    }

    /// Text, or nothing at all.
    pub fn optional_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// One text, given in pieces.
    pub fn pieces(&mut self, key: &str, pieces: &[&str]) {
        self.key(key);
        self.out.push(b'"');
        pieces.iter().for_each(|piece| write_escaped(self.out, piece.as_bytes()));
        self.out.push(b'"');
    }

    pub fn address(&mut self, key: &str, value: IpAddr) {
        self.key(key);
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

    pub fn integer(&mut self, key: &str, value: u64) {
        self.key(key);
        write_integer(self.out, value);
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, if value { b"true" } else { b"false" });
    }

    /// With at most three decimals.
    pub fn decimal(&mut self, key: &str, value: f64) {
        self.key(key);
        let thousandths = (value * 1_000.0).round();
        if (0.0..EXACT).contains(&thousandths) {
            write_thousandths(self.out, thousandths as u64);
        } else {
            write_number(self.out, thousandths / 1_000.0);
        }
    }

    /// Any value that serialises.
    pub fn value<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        self.key(key);
        write_value(self.out, value);
    }

    /// JSON text as it is, on one line.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        // A line end can only stand between tokens: inside strings it is escaped.
        self.out.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    }

    /// A variable in its own type; nothing at all if it has no value.
    pub fn variable(&mut self, key: &str, value: &Var<'_>) {
        match value {
            Var::Nil => {}
            Var::Bool(flag) => self.flag(key, *flag),
            Var::Number(number) => {
                self.key(key);
                write_number(self.out, *number);
            }
            Var::Text(text) => self.text(key, text),
            Var::Json(value) => self.value(key, &**value),
        }
    }

    /// Several texts under one key: alone, or as a list. What is no UTF-8 in them is replaced.
    pub fn texts(&mut self, key: &str, mut values: impl Iterator<Item: AsRef<[u8]>>) {
        let Some(first) = values.next() else { return };
        self.key(key);
        let Some(second) = values.next() else { return write_text(self.out, first.as_ref()) };
        self.out.push(b'[');
        write_text(self.out, first.as_ref());
        for value in std::iter::once(second).chain(values) {
            self.out.push(b',');
            write_text(self.out, value.as_ref());
        }
        self.out.push(b']');
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_text(self.out, key.as_bytes());
        self.out.push(b':');
    }
}

/// Up to here a float tells whole numbers exactly.
const EXACT: f64 = (1_u64 << 53) as f64;

/// Appends a string; what is no UTF-8 in it is replaced.
fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends what stands between a string's quotes.
fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        return out.extend_from_slice(text);
    }
    let start = out.len();
    write_value(out, &*String::from_utf8_lossy(text));
    // Without its quotes.
    out.remove(start);
    out.pop();
}

/// `true` if every byte stands for itself in a JSON string, as nearly always. Eight are looked at together: most
/// texts of an entry are short.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).all(|word| are_plain(u64::from_le_bytes(*word)))
}

/// Each byte is one from the space to the tilde, and neither a quote nor a backslash. Borrowing can only make a byte fail
/// that stands behind one that fails.
fn are_plain(bytes: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let is_zero = |bytes: u64| bytes.wrapping_sub(EACH) & !bytes;
    let is_control = bytes.wrapping_sub(EACH * 0x20) & !bytes;
    let is_beyond_tilde = bytes.wrapping_add(EACH) | bytes;
    let is_quote = is_zero(bytes ^ (EACH * u64::from(b'"')));
    let is_backslash = is_zero(bytes ^ (EACH * u64::from(b'\\')));
    (is_control | is_beyond_tilde | is_quote | is_backslash) & (EACH * 0x80) == 0
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
        object.object("empty").end();
        object.end();
        assert!(!out.contains(&b'\n'));
        let value: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({
            "a\"b": "line\nend", "n": 7, "d": 1.235, "nan": null, "raw": {"x": "\n"}, "num": 3, "json": [1],
            "one": "x", "two": ["x", "y"], "pieces": "a\"é", "v4": "127.0.0.1", "v6": "::1", "o": {"f": true}, "empty": {}
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn bytes_that_need_escaping_are_found_wherever_they_stand() {
        for byte in 0..=255 {
            for length in [1, 7, 8, 9, 20] {
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
