//! The several forms in which users write one thing, brought to one: ids as text or number, durations in
//! seconds. Used by the `deserialize_with` attributes of the resource types.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A century. Longer times would run over what a clock can count.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}

/// An id, text or integer; the integer 7 and the text `7` are the same id.
pub(super) fn id<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Id::deserialize(input).map(String::from)
}

/// Like [`id`], for references which may be absent.
pub(super) fn optional_id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Id::deserialize(input).map(String::from).map(Some)
}

/// A duration in seconds, possibly fractional. Negative ones and those that no clock can add to its time are refused.
pub(super) fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(input)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= LONGEST).ok_or_else(|| {
        D::Error::custom(format!("{seconds} is not a number of seconds from 0 to {}", LONGEST.as_secs()))
    })
}

/// Like [`seconds`]; zero means that there is no such limit.
pub(super) fn seconds_or_never<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    seconds(input).map(|duration| Some(duration).filter(|d| !d.is_zero()))
}

/// APISIX's 1 and 0.
pub(super) fn status<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    u8::deserialize(input).map(|status| status != 0)
}

pub(super) fn enabled() -> bool {
    true
}
