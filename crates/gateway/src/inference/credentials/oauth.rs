//! OAuth 2's answer with an access token, as Google and Microsoft give it, and the header that shows one.

use std::time::Duration;

use http::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::fetch::{Answered, FetchError};
use crate::variables::timestamp;

/// Where an answer does not say how long its token lives.
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);

/// A token and how long it is taken.
#[derive(Debug)]
pub(super) struct Token {
    /// `Bearer TOKEN`, marked as sensitive.
    pub bearer: HeaderValue,
    pub lifetime: Duration,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds: a number, or at Microsoft's metadata servers a text.
    expires_in: Option<Value>,
    /// Seconds since the Unix epoch, where an App Service answers.
    expires_on: Option<Value>,
}

/// The token in `answer`.
///
/// # Errors
/// If there is none, or it cannot stand in a header.
pub(super) fn token(answer: &Answered) -> Result<Token, FetchError> {
    let read: TokenAnswer = answer.json()?;
    if read.access_token.is_empty() {
        return Err(answer.unusable());
    }
    let bearer = bearer(&read.access_token).ok_or_else(|| answer.unusable())?;
    let until = || Some(seconds(read.expires_on.as_ref()?)?.saturating_sub(timestamp::now()));
    let lifetime = read.expires_in.as_ref().and_then(seconds).or_else(until).unwrap_or(USUAL_LIFETIME);
    Ok(Token { bearer, lifetime })
}

/// The header that shows `token`; `None` if it cannot stand in one.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

fn seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        Value::String(text) => text.parse().ok().map(Duration::from_secs),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
