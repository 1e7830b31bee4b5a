//! The request's variables with the response's over them: its head is not the exchange's yet while plugins change
//! it.

use std::borrow::Cow;

use config::vars::{Var, Vars};
use gateway::answer::ResponseHead;
use gateway::exchange::Exchange;
use http::HeaderMap;

pub(super) struct ResponseVars<'e> {
    exchange: &'e Exchange,
    head: &'e ResponseHead,
}

impl<'e> ResponseVars<'e> {
    pub fn new(exchange: &'e Exchange, head: &'e ResponseHead) -> Self {
        Self { exchange, head }
    }

    /// `true` if the variable `name` is found in the response's head.
    pub fn are_of_response(name: &str) -> bool {
        name == "status" || response_header(name).is_some()
    }
}

impl Vars for ResponseVars<'_> {
    fn var(&self, name: &str) -> Var<'_> {
        if name == "status" {
            return Var::Text(Cow::Borrowed(self.head.status.as_str()));
        }
        match response_header(name) {
            Some(header) => self::header(&self.head.headers, header),
            None => self.exchange.var(name),
        }
    }
}

/// The header that the variable `name` shows.
fn response_header(name: &str) -> Option<&str> {
    name.strip_prefix("sent_http_").or_else(|| name.strip_prefix("upstream_http_"))
}

/// A header by its name as variables write it: lower case, `_` for `-`.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Var<'h> {
    let value = headers.get(name.replace('_', "-")).and_then(|value| value.to_str().ok());
    value.map_or(Var::Nil, |text| Var::Text(Cow::Borrowed(text)))
}
