//! Writing JSON text piece by piece, without building a tree first: a log entry is written on the way of a request.

use std::io::Write as _;

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
        self.value(key, value);
    }

    /// Text, or nothing at all.
    pub fn optional_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.value(key, value);
        }
    }

    /// What prints as plain ASCII without quotes or backslashes: addresses, mostly.
    pub fn display(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        // Writing to memory does not fail.
        let _ = std::io::Write::write_fmt(self.out, format_args!("\"{value}\""));
    }

    pub fn integer(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, if value { b"true" } else { b"false" });
    }

    /// With at most three decimals.
    pub fn decimal(&mut self, key: &str, value: f64) {
        self.key(key);
        write_number(self.out, (value * 1_000.0).round() / 1_000.0);
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
            Var::Text(text) => self.value(key, &**text),
            Var::Json(value) => self.value(key, &**value),
        }
    }

    /// Several texts under one key: alone, or as a list.
    pub fn texts<'t>(&mut self, key: &str, mut values: impl Iterator<Item = std::borrow::Cow<'t, str>>) {
        let Some(first) = values.next() else { return };
        let Some(second) = values.next() else {
            return self.value(key, &*first);
        };
        self.key(key);
        self.out.push(b'[');
        write_value(self.out, &*first);
        for value in std::iter::once(second).chain(values) {
            self.out.push(b',');
            write_value(self.out, &*value);
        }
        self.out.push(b']');
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_value(self.out, key);
        self.out.push(b':');
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
        object.texts("one", ["x"].map(Cow::Borrowed).into_iter());
        object.texts("two", ["x", "y"].map(Cow::Borrowed).into_iter());
        let mut inner = object.object("o");
        inner.flag("f", true);
        inner.end();
        object.object("empty").end();
        object.end();
        assert!(!out.contains(&b'\n'));
        let value: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({
            "a\"b": "line\nend", "n": 7, "d": 1.235, "nan": null, "raw": {"x": "\n"}, "num": 3, "json": [1],
            "one": "x", "two": ["x", "y"], "o": {"f": true}, "empty": {}
        });
        assert_eq!(value, expected);
    }
}
