//! Where a request carries its token, and how it is kept from the upstream.

use std::borrow::Cow;

use gateway::credential::{CredentialPlace, remove_cookie};
use gateway::exchange::{Exchange, Request};
use gateway::headers;
use http::header::{COOKIE, HeaderMap, HeaderName};

use crate::query;

/// The three places, asked in this order.
pub(super) struct Location {
    pub header: HeaderName,
    pub query: Box<str>,
    pub cookie: Box<str>,
}

/// Which place had the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Query,
    Cookie,
}

pub(super) struct Found<'r> {
    pub token: Cow<'r, str>,
    pub place: Place,
}

impl Location {
    /// The token of the first place that has one.
    pub fn find<'r>(&self, request: &'r Request) -> Option<Found<'r>> {
        let found = |token, place| Some(Found { token, place });
        if let Some(value) = request.headers.get(&self.header) {
            let value = value.to_str().unwrap_or_default();
            let token = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")).unwrap_or(value);
            return found(Cow::Borrowed(token), Place::Header);
        }
        if let Some(token) = request.query().and_then(|query| query::argument(query, &self.query)) {
            return found(token, Place::Query);
        }
        cookie(&request.headers, &self.cookie).and_then(|token| found(Cow::Borrowed(token), Place::Cookie))
    }

    /// `place` in the gateway's terms, for upstreams that must never see the token.
    pub fn noted(&self, place: Place) -> CredentialPlace {
        match place {
            Place::Header => CredentialPlace::Header(self.header.clone()),
            Place::Query => CredentialPlace::Argument(self.query.clone()),
            Place::Cookie => CredentialPlace::Cookie(self.cookie.clone()),
        }
    }

    /// Takes the token out of what goes to the upstream.
    pub fn hide(&self, exchange: &mut Exchange, place: Place) {
        match place {
            Place::Header => {
                headers::remove(&mut exchange.request.headers, &self.header);
            }
            Place::Query => query::hide(exchange, &self.query),
            Place::Cookie => remove_cookie(&mut exchange.request.headers, &self.cookie),
        }
    }
}

/// The value of the cookie `name`. HTTP/2 clients may spread cookies over several headers.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let rows = [("jwt=abc", Some("abc")), ("a=1; jwt=abc; b=2", Some("abc")), ("a=1;b=jwt=2", None)];
        for (text, value) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, http::HeaderValue::from_static(text));
            assert_eq!(cookie(&headers, "jwt"), value, "{text}");
        }
    }
}
