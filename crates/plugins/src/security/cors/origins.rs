//! Sets of origins, and what `Access-Control-Allow-Origin` says to one that asks.

use std::collections::HashSet;

use config::pattern::Pattern;
use http::HeaderValue;

/// A set of origins.
#[derive(Debug)]
pub(super) enum Origins {
    /// `*`: everyone gets the same answer.
    Anyone,
    /// `**`: whoever asks, by name.
    Everyone,
    Listed(HashSet<Box<str>>),
    Matching(Vec<Pattern>),
}

impl Origins {
    /// Reads `*`, `**` or origins separated by commas.
    pub fn listed(text: &str) -> Result<Self, String> {
        Ok(match text {
            "*" => Origins::Anyone,
            "**" => Origins::Everyone,
            list => Origins::Listed(list.split(',').map(|origin| origin.trim().into()).collect()),
        })
    }

    /// Origins that match one of `patterns`.
    ///
    /// # Errors
    /// If a pattern is no regular expression.
    pub fn matching(patterns: &[String]) -> Result<Self, String> {
        let patterns = patterns.iter().map(|source| Pattern::new(source).map_err(|error| error.to_string()));
        patterns.collect::<Result<_, _>>().map(Origins::Matching)
    }

    /// `true` if the answer is the same whoever asks.
    pub fn is_anyone(&self) -> bool {
        matches!(self, Origins::Anyone)
    }

    /// What to say to `asking`; `None` if that origin is not in the set.
    pub fn allowed(&self, asking: Option<&HeaderValue>) -> Option<HeaderValue> {
        const ANYONE: HeaderValue = HeaderValue::from_static("*");
        match self {
            Origins::Anyone => Some(ANYONE),
            Origins::Everyone => Some(asking.cloned().unwrap_or(ANYONE)),
            Origins::Listed(listed) => {
                asking.filter(|origin| text(origin).is_some_and(|text| listed.contains(text))).cloned()
            }
            Origins::Matching(patterns) => {
                let matches = |origin: &&HeaderValue| {
                    text(origin).is_some_and(|text| patterns.iter().any(|pattern| pattern.is_match(text)))
                };
                asking.filter(matches).cloned()
            }
        }
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}
