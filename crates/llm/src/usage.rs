//! Token counts as providers report them, brought to one form.
//!
//! Invariant: a provider's own numbers are kept, never recomputed; a total is only filled in where none was sent.
//! What the counts include differs by provider: OpenAI's prompt count includes cached tokens, Anthropic's does not,
//! xAI leaves reasoning out of the completion count. Read by the stream observer and, for buffered answers, by
//! [`ResponseFacts`](crate::ResponseFacts).

use crate::dialect::{Dialect, ProviderDialect};
use crate::endpoint::{UsageFields, endpoint};
use crate::json::{Cursor, Raw};
use crate::model::TokenCounts;
use crate::protocol::Protocol;

/// No dialect keeps one count in more places than this.
const MOST_PLACES: usize = 3;

const INPUT_HEADER: &str = "x-amzn-bedrock-input-token-count";
const OUTPUT_HEADER: &str = "x-amzn-bedrock-output-token-count";
const CACHE_READ_HEADER: &str = "x-amzn-bedrock-cache-read-input-token-count";
const CACHE_WRITE_HEADER: &str = "x-amzn-bedrock-cache-write-input-token-count";

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
        let mut counts = Counts::default();
        // What stands before a break counts.
        let _ = counts.read(endpoint(protocol).usage, &mut Cursor::new(object.bytes));
        counts.sum_up(protocol)
    }

    /// Reads the usage under `cursor`, which is left behind it; `Some(None)` if it is no object.
    pub(crate) fn read_at(protocol: Protocol, cursor: &mut Cursor<'_>) -> Option<Option<Self>> {
        if cursor.peek() != Some(b'{') {
            return cursor.skim().map(|_| None);
        }
        let mut counts = Counts::default();
        counts.read(endpoint(protocol).usage, cursor)?;
        Some(Some(counts.sum_up(protocol)))
    }

    /// The counts as `dialect`'s own usage object would tell them: what it counts beside the
    /// prompt is not in the prompt.
    pub fn of(dialect: Dialect, counts: &TokenCounts) -> Self {
        let prompt = if counts_cache_aside(dialect) { counts.uncached_input() } else { counts.input };
        let total = match dialect {
            Dialect::Anthropic => prompt.saturating_add(counts.output),
            _ => counts.total(),
        };
        Self {
            prompt,
            completion: counts.output,
            total,
            cached: counts.cache_read,
            cache_creation: counts.cache_write,
            reasoning: counts.reasoning,
            estimated: false,
        }
    }

    /// Of an exchange that only reads: embeddings, rankings.
    pub fn of_prompt(tokens: u64) -> Self {
        Self { prompt: tokens, total: tokens, ..Self::default() }
    }

    /// The counts that `from` told, as `to` would tell them.
    #[must_use]
    pub fn retold(self, from: Dialect, to: Dialect) -> Self {
        let aside = if counts_cache_aside(from) { self.cached.saturating_add(self.cache_creation) } else { 0 };
        let counts = TokenCounts {
            input: self.prompt.saturating_add(aside),
            cache_read: self.cached,
            cache_write: self.cache_creation,
            output: self.completion,
            reasoning: self.reasoning,
            ..TokenCounts::default()
        };
        Self::of(to, &counts)
    }

    /// The counts that Bedrock's whole answers have in their headers, whatever the model's
    /// family; `None` if there are none.
    pub fn from_bedrock_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Self> {
        let count = |name: &str| header(name).and_then(|value| value.trim().parse::<u64>().ok());
        let prompt = count(INPUT_HEADER)?;
        let cache_read = count(CACHE_READ_HEADER).unwrap_or(0);
        let cache_write = count(CACHE_WRITE_HEADER).unwrap_or(0);
        let counts = TokenCounts {
            input: prompt.saturating_add(cache_read).saturating_add(cache_write),
            cache_read,
            cache_write,
            output: count(OUTPUT_HEADER).unwrap_or(0),
            ..TokenCounts::default()
        };
        Some(Self::of(ProviderDialect::BedrockInvoke.relative(), &counts))
    }

    /// The headers of a whole answer of Bedrock's `invoke`; the counts must be in its arithmetic, which is that of
    /// [`from_bedrock_headers`](Self::from_bedrock_headers).
    pub fn bedrock_headers(&self) -> [(&'static str, u64); 4] {
        [
            (INPUT_HEADER, self.prompt),
            (OUTPUT_HEADER, self.completion),
            (CACHE_READ_HEADER, self.cached),
            (CACHE_WRITE_HEADER, self.cache_creation),
        ]
    }

    /// Counts made by the tokenizer.
    pub fn estimated(prompt: u64, completion: u64) -> Self {
        Self { prompt, completion, total: prompt.saturating_add(completion), estimated: true, ..Self::default() }
    }

    /// Takes in our own count of the answer, if it is more than was reported.
    pub fn raise_completion(&mut self, counted: u64) {
        if counted > self.completion {
            self.completion = counted;
            self.total = self.total.max(self.prompt.saturating_add(counted));
            self.estimated = true;
        }
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

/// The counts of one usage object, each as it stands there.
#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    /// Cached, written to the cache and reasoning, each in the order of its places.
    details: [[Option<u64>; MOST_PLACES]; 3],
}

impl Counts {
    /// Takes in the object under `cursor` in one walk.
    fn read(&mut self, fields: &UsageFields, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.skim_members(|key, value| {
            let count = match key {
                key if names(fields.prompt, key) => &mut self.prompt,
                key if names(fields.completion, key) => &mut self.completion,
                key if names(fields.total, key) => &mut self.total,
                key if value.peek() == Some(b'{') => {
                    return value.skim_members(|inner, value| {
                        self.note_detail(fields, Some(key), inner, value.skim()?);
                        Some(())
                    });
                }
                key => {
                    self.note_detail(fields, None, key, value.skim()?);
                    return Some(());
                }
            };
            *count = value.skim()?.count();
            Some(())
        })
    }

    /// Keeps `count`, which is called `key` in the object `outer` or in the usage object itself, if it is a detail.
    fn note_detail(&mut self, fields: &UsageFields, outer: Option<&[u8]>, key: &[u8], count: Raw<'_>) {
        let details = [fields.cached, fields.cache_creation, fields.reasoning];
        for (found, places) in self.details.iter_mut().zip(details) {
            for (found, place) in found.iter_mut().zip(places) {
                let is_here = match (*place, outer) {
                    ([name], None) => names(name, key),
                    ([outer_name, name], Some(outer)) => names(name, key) && names(outer_name, outer),
                    _ => false,
                };
                if is_here {
                    *found = count.count();
                }
            }
        }
    }

    fn sum_up(self, protocol: Protocol) -> Usage {
        // Voyage and Jina tell the total alone.
        let only_count = self.total.filter(|_| only_reads(protocol));
        let prompt = self.prompt.or(only_count).unwrap_or(0);
        let completion = self.completion.filter(|_| protocol != Protocol::OpenAiEmbeddings).unwrap_or(0);
        let [cached, cache_creation, reasoning] =
            self.details.map(|found| found.into_iter().flatten().next().unwrap_or(0));
        Usage {
            prompt,
            completion,
            total: self.total.unwrap_or(prompt.saturating_add(completion)),
            cached,
            cache_creation,
            reasoning,
            estimated: false,
        }
    }
}

/// The dialect's prompt count leaves out what was read from or written to the cache.
fn counts_cache_aside(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Anthropic | Dialect::BedrockConverse => true,
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Cohere => false,
    }
}

/// What such an exchange costs is all prompt.
fn only_reads(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::OpenAiEmbeddings | Protocol::Rerank)
}

fn names(name: &str, key: &[u8]) -> bool {
    name.as_bytes() == key
}
