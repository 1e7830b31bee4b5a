//! JSON, written straight into a buffer.
//!
//! Invariant: what is opened is closed when its writer is dropped, so that the text is well-formed whatever path the
//! code takes; raw values are trusted to be well-formed. Used by the dialects' writers.

/// An object under construction; closed when dropped.
#[derive(Debug)]
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens an object at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Writes `key` and gives the buffer, to which exactly one value must be appended.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        write_string(self.out, key);
        self.out.push(b':');
        self.out
    }

    pub fn string(&mut self, key: &str, value: &str) {
        write_string(self.key(key), value);
    }

    /// Writes the member if there is a value.
    pub fn maybe_string(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    pub fn number(&mut self, key: &str, value: u64) {
        write_number(self.key(key), value);
    }

    pub fn boolean(&mut self, key: &str, value: bool) {
        self.raw(key, if value { b"true" } else { b"false" });
    }

    pub fn null(&mut self, key: &str) {
        self.raw(key, b"null");
    }

    /// Writes a value that is JSON already.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key).extend_from_slice(json);
    }

    /// Writes a value that is JSON already, if there is one.
    pub fn maybe_raw(&mut self, key: &str, json: Option<&[u8]>) {
        if let Some(json) = json {
            self.raw(key, json);
        }
    }

    /// Writes a list of texts if there are any.
    pub fn maybe_strings(&mut self, key: &str, texts: &[impl AsRef<str>]) {
        if !texts.is_empty() {
            let mut list = self.array(key);
            texts.iter().for_each(|text| list.string(text.as_ref()));
        }
    }

    pub fn object(&mut self, key: &str) -> ObjectWriter<'_> {
        ObjectWriter::new(self.key(key))
    }

    pub fn array(&mut self, key: &str) -> ArrayWriter<'_> {
        ArrayWriter::new(self.key(key))
    }
}

impl Drop for ObjectWriter<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

/// An array under construction; closed when dropped.
#[derive(Debug)]
pub struct ArrayWriter<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ArrayWriter<'o> {
    /// Opens an array at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_empty: true }
    }

    /// Gives the buffer, to which exactly one value must be appended.
    pub fn element(&mut self) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        self.out
    }

    pub fn string(&mut self, value: &str) {
        write_string(self.element(), value);
    }

    /// Writes a value that is JSON already.
    pub fn raw(&mut self, json: &[u8]) {
        self.element().extend_from_slice(json);
    }

    pub fn object(&mut self) -> ObjectWriter<'_> {
        ObjectWriter::new(self.element())
    }

    /// Nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl Drop for ArrayWriter<'_> {
    fn drop(&mut self) {
        self.out.push(b']');
    }
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = super::plain_run(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(special) = rest.get(plain) else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// Keeps well-formed JSON on one line, as events need it: its line breaks, which stand between tokens only, become
/// spaces.
pub fn keep_on_one_line(json: &mut [u8]) {
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
}

/// Appends a whole number.
pub fn write_number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
