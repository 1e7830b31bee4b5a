//! Heads as bytes: a request's is written, an answer's is read. A head that was read is one piece of memory which its
//! header values share.

use std::io::Write as _;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Request, StatusCode, Uri, Version};

use super::fault::Malformed;
use super::framing::{FramingFields, RequestFraming};
use crate::headers::ROOM;
use crate::transport::outgoing::OutgoingBody;

/// An answer's head may not be longer.
pub(super) const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Header lines that an answer may have.
pub(super) const MAX_HEADERS: usize = 256;

/// Appends a request's head to `out`. Its framing headers stand once and as `framing` says, in the place where the
/// request has them, else at the end.
pub(super) fn write_request(out: &mut Vec<u8>, request: &Request<OutgoingBody>, framing: RequestFraming) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    write_target(out, request.uri());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut is_framed = framing == RequestFraming::Bodiless;
    for (name, value) in request.headers() {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            match framing {
                // A length beside no body can only be zero, which some methods want to be told.
                RequestFraming::Bodiless if name == CONTENT_LENGTH => out.extend_from_slice(b"content-length: 0\r\n"),
                RequestFraming::Length(_) | RequestFraming::Chunked if !is_framed => {
                    write_framing(out, framing);
                    is_framed = true;
                }
                RequestFraming::Bodiless | RequestFraming::Length(_) | RequestFraming::Chunked => {}
            }
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !is_framed {
        write_framing(out, framing);
    }
    out.extend_from_slice(b"\r\n");
}

/// The path with its query; the whole of a URI that names a server.
fn write_target(out: &mut Vec<u8>, uri: &Uri) {
    match uri.path_and_query() {
        Some(target) if uri.authority().is_none() => {
            let target = target.as_str();
            if !target.starts_with(['/', '*']) {
                out.push(b'/');
            }
            out.extend_from_slice(target.as_bytes());
        }
        _ => write!(out, "{uri}").expect("memory takes every write"),
    }
}

fn write_framing(out: &mut Vec<u8>, framing: RequestFraming) {
    match framing {
        RequestFraming::Bodiless => {}
        RequestFraming::Length(length) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        RequestFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}

/// What stands at the beginning of what was read.
#[derive(Debug)]
pub(super) enum Parsed {
    /// The head is not whole yet.
    Partial,
    /// Another head follows this one, of so many bytes.
    Interim(usize),
    Final(ResponseHead),
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct ResponseHead {
    /// In bytes.
    pub length: usize,
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
    pub framing: FramingFields,
}

/// Reads a head. Its headers take over the memory of `spare`, which is emptied if the head is a final one.
///
/// # Errors
/// If it is none, or too long.
pub(super) fn parse_response(received: &Bytes, spare: &mut HeaderMap) -> Result<Parsed, Malformed> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, received, &mut lines)
        .map_err(Malformed::Head)?;
    let httparse::Status::Complete(length) = parsed else {
        return if received.len() > MAX_HEAD_BYTES {
            Err(Malformed::HeadLength(MAX_HEAD_BYTES))
        } else {
            Ok(Parsed::Partial)
        };
    };
    if length > MAX_HEAD_BYTES {
        return Err(Malformed::HeadLength(MAX_HEAD_BYTES));
    }
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed::Head(httparse::Error::Status))?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Parsed::Interim(length));
    }
    let mut headers = std::mem::take(spare);
    headers.clear();
    headers.reserve(response.headers.len() + ROOM);
    let mut framing = FramingFields::default();
    for line in response.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let name = name.map_err(|_| Malformed::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(received.slice_ref(line.value));
        let value = value.map_err(|_| Malformed::Head(httparse::Error::HeaderValue))?;
        framing.note(&name, &value);
        headers.append(name, value);
    }
    let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    Ok(Parsed::Final(ResponseHead { length, status, version, headers, framing }))
}
