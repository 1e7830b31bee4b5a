//! Regular expressions as APISIX users write them: PCRE syntax, with look-around and back-references.
//! Invariant: no pattern and no text can hold a worker for long. Patterns without look-around run on a
//! linear-time engine; the others stop after [`BACKTRACK_LIMIT`] steps, and a match that was not found by then
//! counts as no match. Other than in PCRE, `\d`, `\w` and `\s` know all of Unicode, `$` stands only at the very
//! end, `\h` is a hexadecimal digit, `&&`, `--` and `~~` work on sets inside `[]`; `\Q..\E`, `(?|..)` and
//! `(*VERB)` are refused. Called by expressions, by plugins with regex fields and by the router.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use fancy_regex::{Regex, RegexBuilder};

#[cfg(test)]
mod tests;

/// Steps that a backtracking pattern may take on one text: some milliseconds at most.
pub const BACKTRACK_LIMIT: usize = 250_000;

/// Bytes that one compiled pattern may take, so that `(a{1000}){1000}` is refused instead of stored.
const COMPILED_BYTES: usize = 4 << 20;

/// Instructions that the backtracking engine may need for one pattern.
const PROGRAM_LENGTH: usize = 100_000;

/// Whether letters match their other case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Case {
    #[default]
    Sensitive,
    Insensitive,
}

/// A pattern that does not compile. The text is the engine's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid regex '{pattern}': {reason}")]
pub struct PatternError {
    pub pattern: String,
    pub reason: String,
}

/// A compiled regular expression; unanchored, like PCRE's.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
}

/// The groups of one match.
#[derive(Debug)]
pub struct Captures<'t>(fancy_regex::Captures<'t, str>);

// === impl Pattern ===

impl Pattern {
    /// Compiles `source`, case-sensitively.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        Self::with_case(source, Case::Sensitive)
    }

    /// As [`Pattern::new`], but compiled once for all who hold it at the same time: schemas have the same few patterns
    /// in many places, and a compiled one takes kilobytes.
    pub fn shared(source: &str) -> Result<Arc<Self>, PatternError> {
        static IN_USE: LazyLock<Mutex<HashMap<Box<str>, Weak<Pattern>>>> = LazyLock::new(Mutex::default);
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = in_use.get(source).and_then(Weak::upgrade) {
            return Ok(pattern);
        }
        let pattern = Arc::new(Self::new(source)?);
        in_use.retain(|_, known| known.strong_count() > 0);
        in_use.insert(source.into(), Arc::downgrade(&pattern));
        Ok(pattern)
    }

    /// Compiles `source`. An inline flag (`(?i)`) in the source still counts.
    pub fn with_case(source: &str, case: Case) -> Result<Self, PatternError> {
        RegexBuilder::new(source)
            .case_insensitive(case == Case::Insensitive)
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(COMPILED_BYTES)
            .max_prog_size(PROGRAM_LENGTH)
            .build()
            .map(|regex| Self { regex })
            .map_err(|error| PatternError { pattern: source.to_owned(), reason: error.to_string() })
    }

    /// The source text.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// `true` if the pattern occurs anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text).unwrap_or(false)
    }

    /// Where the first match stands, in bytes.
    pub fn find(&self, text: &str) -> Option<Range<usize>> {
        let found = self.regex.find(text).ok().flatten()?;
        Some(found.start()..found.end())
    }

    /// The groups of the first match.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.captures(text).ok().flatten().map(Captures)
    }

    /// Replaces the first match. `replacement` may use `$1`, `${1}`, `$0` (all of the match) and `$$` (a
    /// dollar), as nginx's `ngx.re.sub`. Borrowed if nothing matched.
    pub fn replace_first<'t>(&self, text: &'t str, replacement: &str) -> Cow<'t, str> {
        self.replace_up_to(text, replacement, 1)
    }

    /// Replaces every match that does not overlap an earlier one; see [`Pattern::replace_first`].
    pub fn replace_all<'t>(&self, text: &'t str, replacement: &str) -> Cow<'t, str> {
        self.replace_up_to(text, replacement, usize::MAX)
    }

    fn replace_up_to<'t>(&self, text: &'t str, replacement: &str, most: usize) -> Cow<'t, str> {
        let mut replaced = String::new();
        let mut copied = 0;
        for captures in self.regex.captures_iter(text).take(most) {
            // Half a replacement would be worse than none: a limit hit on the way leaves the text alone.
            let Ok(captures) = captures else {
                return Cow::Borrowed(text);
            };
            let Some(whole) = captures.get(0) else {
                continue;
            };
            replaced.push_str(&text[copied..whole.start()]);
            Captures(captures).expand(replacement, &mut replaced);
            copied = whole.end();
        }
        if copied == 0 && replaced.is_empty() {
            return Cow::Borrowed(text);
        }
        replaced.push_str(&text[copied..]);
        Cow::Owned(replaced)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

// === impl Captures ===

impl<'t> Captures<'t> {
    /// The text of group `number`; 0 is the whole match. `None` if the group took no part or is not there.
    pub fn get(&self, number: usize) -> Option<&'t str> {
        self.0.get(number).map(|group| group.as_str())
    }

    /// The text of a named group (`(?<name>...)`).
    pub fn name(&self, name: &str) -> Option<&'t str> {
        self.0.name(name).map(|group| group.as_str())
    }

    /// How many groups the pattern has, the whole match included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: the whole match is always there. Exists beside [`Captures::len`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `replacement` with its `$1`, `${1}`, `$0` and `$$` filled in. A missing group is empty; a `$`
    /// before anything else stays.
    pub fn expand(&self, replacement: &str, out: &mut String) {
        let mut rest = replacement;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some((number, after)) = group_number(rest) {
                out.push_str(self.get(number).unwrap_or_default());
                rest = after;
            } else {
                out.push('$');
            }
        }
        out.push_str(rest);
    }
}

/// Reads `1` or `{1}` at the start of `text`; returns the number and what follows it.
fn group_number(text: &str) -> Option<(usize, &str)> {
    let braced = text.strip_prefix('{');
    let digits_on = braced.unwrap_or(text);
    let end = digits_on.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits_on.len());
    let number = digits_on[..end].parse().ok()?;
    let after = &digits_on[end..];
    match braced {
        Some(_) => after.strip_prefix('}').map(|after| (number, after)),
        None => Some((number, after)),
    }
}
