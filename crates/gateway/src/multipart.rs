//! Forms with files in them (`multipart/form-data`, RFC 7578), read in place and as far as they have come.
//!
//! Used for variables, over whole bodies, and for the model of requests whose files are on their way, over a body's
//! beginning.

use std::borrow::Cow;

use memchr::memmem;

/// The content type of such forms.
pub(crate) const MULTIPART: &str = "multipart/form-data";

/// The parts of a body, in order. The last may not be whole yet.
struct Parts<'b> {
    delimiter: String,
    rest: &'b [u8],
}

/// One field of a form.
struct Part<'b> {
    name: String,
    /// It has a file name.
    is_file: bool,
    /// `None` if its end has not come yet.
    content: Option<&'b [u8]>,
}

/// What is known of one field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field<'b> {
    Text(Cow<'b, str>),
    /// What has come is not enough to tell.
    NotYet,
    /// It is not there, or behind a file.
    Nowhere,
}

impl<'b> Parts<'b> {
    /// The parts of `body`; `None` if `content_type` tells no boundary.
    fn of(content_type: &str, body: &'b [u8]) -> Option<Self> {
        let boundary = content_type.split(';').find_map(|piece| piece.trim().strip_prefix("boundary="))?;
        Some(Self { delimiter: format!("--{}", boundary.trim_matches('"')), rest: body })
    }

    /// The end mark has come, or something that is no form.
    fn is_over(&self) -> bool {
        match self.rest.strip_prefix(self.delimiter.as_bytes()) {
            Some(after) => after.starts_with(b"--"),
            None => !self.delimiter.as_bytes().starts_with(self.rest),
        }
    }
}

impl<'b> Iterator for Parts<'b> {
    type Item = Part<'b>;

    fn next(&mut self) -> Option<Part<'b>> {
        let part = self.rest.strip_prefix(self.delimiter.as_bytes())?.strip_prefix(b"\r\n")?;
        let blank = memmem::find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..blank]);
        let (name, is_file) = disposition(&head);
        let behind_head = &part[blank + 2..];
        let end = memmem::find(behind_head, format!("\r\n{}", self.delimiter).as_bytes());
        self.rest = end.map_or(&[], |end| &behind_head[end + 2..]);
        let content = end.map(|end| behind_head.get(2..end).unwrap_or_default());
        Some(Part { name: name.to_owned(), is_file, content })
    }
}

/// The name in a part's head, and whether it has a file name beside it.
fn disposition(head: &str) -> (&str, bool) {
    let is_it = |line: &&str| line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"));
    let Some(line) = head.lines().find(is_it) else { return ("", false) };
    let name = line.split(';').find_map(|piece| piece.trim().strip_prefix("name=")).unwrap_or_default();
    (name.trim_matches('"'), line.contains("filename"))
}

/// The text of the first field called `name` that is no file, in a body that has come whole.
pub(crate) fn text<'b>(content_type: &str, body: &'b [u8], name: &str) -> Option<Cow<'b, str>> {
    let mut parts = Parts::of(content_type, body)?;
    let part = parts.find(|part| part.name == name && !part.is_file)?;
    Some(String::from_utf8_lossy(part.content?))
}

/// The field called `name`, if it stands before all files in a body that begins so.
pub(crate) fn field<'b>(content_type: &str, beginning: &'b [u8], name: &str) -> Field<'b> {
    let Some(mut parts) = Parts::of(content_type, beginning) else { return Field::Nowhere };
    for part in parts.by_ref() {
        match part.content {
            _ if part.is_file => return Field::Nowhere,
            Some(content) if part.name == name => return Field::Text(String::from_utf8_lossy(content)),
            Some(_) => {}
            None => return Field::NotYet,
        }
    }
    if parts.is_over() { Field::Nowhere } else { Field::NotYet }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"XX\"";
    const FORM: &str = "--XX\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\n\r\n\
        --XX\r\ncontent-disposition: form-data; name=\"model\"\r\nContent-Type: text/plain\r\n\r\nwhisper-1\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.wav\"\r\n\r\nRIFF\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n--XX--\r\n";

    #[test]
    fn a_field_is_found_as_soon_as_it_has_come_and_never_before() {
        let whole = FORM.find("whisper-1\r\n--XX").expect("there") + "whisper-1\r\n--XX".len();
        for length in 0..FORM.len() {
            let found = field(TYPE, &FORM.as_bytes()[..length], "model");
            let expected = if length < whole { Field::NotYet } else { Field::Text("whisper-1".into()) };
            assert_eq!(found, expected, "{length}");
        }
        assert_eq!(text(TYPE, FORM.as_bytes(), "response_format").as_deref(), Some(""));
    }

    #[test]
    fn nothing_is_looked_for_behind_a_file() {
        assert_eq!(field(TYPE, FORM.as_bytes(), "late"), Field::Nowhere);
        assert_eq!(field(TYPE, &FORM.as_bytes()[..FORM.find("RIFF").expect("there")], "late"), Field::Nowhere);
        assert_eq!(text(TYPE, FORM.as_bytes(), "late").as_deref(), Some("x"));
        assert_eq!(text(TYPE, FORM.as_bytes(), "file"), None);
    }

    #[test]
    fn what_is_no_form_has_no_fields() {
        assert_eq!(field(TYPE, b"{\"model\":\"m\"}", "model"), Field::Nowhere);
        assert_eq!(field("multipart/form-data", FORM.as_bytes(), "model"), Field::Nowhere);
        assert_eq!(field(TYPE, b"--XX--\r\n", "model"), Field::Nowhere);
    }
}
