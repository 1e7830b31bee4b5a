//! What the head of a provider's answer says of its body: whether it is a stream, whether it can be read, and what of
//! the head holds no more where the client gets another body. Called by the dispatch.

use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};

use super::stream::Reading;
use crate::content_coding::Encoding;
use crate::headers;

const STREAMS: [&str; 3] = ["text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson"];

/// What tells one body from another, or which parts of it can be asked for.
const VALIDATORS: [HeaderName; 7] = [
    ACCEPT_RANGES,
    ETAG,
    LAST_MODIFIED,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// The content type is one of streams.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let told = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let names = |stream: &&str| told.windows(stream.len()).any(|part| part.eq_ignore_ascii_case(stream.as_bytes()));
    STREAMS.iter().any(names)
}

/// The content type is one of JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|told| told.contains("json"))
}

/// The content type says nothing: some providers do not tell that what they were asked for is a stream.
pub(super) fn names_no_form(headers: &HeaderMap) -> bool {
    const VAGUE: [&[u8]; 2] = [b"text/plain", b"application/octet-stream"];
    let begins =
        |value: &[u8], name: &[u8]| value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    headers.get(CONTENT_TYPE).is_none_or(|value| VAGUE.iter().any(|name| begins(value.as_bytes(), name)))
}

/// Answers of these statuses are read whole, whatever their type.
pub(super) fn is_retryable(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// A refusal costs no tokens and has no end marker; of an unknown coding nothing can be read.
pub(super) fn reading(status: StatusCode, encoding: Encoding) -> Reading {
    match encoding {
        _ if !status.is_success() => Reading::Opaque,
        Encoding::Plain | Encoding::Coded(_) => Reading::Observed,
        Encoding::Unknown => Reading::Hidden,
    }
}

/// Takes out what tells bodies apart, where the client gets another than the provider's.
pub(super) fn remove_validators(headers: &mut HeaderMap) {
    headers::retain(headers, |name| !VALIDATORS.contains(name));
}
