//! What a handler answers, before it becomes an HTTP response: a status, a body and its content type.
//! Invariant: every JSON object or array ends with one newline, as APISIX writes it. Used by every listener
//! of this crate.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A whole answer: nothing in this crate streams.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// A JSON object or array.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let mut text = body.to_string();
        text.push('\n');
        Self::new(status, JSON, text)
    }

    /// `{"error_msg": message}`, the shape of nearly every refusal.
    pub(crate) fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "error_msg": message }))
    }

    /// A bare string. APISIX keeps the JSON content type for these, so clients expect it.
    pub(crate) fn bare(status: StatusCode, text: &'static str) -> Self {
        Self::new(status, JSON, text)
    }

    /// A text of another type, such as metrics.
    pub(crate) fn text(status: StatusCode, content_type: &'static str, text: String) -> Self {
        Self::new(status, HeaderValue::from_static(content_type), text)
    }

    /// No body; the JSON content type stays.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, JSON, Bytes::new())
    }

    /// The stock page that stands in for answers without a body, as nginx shows it.
    pub(crate) fn page(status: StatusCode) -> Self {
        let title = page_title(status);
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>openresty</center>\r\n<p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.\
             </em></p></body>\r\n</html>\r\n"
        );
        Self::new(status, HTML, page)
    }

    /// The same answer with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type);
        Self { status, headers, body: body.into() }
    }
}

impl From<Reply> for Response<Full<Bytes>> {
    fn from(reply: Reply) -> Self {
        let mut response = Response::new(Full::new(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

/// nginx's own titles differ from the IANA phrases for a few statuses.
fn page_title(status: StatusCode) -> String {
    let phrase = match status.as_u16() {
        401 => "Authorization Required",
        405 => "Not Allowed",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    format!("{} {phrase}", status.as_u16())
}
