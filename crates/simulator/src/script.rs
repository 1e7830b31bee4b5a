//! The script: which requests behave how, without a header on them.
//!
//! A script is JSON, from `--script FILE` or `PUT /__simulator/script`:
//!
//! ```json
//! {
//!   "rules": [
//!     { "model": "gpt-4o", "first": 2, "simulate": "status=500" },
//!     { "path": "/v1/messages", "every": 3, "simulate": "status=529" },
//!     { "header": { "authorization": "Bearer expired" }, "simulate": "status=401" }
//!   ]
//! }
//! ```
//!
//! | Field | Meaning |
//! |---|---|
//! | `path` | the request's path; with a `*` at the end, how it begins |
//! | `model` | the `model` of a JSON body; with a `*` at the end, how it begins |
//! | `method` | the request's method |
//! | `header` | headers and their exact values |
//! | `after` | not the first N requests that the rule matches |
//! | `first` | of those after `after`, only the first N |
//! | `every` | of those, only each Nth |
//! | `simulate` | directives, as the header `x-simulate` has them |
//!
//! Each rule counts the requests that it matches, whether or not it then applies. The first rule that matches and
//! applies is used, and those after it do not see the request. `/__simulator/reset` starts the counts afresh.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, Method};
use serde::Deserialize;

use crate::directives::{DirectiveError, Directives};

/// Rules in order. The empty script lets every request be answered plainly.
#[derive(Debug, Default)]
pub struct Script {
    rules: Vec<Rule>,
    reads_model: bool,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the script cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the script is not as it should be: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the script's rule {number}: {error}")]
    Directives { number: usize, error: DirectiveError },
    #[error("the script's rule {number}: {field} must be at least 1")]
    Zero { number: usize, field: &'static str },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    rules: Vec<RuleText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    path: Option<String>,
    model: Option<String>,
    method: Option<String>,
    #[serde(default)]
    header: BTreeMap<String, String>,
    #[serde(default)]
    after: u64,
    first: Option<u64>,
    every: Option<u64>,
    simulate: String,
}

#[derive(Debug)]
struct Rule {
    text: RuleText,
    directives: Directives,
    seen: AtomicU64,
}

/// What a rule can look at.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// When it is not JSON of the right shape, or names the rule whose directives are wrong.
    pub fn parse(json: &[u8]) -> Result<Self, ScriptError> {
        let file: ScriptFile = serde_json::from_slice(json)?;
        let rules = file
            .rules
            .into_iter()
            .enumerate()
            .map(|(index, text)| Rule::new(index + 1, text))
            .collect::<Result<Vec<_>, _>>()?;
        let reads_model = rules.iter().any(|rule| rule.text.model.is_some());
        Ok(Self { rules, reads_model })
    }

    /// The directives for this request, and one more on the counts of the rules it passed.
    pub(crate) fn directives(&self, subject: &Subject<'_>) -> Option<&Directives> {
        let model = if self.reads_model { model_of(subject.body) } else { None };
        let rule = self.rules.iter().find(|rule| rule.takes(subject, model.as_deref()))?;
        Some(&rule.directives)
    }

    pub(crate) fn reset(&self) {
        for rule in &self.rules {
            rule.seen.store(0, Ordering::Relaxed);
        }
    }
}

impl Rule {
    fn new(number: usize, text: RuleText) -> Result<Self, ScriptError> {
        if text.every == Some(0) {
            return Err(ScriptError::Zero { number, field: "every" });
        }
        if text.first == Some(0) {
            return Err(ScriptError::Zero { number, field: "first" });
        }
        let mut directives = Directives::default();
        directives.apply(&text.simulate).map_err(|error| ScriptError::Directives { number, error })?;
        Ok(Self { text, directives, seen: AtomicU64::new(0) })
    }

    fn takes(&self, subject: &Subject<'_>, model: Option<&str>) -> bool {
        self.matches(subject, model) && self.applies_to(self.seen.fetch_add(1, Ordering::Relaxed))
    }

    fn matches(&self, subject: &Subject<'_>, model: Option<&str>) -> bool {
        let text = &self.text;
        text.path.as_deref().is_none_or(|pattern| fits(pattern, subject.path))
            && text.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(subject.method.as_str()))
            && text.model.as_deref().is_none_or(|pattern| model.is_some_and(|model| fits(pattern, model)))
            && text.header.iter().all(|(name, value)| {
                subject.headers.get(name.as_str()).is_some_and(|got| got.as_bytes() == value.as_bytes())
            })
    }

    /// `index` is how many requests this rule matched before.
    fn applies_to(&self, index: u64) -> bool {
        let Some(index) = index.checked_sub(self.text.after) else {
            return false;
        };
        self.text.first.is_none_or(|first| index < first)
            && self.text.every.is_none_or(|every| (index + 1) % every == 0)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

fn model_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        model: String,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| body.model)
}

#[cfg(test)]
mod tests;
