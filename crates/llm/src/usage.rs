//! Token counts as providers report them, brought to one form.
//!
//! Invariant: a provider's own numbers are kept, never recomputed; a total is only filled in where none was sent.
//! What the counts include differs by provider: OpenAI's prompt count includes cached tokens, Anthropic's does not,
//! xAI leaves reasoning out of the completion count. Read by the stream observer and, for buffered answers, by
//! [`ResponseFacts`](crate::ResponseFacts).

use crate::endpoint::{UsageFields, endpoint};
use crate::json::Raw;
use crate::protocol::Protocol;

/// Tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub prompt: u64,
    pub completion: u64,
    pub total: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_creation: u64,
    pub reasoning: u64,
    /// Counted by us, not reported by the provider.
    pub estimated: bool,
}

impl Usage {
    /// Reads the usage of a buffered answer in `protocol`'s dialect; `None` if it reports none.
    pub fn from_response(protocol: Protocol, body: &[u8]) -> Option<Self> {
        raw_usage(protocol, body).map(|raw| Self::read(protocol, raw))
    }

    /// Reads a usage object of `protocol`'s dialect. Counts that are absent or `null` are 0.
    pub fn read(protocol: Protocol, object: Raw<'_>) -> Self {
        let row = endpoint(protocol);
        let fields = row.usage;
        let prompt = count(object, fields.prompt);
        let completion = match protocol {
            Protocol::OpenAiEmbeddings => 0,
            _ => count(object, fields.completion),
        };
        let total = object.get(fields.total).and_then(Raw::count).unwrap_or(prompt + completion);
        let UsageFields { cached, cache_creation, reasoning, .. } = fields;
        Self {
            prompt,
            completion,
            total,
            cached: first_count(object, cached),
            cache_creation: first_count(object, cache_creation),
            reasoning: first_count(object, reasoning),
            estimated: false,
        }
    }

    /// Counts made by the tokenizer.
    pub fn estimated(prompt: u64, completion: u64) -> Self {
        Self { prompt, completion, total: prompt + completion, estimated: true, ..Self::default() }
    }

    /// Takes in a later report of the same stream: its positive counts win, its zeros erase nothing, and the
    /// total is at least prompt and completion together.
    pub fn merge(&mut self, later: &Self) {
        let pairs = [
            (&mut self.prompt, later.prompt),
            (&mut self.completion, later.completion),
            (&mut self.total, later.total),
            (&mut self.cached, later.cached),
            (&mut self.cache_creation, later.cache_creation),
            (&mut self.reasoning, later.reasoning),
        ];
        for (known, new) in pairs {
            if new > 0 {
                *known = new;
            }
        }
        self.total = self.total.max(self.prompt.saturating_add(self.completion));
    }
}

/// The usage object of a buffered answer, as the provider wrote it.
pub fn raw_usage(protocol: Protocol, body: &[u8]) -> Option<Raw<'_>> {
    let path = endpoint(protocol).usage_at;
    if path.is_empty() {
        return None;
    }
    Raw::new(body)?.at(path).filter(|usage| usage.is_object())
}

fn count(object: Raw<'_>, name: &str) -> u64 {
    object.get(name).and_then(Raw::count).unwrap_or(0)
}

fn first_count(object: Raw<'_>, alternatives: &[&[&str]]) -> u64 {
    alternatives.iter().find_map(|path| object.at(path).and_then(Raw::count)).unwrap_or(0)
}
