//! Replacements in a body. They may match across chunks, so the body is held until it has ended, or until it has
//! become too long and everything passes as it is. A compressed body is decoded first; the head no longer names its
//! coding, so one that cannot be decoded breaks the response off.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use config::pattern::Pattern;
use gateway::content_coding::{Coding, DecodeError, Decoder};
use gateway::plugin::BodyFilter;
use gateway::settlement::Outcome;

use super::{Filter, Scope};

/// One compiled filter.
#[derive(Debug)]
pub(super) struct Replacement {
    pattern: Pattern,
    replace: Box<str>,
    scope: Scope,
}

/// Goes over the body of one response.
pub(super) struct Rewriter {
    filters: Arc<[Replacement]>,
    max_bytes: usize,
    decoder: Option<Decoder>,
    held: BytesMut,
    /// The body was too long: what comes passes.
    gave_up: bool,
    fault: Option<Outcome>,
}

impl Replacement {
    /// # Errors
    /// If the regular expression does not compile.
    pub fn new(filter: &Filter) -> Result<Self, String> {
        let flags: String = filter.options.chars().filter(|flag| "ismx".contains(*flag)).collect();
        let source = if flags.is_empty() { filter.regex.clone() } else { format!("(?{flags}){}", filter.regex) };
        let pattern = Pattern::new(&source)
            .map_err(|error| format!("regex \"{}\" validation failed: {}", filter.regex, error.reason))?;
        Ok(Self { pattern, replace: filter.replace.as_str().into(), scope: filter.scope })
    }

    fn apply(&self, text: &str) -> String {
        match self.scope {
            Scope::Once => self.pattern.replace_first(text, &self.replace),
            Scope::Global => self.pattern.replace_all(text, &self.replace),
        }
        .into_owned()
    }
}

impl Rewriter {
    /// For a body that is compressed as `coding` says.
    pub fn new(filters: Arc<[Replacement]>, max_bytes: usize, coding: Option<Coding>) -> Self {
        let decoder = coding.map(Decoder::new);
        Self { filters, max_bytes, decoder, held: BytesMut::new(), gave_up: false, fault: None }
    }

    fn decoded(&mut self, decoded: Result<Bytes, DecodeError>) -> Bytes {
        decoded.unwrap_or_else(|error| {
            tracing::warn!(%error, "response-rewrite: a response breaks off");
            self.held.clear();
            self.fault = Some(match error {
                DecodeError::Corrupt => Outcome::UpstreamCut,
                DecodeError::Expands => Outcome::LimitExceeded,
            });
            Bytes::new()
        })
    }

    fn replaced(&self, held: Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(&held) else {
            tracing::warn!("response-rewrite: the body is no UTF-8 text, filters do not apply");
            return held;
        };
        let Some((first, rest)) = self.filters.split_first() else { return held };
        rest.iter().fold(first.apply(text), |text, filter| filter.apply(&text)).into()
    }
}

impl BodyFilter for Rewriter {
    fn chunk(&mut self, chunk: Bytes) -> Bytes {
        let chunk = match &mut self.decoder {
            None => chunk,
            Some(decoder) => {
                let decoded = decoder.push(&chunk);
                self.decoded(decoded)
            }
        };
        if self.gave_up {
            return chunk;
        }
        self.held.extend_from_slice(&chunk);
        if self.held.len() <= self.max_bytes {
            return Bytes::new();
        }
        self.gave_up = true;
        tracing::warn!(max_resp_body_size = self.max_bytes, "response-rewrite: the body is too long for filters");
        std::mem::take(&mut self.held).freeze()
    }

    fn end(&mut self) -> Bytes {
        let rest = match self.decoder.take() {
            None => Bytes::new(),
            Some(decoder) => {
                let decoded = decoder.finish();
                self.decoded(decoded)
            }
        };
        if self.gave_up || self.fault.is_some() {
            return rest;
        }
        self.held.extend_from_slice(&rest);
        let held = std::mem::take(&mut self.held).freeze();
        self.replaced(held)
    }

    fn fault(&self) -> Option<Outcome> {
        self.fault
    }
}
