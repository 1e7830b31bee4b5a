//! Google's error object, as it stands inside a stream: `{"error": {"code", "message", "status", "details"}}`.

use crate::errors::{ApiError, ErrorKind};
use crate::json::{ObjectWriter, Raw};

/// Reads the value of `error`.
pub(super) fn read(error: Raw<'_>) -> ApiError<'_> {
    let (mut code, mut message, mut status) = (None, None, None);
    for (key, value) in error.members() {
        match key {
            b"code" => code = value.count(),
            b"message" => message = value.text(),
            b"status" => status = value.text(),
            _ => {}
        }
    }
    let code = code.and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
    ApiError { kind: kind(code), status: code, message: message.unwrap_or_default(), code: status, param: None }
}

const fn kind(code: u16) -> ErrorKind {
    match code {
        400 => ErrorKind::InvalidRequest,
        401 => ErrorKind::Authentication,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        413 => ErrorKind::RequestTooLarge,
        429 => ErrorKind::RateLimited,
        503 => ErrorKind::Overloaded,
        504 => ErrorKind::Timeout,
        _ => ErrorKind::Upstream,
    }
}

/// Writes an object with the one member `error`.
pub(super) fn write(out: &mut Vec<u8>, error: &ApiError<'_>) {
    let code = if error.status == 0 { error.kind.status() } else { error.status };
    let mut body = ObjectWriter::new(out);
    let mut object = body.object("error");
    object.number("code", u64::from(code));
    object.string("message", &error.message);
    object.string("status", status(error.kind));
}

/// Google's name of what went wrong.
const fn status(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::RequestTooLarge | ErrorKind::ContentFiltered => "INVALID_ARGUMENT",
        ErrorKind::Authentication => "UNAUTHENTICATED",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => "RESOURCE_EXHAUSTED",
        ErrorKind::Upstream | ErrorKind::Overloaded | ErrorKind::StreamCut => "UNAVAILABLE",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
        ErrorKind::Internal => "INTERNAL",
    }
}
