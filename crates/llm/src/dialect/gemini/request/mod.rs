//! Requests: [`read`] and [`write`], and what both must agree on.
//!
//! Members that only Gemini knows are kept with the name of the object they stood in, such as
//! `generationConfig.mediaResolution`, so that they find their way back and users can tell where they were.

mod contents;
mod pieces;
mod read;
mod thinking;
mod tools;
mod write;

pub(super) use contents::write_call;
pub(super) use read::read;
pub(super) use write::write;

use crate::json::{Raw, unescape};
use crate::model::{Extras, Json};

/// Keeps the member `key` of the object called `section`.
fn keep_in<'a>(extras: &mut Extras<'a>, section: &str, key: &'a [u8], value: Raw<'a>) {
    extras.0.push((format!("{section}.{}", unescape(key)).into(), Json::from(value)));
}
