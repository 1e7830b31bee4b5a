//! Where a message's body ends: RFC 9112, section 6. Two readers of a message that find different ends make request
//! smuggling possible, so whatever is doubtful is either refused or ends with the connection.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, StatusCode, Version};
use http_body::Body as _;

use super::fault::Malformed;
use crate::transport::outgoing::OutgoingBody;

/// How a request's body is told apart from what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFraming {
    /// There is no body.
    Bodiless,
    /// As many bytes, of which there is at least one.
    Length(u64),
    Chunked,
}

impl RequestFraming {
    /// By what is known of the body; a request's own `Transfer-Encoding` asks for chunks.
    pub fn of(request: &Request<OutgoingBody>) -> Self {
        let body = request.body();
        if body.is_end_stream() {
            return RequestFraming::Bodiless;
        }
        match body.size_hint().exact() {
            Some(length) if !request.headers().contains_key(TRANSFER_ENCODING) => RequestFraming::Length(length),
            Some(_) | None => RequestFraming::Chunked,
        }
    }
}

/// What a request says about its answer's body before there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// An answer with a body, if it has one.
    Answer,
    /// A head alone.
    Head,
    /// A switch to another protocol, or an answer.
    Switch,
    /// A tunnel, or an answer.
    Tunnel,
}

impl Asked {
    pub fn by(request: &Request<OutgoingBody>) -> Self {
        match *request.method() {
            Method::HEAD => Asked::Head,
            Method::CONNECT => Asked::Tunnel,
            _ if request.headers().contains_key(http::header::UPGRADE) => Asked::Switch,
            _ => Asked::Answer,
        }
    }
}

/// How an answer's body is told apart from what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// As many bytes; none is none.
    Known(u64),
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// The headers that say where an answer's body ends and whether its connection lasts.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    length: Length,
    coding: Coding,
    close: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Is(u64),
    Illegal,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Coding {
    #[default]
    Absent,
    Chunked,
    /// No coding at all, as HTTP/1.1 once allowed to say; the body ends with the connection.
    Identity,
    Unknown,
}

impl FramingFields {
    /// Notes a header, if it is one of them.
    pub fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        if name == CONTENT_LENGTH {
            self.note_length(value);
        } else if name == TRANSFER_ENCODING {
            self.coding = match (self.coding, value.as_bytes()) {
                (Coding::Absent, value) if value.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                (Coding::Absent, value) if value.eq_ignore_ascii_case(b"identity") => Coding::Identity,
                _ => Coding::Unknown,
            };
        } else if name == CONNECTION {
            let says_close = |item: &[u8]| item.trim_ascii().eq_ignore_ascii_case(b"close");
            self.close |= value.as_bytes().split(|byte| *byte == b',').any(says_close);
        }
    }

    /// Equal lengths may be repeated, in one header or several.
    fn note_length(&mut self, value: &HeaderValue) {
        for item in value.as_bytes().split(|byte| *byte == b',') {
            self.length = match (self.length, number(item.trim_ascii())) {
                (Length::Absent, Some(length)) => Length::Is(length),
                (Length::Is(before), Some(length)) if before == length => Length::Is(length),
                _ => Length::Illegal,
            };
        }
    }

    /// The length of the body of an answer with these headers.
    ///
    /// # Errors
    /// If they contradict themselves, or tell a coding that is not known.
    pub fn body(&self, asked: Asked, status: StatusCode, version: Version) -> Result<BodyLength, Malformed> {
        let bodiless = asked == Asked::Head
            || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || (asked == Asked::Tunnel && status.is_success());
        if bodiless {
            return Ok(BodyLength::Known(0));
        }
        match (self.coding, self.length) {
            (Coding::Chunked, _) if version == Version::HTTP_11 => Ok(BodyLength::Chunked),
            (Coding::Identity, _) if version == Version::HTTP_11 => Ok(BodyLength::UntilClose),
            (Coding::Chunked | Coding::Identity | Coding::Unknown, _) => Err(Malformed::TransferEncoding),
            (Coding::Absent, Length::Is(length)) => Ok(BodyLength::Known(length)),
            (Coding::Absent, Length::Illegal) => Err(Malformed::ContentLength),
            (Coding::Absent, Length::Absent) => Ok(BodyLength::UntilClose),
        }
    }

    /// `true` if the connection may carry another request after an answer of `version` with these headers. Not where
    /// both framings are told: somebody on the way may have believed the other one.
    pub fn lasts(&self, version: Version) -> bool {
        let doubtful = self.coding != Coding::Absent && self.length != Length::Absent;
        version == Version::HTTP_11 && !self.close && !doubtful
    }
}

/// Digits alone: no sign, no space, nothing that does not fit.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
