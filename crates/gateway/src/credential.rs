//! Where a request carries its consumer's credential, and how it is taken out of what goes on to others.
//!
//! Authentication plugins note the places in the [`Exchange`](crate::exchange::Exchange), whether the credential was
//! good or not. The dispatch to LLM providers removes all of them: a gateway's keys are no provider's business.

use std::borrow::Cow;

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};

use crate::headers;

/// One place that carried a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    Header(HeaderName),
    /// A query argument, by its decoded name.
    Argument(Box<str>),
    /// A cookie; the others stay.
    Cookie(Box<str>),
}

/// `true` if all of the header `name` is one of `places`.
pub(crate) fn is_header(places: &[CredentialPlace], name: &HeaderName) -> bool {
    places.iter().any(|place| matches!(place, CredentialPlace::Header(known) if known == name))
}

/// Removes from `headers` the cookies among `places`.
pub(crate) fn strip_cookies(headers: &mut HeaderMap, places: &[CredentialPlace]) {
    for place in places {
        match place {
            CredentialPlace::Cookie(name) => remove_cookie(headers, name),
            CredentialPlace::Header(_) | CredentialPlace::Argument(_) => {}
        }
    }
}

/// `query` without the arguments among `places`; what stays is as the client wrote it.
pub(crate) fn strip_query<'q>(query: &'q str, places: &[CredentialPlace]) -> Cow<'q, str> {
    let names = || {
        places.iter().filter_map(|place| match place {
            CredentialPlace::Argument(name) => Some(&**name),
            CredentialPlace::Header(_) | CredentialPlace::Cookie(_) => None,
        })
    };
    if names().next().is_none() {
        return Cow::Borrowed(query);
    }
    let is_other = |pair: &&str| {
        let written = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let name = decode_argument(written);
        !names().any(|carried| carried == name)
    };
    Cow::Owned(query.split('&').filter(is_other).collect::<Vec<_>>().join("&"))
}

/// `query` with `[hidden]` in the place of what arguments say that hold keys, as their decoded names tell.
pub(crate) fn hide_arguments(query: &str, holds_key: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let mut is_changed = false;
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if holds_key(&decode_argument(name)) => {
            is_changed = true;
            Cow::Owned(format!("{name}=[hidden]"))
        }
        Some(_) | None => Cow::Borrowed(pair),
    });
    let shown = shown.collect::<Vec<_>>().join("&");
    if is_changed { Cow::Owned(shown) } else { Cow::Borrowed(query) }
}

/// A query argument's name or value, percent-decoded, with `+` as a space.
pub(crate) fn decode_argument(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Rewrites the Cookie header without the cookie `name`; drops it if nothing else is left.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let is_other = |pair: &&str| pair.split_once('=').is_none_or(|(known, _)| known != name);
    let kept: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .filter(is_other)
        .collect();
    let kept = HeaderValue::from_str(&kept.join("; ")).ok().filter(|value| !value.is_empty());
    match kept {
        Some(value) => {
            headers.insert(COOKIE, value);
        }
        None => {
            headers::remove(headers, &COOKIE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_taken_out_from_among_others() {
        let rows = [("jwt=abc", None), ("a=1; jwt=abc; b=2", Some("a=1; b=2")), ("a=1;b=jwt=2", Some("a=1; b=jwt=2"))];
        for (text, rest) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(text));
            remove_cookie(&mut headers, "jwt");
            assert_eq!(headers.get(COOKIE).map(|value| value.to_str().expect("text")), rest, "{text}");
        }
    }

    #[test]
    fn what_an_argument_says_is_hidden() {
        let rows = [("x=1&ke%79=s&key", "x=1&ke%79=[hidden]&key"), ("x=key", "x=key"), ("", "")];
        for (query, shown) in rows {
            assert_eq!(hide_arguments(query, |name| name == "key"), shown, "{query}");
        }
    }

    #[test]
    fn an_argument_is_taken_out_however_its_name_is_written() {
        let places = [CredentialPlace::Argument("api key".into()), CredentialPlace::Argument("jwt".into())];
        let rows = [("a=%41&api+key=x&b=+", "a=%41&b=+"), ("api%20key=x&jwt", ""), ("a=jwt", "a=jwt"), ("", "")];
        for (query, rest) in rows {
            assert_eq!(strip_query(query, &places), rest, "{query}");
        }
    }
}
