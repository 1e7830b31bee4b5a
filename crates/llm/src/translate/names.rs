//! Names of functions and identifiers of calls, fitted to what the provider accepts.
//!
//! The name mapping is APISIX's, a pure function of the name, so that a conversation keeps its names over all its
//! turns. Invariant: what is renamed in the request is named as before in the answer; whatever a client sends, the work
//! grows with the length of its body alone.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::dialect::NameRule;
use crate::model::{PartBody, Request, Text, ToolBody, ToolCall, ToolChoice, ToolResult};

/// Of a name that must change, so much is kept before its hash.
const KEPT_CHARS: usize = 55;

/// Functions that go by another name at the provider: the client's names by the provider's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renames(HashMap<Box<str>, Box<str>>);

impl Renames {
    /// The client's name of the function that the provider calls `name`.
    pub(super) fn restore<'a>(&self, name: Text<'a>) -> Text<'a> {
        match self.0.get(name.as_ref()) {
            None => name,
            Some(client) => Cow::Owned(client.to_string()),
        }
    }
}

/// Gives every function of `request` a name that `rule` accepts.
pub(super) fn fit_names(request: &mut Request<'_>, rule: NameRule) -> Renames {
    let mut renames = Renames::default();
    let mut fit = |name: &mut Text<'_>| {
        if rule.accepts(name) || name.is_empty() {
            return;
        }
        let fitted = fitted(name, rule);
        renames.0.entry(fitted.as_str().into()).or_insert_with(|| name.as_ref().into());
        *name = Cow::Owned(fitted);
    };
    let mut declared: HashSet<Text<'_>> = HashSet::new();
    for tool in &mut request.tools {
        if let ToolBody::Function(function) = &mut tool.body {
            declared.insert(function.name.clone());
            fit(&mut function.name);
        }
    }
    // The name of a tool that is not declared is the client's mistake, which the provider is to
    // name as the client knows it.
    match &mut request.tool_choice {
        Some(ToolChoice::Function(name)) if !declared.contains(name) => {}
        Some(ToolChoice::Function(name)) => fit(name),
        Some(ToolChoice::Allowed { names, .. }) => {
            names.iter_mut().filter(|name| declared.contains(*name)).for_each(&mut fit);
        }
        None | Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::Opaque(_)) => {}
    }
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.body {
            PartBody::ToolCall(call) => fit(&mut call.name),
            PartBody::ToolResult(result) => result.name.iter_mut().for_each(&mut fit),
            _ => {}
        }
    }
    renames
}

/// Sanitised; and told apart by a hash if that was not all.
fn fitted(name: &str, rule: NameRule) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || rule.punctuation.contains(character);
    let filler = if rule.punctuation.contains('_') { '_' } else { '0' };
    let mut plain: String = name.chars().map(|character| if allowed(character) { character } else { filler }).collect();
    if plain.starts_with(|first: char| rule.never_first.contains(first)) {
        plain.insert(0, filler);
    }
    let hash = Sha256::digest(name.as_bytes());
    let kept = KEPT_CHARS.min(rule.max_length.saturating_sub(9));
    let separator = if filler == '_' { "_" } else { "" };
    format!(
        "{}{separator}{:02x}{:02x}{:02x}{:02x}",
        &plain[..kept.min(plain.len())],
        hash[0],
        hash[1],
        hash[2],
        hash[3]
    )
}

/// OpenAI takes no longer identifier of a user, in characters; Claude Code's has twice as many.
const LONGEST_END_USER: usize = 64;

/// Replaces a longer identifier of the client's user by its SHA-256, which tells users apart as well.
pub(super) fn fit_end_user(request: &mut Request<'_>) {
    if let Some(user) = request.end_user.as_mut().filter(|user| user.chars().count() > LONGEST_END_USER) {
        *user = hex(&Sha256::digest(user.as_bytes())).into();
    }
}

/// Gives every call an identifier of its own that `rule` accepts, and every result the identifier and the name of its
/// call.
///
/// Dialects that match results by name and order give no identifiers: results are then matched in that way here. Where
/// calls share an identifier, a result answers the last of them that has no answer.
pub(super) fn fit_calls(request: &mut Request<'_>, rule: NameRule) {
    let mut calls = Calls::default();
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.body {
            PartBody::ToolCall(call) => calls.begin(call, rule),
            PartBody::ToolResult(result) => match calls.answer(result) {
                Some(call) => {
                    result.call_id = call.id.clone();
                    result.name.get_or_insert_with(|| call.name.clone());
                }
                None if result.call_id.is_empty() => {
                    result.call_id = Cow::Owned(numbered(calls.seen.len(), rule));
                }
                None if !rule.accepts(&result.call_id) => {
                    result.call_id = Cow::Owned(hashed(&result.call_id, rule));
                }
                None => {}
            },
            _ => {}
        }
    }
}

/// The calls that have been seen, and in which order results without identifiers answer them.
#[derive(Default)]
struct Calls<'a> {
    seen: Vec<Call<'a>>,
    /// Where in `seen` the calls with one of the client's identifiers stand.
    by_id: HashMap<Text<'a>, SameId>,
    /// Calls that may have no answer, first to last: those of a name, and all.
    waiting_by_name: HashMap<Text<'a>, VecDeque<usize>>,
    waiting: VecDeque<usize>,
}

/// A call as the provider will see it.
struct Call<'a> {
    id: Text<'a>,
    name: Text<'a>,
    is_answered: bool,
}

/// The calls with one identifier.
struct SameId {
    last: usize,
    /// Those that may have no answer.
    waiting: Vec<usize>,
}

impl<'a> Calls<'a> {
    fn begin(&mut self, call: &mut ToolCall<'a>, rule: NameRule) {
        let at = self.seen.len();
        let original = call.id.clone();
        if original.is_empty() {
            call.id = Cow::Owned(numbered(at, rule));
        } else {
            if !rule.accepts(&original) {
                call.id = Cow::Owned(hashed(&original, rule));
            }
            match self.by_id.entry(original) {
                Entry::Vacant(entry) => {
                    entry.insert(SameId { last: at, waiting: vec![at] });
                }
                Entry::Occupied(mut entry) => {
                    call.id = Cow::Owned(hashed(&format!("{}#{at}", entry.key()), rule));
                    entry.get_mut().last = at;
                    entry.get_mut().waiting.push(at);
                }
            }
        }
        self.waiting_by_name.entry(call.name.clone()).or_default().push_back(at);
        self.waiting.push_back(at);
        self.seen.push(Call { id: call.id.clone(), name: call.name.clone(), is_answered: false });
    }

    /// The call that `result` answers.
    fn answer(&mut self, result: &ToolResult<'a>) -> Option<&Call<'a>> {
        let Self { seen, by_id, waiting_by_name, waiting } = self;
        let is_open = |at: &usize| seen.get(*at).is_some_and(|call| !call.is_answered);
        let at = if result.call_id.is_empty() {
            let queue = match &result.name {
                Some(name) => waiting_by_name.get_mut(name)?,
                None => waiting,
            };
            std::iter::from_fn(|| queue.pop_front()).find(is_open)?
        } else {
            let same = by_id.get_mut(&result.call_id)?;
            std::iter::from_fn(|| same.waiting.pop()).find(is_open).unwrap_or(same.last)
        };
        let call = seen.get_mut(at)?;
        call.is_answered = true;
        Some(call)
    }
}

/// The identifier of the call numbered `at` in a conversation whose dialect gives none.
fn numbered(at: usize, rule: NameRule) -> String {
    hashed(&format!("call{at}"), rule)
}

/// An identifier made of letters and digits, the same for the same `id`.
fn hashed(id: &str, rule: NameRule) -> String {
    let mut text = hex(&Sha256::digest(id.as_bytes()));
    text.truncate(rule.max_length.min(24));
    text
}

/// Two digits a byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
