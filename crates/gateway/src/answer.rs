//! Responses that the gateway makes itself, and the response head that plugins see and change.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

/// The `Server` header of every response, as APISIX clients expect it.
pub const SERVER: HeaderValue = HeaderValue::from_static(config::APISIX_SERVER);

/// The same where `apisix.enable_server_tokens` is off.
pub const SERVER_WITHOUT_VERSION: HeaderValue = HeaderValue::from_static("APISIX");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// An answer that ends a request without an upstream.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: AnswerBody,
    /// They replace those of the same name. Mostly none: boxed, so that a refusal is small.
    pub headers: Option<Box<HeaderMap>>,
}

/// What stands in the body of an [`Answer`].
#[derive(Debug)]
pub enum AnswerBody {
    Empty,
    /// The stock HTML page of the status.
    Page,
    /// Text or JSON text as it is.
    Text(Bytes),
}

impl Answer {
    /// `status` with nothing in it.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: AnswerBody::Empty, headers: None }
    }

    /// `status` with the stock HTML page, as APISIX answers where a plugin gives no body.
    pub fn page(status: StatusCode) -> Self {
        Self { status, body: AnswerBody::Page, headers: None }
    }

    /// `status` with `text` verbatim, `text/plain` unless a header says otherwise.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self { status, body: AnswerBody::Text(text.into()), headers: None }
    }

    /// `status` with `value` as JSON and a line end, the way APISIX prints a table body.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let mut text = serde_json::to_vec(value).unwrap_or_default();
        text.push(b'\n');
        Self::text(status, text)
    }

    /// `{"message": message}`, the shape most plugins refuse with.
    pub fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "message": message }))
    }

    /// `{"error_msg": message}`.
    pub fn error_msg(status: StatusCode, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error_msg": message }))
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// With `Content-Type: value`.
    #[must_use]
    pub fn with_content_type(self, value: HeaderValue) -> Self {
        self.with_header(CONTENT_TYPE, value)
    }

    /// The head and the body bytes that go to the client.
    pub fn into_parts(self) -> (ResponseHead, Bytes) {
        let mut headers = self.headers.map_or_else(HeaderMap::new, |headers| *headers);
        let (content_type, body) = match self.body {
            AnswerBody::Empty => (None, Bytes::new()),
            AnswerBody::Page => (Some(HTML), page(self.status)),
            AnswerBody::Text(text) => (Some(TEXT), text),
        };
        match (headers.get_mut(CONTENT_TYPE), content_type) {
            (Some(set), _) => add_charset(set),
            (None, Some(content_type)) => drop(headers.insert(CONTENT_TYPE, content_type)),
            (None, None) => {}
        }
        (ResponseHead { status: self.status, headers, replaced_body: None }, body)
    }
}

/// Says of a text of the gateway's own that it is UTF-8, if nothing else is said.
fn add_charset(content_type: &mut HeaderValue) {
    let Some(text) = content_type.to_str().ok().filter(|text| text.starts_with("text/")) else { return };
    if text.contains("charset") {
        return;
    }
    if let Ok(complete) = HeaderValue::from_str(&format!("{text}; charset=utf-8")) {
        *content_type = complete;
    }
}

/// Status and headers on their way to the client.
#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// If set, these bytes go to the client instead of the body (`Content-Length` is corrected).
    pub replaced_body: Option<Bytes>,
}

/// The stock error page of `status`.
pub fn page(status: StatusCode) -> Bytes {
    let title = title(status);
    Bytes::from(format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>openresty</center>\r\n<p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.\
         </em></p></body>\r\n</html>\r\n"
    ))
}

/// `404 Not Found`, with nginx's own words where they differ from the standard's.
fn title(status: StatusCode) -> String {
    let reason = match status.as_u16() {
        302 => "Found",
        401 => "Authorization Required",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => status.canonical_reason().unwrap_or(""),
    };
    format!("{} {reason}", status.as_u16())
}
