//! A client's own key and headers where the provider speaks another dialect: what concerns the client's dialect alone
//! stays behind, and the key is shown in the provider's way. Invariant: where the operator has configured credentials,
//! no key of a client goes to the provider.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use llm::KeyPlace;

use super::target::parse_query;
use crate::credential::{CredentialPlace, is_header, strip_query};
use crate::headers;

/// Headers in which clients of the dialects show a key, other than as a bearer.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// Arguments in which Google's clients show a key, and browsers to WebSockets, for they cannot set headers there.
const KEY_ARGUMENTS: [&str; 3] = ["key", "api-key", "access_token"];

/// What SDKs add for their own provider.
const DIALECT_PREFIXES: [&str; 6] = ["anthropic-", "x-stainless-", "openai-", "x-goog-", "x-amz-", "amz-sdk-"];

/// What of a client's headers stays behind beside what no provider gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StaysBehind {
    /// Nothing: the client speaks to the provider in its own name and dialect.
    Nothing,
    /// Every key, for the operator shows one.
    Keys,
    /// Every key, to be shown in the provider's way if there is no other, and what concerns the client's dialect alone.
    KeysAndDialect,
}

impl StaysBehind {
    /// `true` if the header `name` does not go along.
    pub(super) fn holds(self, name: &HeaderName) -> bool {
        match self {
            StaysBehind::Nothing => false,
            StaysBehind::Keys => is_key(name),
            StaysBehind::KeysAndDialect => is_key(name) || is_of_dialect(name),
        }
    }
}

/// The key that a client shows for the provider; not one that stands in `places`, which is the
/// gateway's. A signature is no key.
pub(super) fn shown(headers: &HeaderMap, places: &[CredentialPlace]) -> Option<HeaderValue> {
    let value = |name: &HeaderName| headers.get(name).filter(|_| !is_header(places, name));
    let bearer = value(&AUTHORIZATION).filter(|value| is_bearer(value)).and_then(token);
    bearer.or_else(|| KEY_HEADERS.iter().find_map(value).cloned())
}

/// The key that Google's clients may show in `query`.
pub(super) fn argument(query: &str) -> Option<HeaderValue> {
    let (_, key) = parse_query(query).into_iter().find(|(name, key)| name == "key" && !key.is_empty())?;
    HeaderValue::from_str(&key).ok()
}

/// `headers` show a key that is not the gateway's, which stands in `places`.
pub(super) fn are_in(headers: &HeaderMap, places: &[CredentialPlace]) -> bool {
    headers.keys().any(|name| is_key(name) && !is_header(places, name))
}

/// Clients show keys in the argument `name`.
pub(crate) fn is_key_argument(name: &str) -> bool {
    KEY_ARGUMENTS.contains(&name)
}

/// `query` without the arguments in which clients show a key.
pub(super) fn forget_arguments(query: Cow<'_, str>) -> Cow<'_, str> {
    let places = KEY_ARGUMENTS.map(|name| CredentialPlace::Argument(name.into()));
    Cow::Owned(strip_query(&query, &places).into_owned())
}

/// Shows `key` to a provider that looks for it at `place`. A token is a bearer everywhere.
pub(super) fn show(headers: &mut HeaderMap, key: HeaderValue, place: KeyPlace) {
    let (name, mut value) = match place {
        KeyPlace::Header(name) if !is_token(&key) => (HeaderName::from_static(name), key),
        KeyPlace::Header(_) | KeyPlace::Bearer | KeyPlace::SigV4 => {
            let Some(value) = as_bearer(&key) else { return };
            (AUTHORIZATION, value)
        }
    };
    value.set_sensitive(true);
    headers.insert(name, value);
}

/// Shows a key that stands in `headers` as a bearer at `place`, unless there is one. Google's own paths know no bearer
/// but a token of OAuth; its OpenAI-compatible ones, for which most configurations are written, take both.
pub(super) fn show_bearer(headers: &mut HeaderMap, place: KeyPlace) {
    let KeyPlace::Header(name) = place else { return };
    let key = headers.get(AUTHORIZATION).filter(|value| is_bearer(value)).and_then(token);
    let Some(key) = key.filter(|key| !is_token(key) && !headers.contains_key(name)) else { return };
    headers::remove(headers, &AUTHORIZATION);
    show(headers, key, place);
}

/// A token that somebody was given in the place of a key: Google's are told by their beginning,
/// Microsoft Entra's are JWTs.
fn is_token(key: &HeaderValue) -> bool {
    [&b"ya29."[..], b"eyJ"].iter().any(|beginning| key.as_bytes().starts_with(beginning))
}

fn is_key(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || KEY_HEADERS.contains(name)
}

fn is_of_dialect(name: &HeaderName) -> bool {
    DIALECT_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}

fn is_bearer(value: &HeaderValue) -> bool {
    value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

/// What stands behind `Bearer `.
fn token(value: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes().get(7..)?.trim_ascii()).ok()
}

fn as_bearer(key: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_a_query_stay_behind() {
        let query = Cow::Borrowed("model=m&api-key=K&access_token=T&key=G");
        assert_eq!(forget_arguments(query), "model=m");
    }

    const PLACE: KeyPlace = KeyPlace::Header("x-goog-api-key");

    fn shown(headers: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let named = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers: HeaderMap = headers.iter().map(named).collect();
        show_bearer(&mut headers, PLACE);
        let text = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().map(str::to_owned));
        headers.iter().map(text).filter_map(|(name, value)| Some((name, value.ok()?))).collect()
    }

    #[test]
    fn a_key_that_is_a_bearer_is_shown_where_googles_own_paths_look_for_it() {
        let told = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(shown(&[("authorization", "Bearer AIza1")]), told("x-goog-api-key", "AIza1"));
        assert_eq!(shown(&[("authorization", "Bearer ya29.a")]), told("authorization", "Bearer ya29.a"));
        assert_eq!(shown(&[("x-goog-api-key", "AIza1")]), told("x-goog-api-key", "AIza1"));
        assert_eq!(shown(&[("authorization", "Bearer a"), ("x-goog-api-key", "b")]).len(), 2);
    }
}
