use crate::dialect::{Dialect, Quirks, ReadError};
use crate::json::Raw;
use crate::model::{Losses, Request};

pub(super) fn read(_body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    Ok(Request::new(Dialect::Gemini))
}

pub(super) fn write(_request: &Request<'_>, _quirks: &Quirks, _losses: &mut Losses) -> Vec<u8> {
    Vec::new()
}
