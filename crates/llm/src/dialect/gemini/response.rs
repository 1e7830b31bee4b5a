use crate::dialect::{Dialect, ReadError, Reply};
use crate::json::Raw;
use crate::model::{Losses, Response};

pub(super) fn read(_body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    Ok(Response::new(Dialect::Gemini))
}

pub(super) fn write(_response: &Response<'_>, _reply: &Reply, _losses: &mut Losses) -> Vec<u8> {
    Vec::new()
}
