//! `multipart/form-data` as clients send it, with the whole body at hand.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;

use crate::dialect::Refusal;

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub name: String,
    pub filename: Option<String>,
    pub content: &'a [u8],
}

/// The fields of a request, in order.
pub(crate) struct Form<'a>(Vec<Field<'a>>);

impl<'a> Form<'a> {
    pub fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let boundary = content_type.split(';').find_map(|piece| piece.trim().strip_prefix("boundary="));
        let boundary = boundary.filter(|_| content_type.starts_with("multipart/form-data"));
        let delimiter = format!("--{}", boundary.ok_or_else(|| Refusal::bad("a form is wanted"))?.trim_matches('"'));
        let mut fields = Vec::new();
        let mut rest = body.strip_prefix(delimiter.as_bytes()).ok_or_else(torn)?;
        let separator = format!("\r\n{delimiter}");
        while !rest.starts_with(b"--") {
            let end = memmem::find(rest, separator.as_bytes()).ok_or_else(torn)?;
            fields.push(Field::read(&rest[..end]).ok_or_else(torn)?);
            rest = &rest[end + separator.len()..];
        }
        Ok(Self(fields))
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        let field = self.0.iter().find(|field| field.name == name && field.filename.is_none())?;
        std::str::from_utf8(field.content).ok()
    }

    /// The first file.
    pub fn file(&self) -> Result<&Field<'a>, Refusal> {
        self.0.iter().find(|field| field.filename.is_some()).ok_or_else(|| Refusal::missing("file"))
    }
}

impl<'a> Field<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        let blank = memmem::find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..blank]).ok()?;
        let quoted = |name: &str| {
            let (_, behind) = head.split_once(&format!("; {name}=\""))?;
            Some(behind.split_once('"')?.0.to_owned())
        };
        Some(Self { name: quoted("name")?, filename: quoted("filename"), content: &part[blank + 4..] })
    }
}

fn torn() -> Refusal {
    Refusal::bad("the form breaks off")
}
