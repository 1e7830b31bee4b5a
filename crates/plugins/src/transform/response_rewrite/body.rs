//! Replacements in a body. They may match across chunks, so the body is held until it has ended, or until it has
//! become too long and everything passes as it is.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use config::pattern::Pattern;
use gateway::plugin::BodyFilter;

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
    held: BytesMut,
    /// The body was too long: what comes passes.
    gave_up: bool,
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
    pub fn new(filters: Arc<[Replacement]>, max_bytes: usize) -> Self {
        Self { filters, max_bytes, held: BytesMut::new(), gave_up: false }
    }
}

impl BodyFilter for Rewriter {
    fn chunk(&mut self, chunk: Bytes) -> Bytes {
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
        let held = std::mem::take(&mut self.held).freeze();
        let Ok(text) = std::str::from_utf8(&held) else {
            tracing::warn!("response-rewrite: the body is no UTF-8 text, filters do not apply");
            return held;
        };
        let Some((first, rest)) = self.filters.split_first() else { return held };
        rest.iter().fold(first.apply(text), |text, filter| filter.apply(&text)).into()
    }
}
