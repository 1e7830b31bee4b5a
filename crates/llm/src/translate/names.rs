//! Names of functions and identifiers of calls, fitted to what the provider accepts.
//!
//! The name mapping is APISIX's, a pure function of the name, so that a conversation keeps its names over all its
//! turns. Invariant: what is renamed in the request is named as before in the answer.

use std::borrow::Cow;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::dialect::NameRule;
use crate::model::{PartBody, Request, Text, ToolBody, ToolChoice};

/// Of a name that must change, so much is kept before its hash.
const KEPT_CHARS: usize = 55;

/// Functions that go by another name at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renames(Vec<Rename>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rename {
    client: Box<str>,
    provider: Box<str>,
}

impl Renames {
    /// The client's name of the function that the provider calls `name`.
    pub(super) fn restore<'a>(&self, name: Text<'a>) -> Text<'a> {
        match self.0.iter().find(|rename| *rename.provider == *name) {
            None => name,
            Some(rename) => Cow::Owned(rename.client.to_string()),
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
        if !renames.0.iter().any(|rename| *rename.client == **name) {
            renames.0.push(Rename { client: name.as_ref().into(), provider: fitted.as_str().into() });
        }
        *name = Cow::Owned(fitted);
    };
    for tool in &mut request.tools {
        if let ToolBody::Function(function) = &mut tool.body {
            fit(&mut function.name);
        }
    }
    match &mut request.tool_choice {
        Some(ToolChoice::Function(name)) => fit(name),
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(&mut fit),
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
    let plain: String = name.chars().map(|character| if allowed(character) { character } else { filler }).collect();
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

/// Gives every call an identifier that `rule` accepts, and every result the identifier and the name of its call.
///
/// Dialects that match results by name and order give no identifiers: results are then matched in that way here.
pub(super) fn fit_calls(request: &mut Request<'_>, rule: NameRule) {
    let mut calls: Vec<Call<'_>> = Vec::new();
    let mut by_id: HashMap<Text<'_>, usize> = HashMap::new();
    // All calls before this one are answered.
    let mut first_open = 0;
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.body {
            PartBody::ToolCall(call) => {
                let original = call.id.clone();
                if call.id.is_empty() {
                    call.id = Cow::Owned(numbered(calls.len(), rule));
                } else if !rule.accepts(&call.id) {
                    call.id = Cow::Owned(hashed(&call.id, rule));
                }
                by_id.entry(original).or_insert(calls.len());
                calls.push(Call { id: call.id.clone(), name: call.name.clone(), answered: false });
            }
            PartBody::ToolResult(result) => {
                let found = match result.call_id.is_empty() {
                    true => {
                        first_open += calls[first_open..].iter().take_while(|call| call.answered).count();
                        let fits = |call: &Call<'_>| result.name.as_ref().is_none_or(|name| *name == call.name);
                        let open = &calls[first_open..];
                        open.iter().position(|call| !call.answered && fits(call)).map(|at| first_open + at)
                    }
                    false => by_id.get(&result.call_id).copied(),
                };
                match found {
                    Some(at) => {
                        let call = &mut calls[at];
                        call.answered = true;
                        result.call_id = call.id.clone();
                        result.name.get_or_insert_with(|| call.name.clone());
                    }
                    None if result.call_id.is_empty() => result.call_id = Cow::Owned(numbered(calls.len(), rule)),
                    None if !rule.accepts(&result.call_id) => {
                        result.call_id = Cow::Owned(hashed(&result.call_id, rule));
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }
}

/// A call that has been seen.
struct Call<'a> {
    id: Text<'a>,
    name: Text<'a>,
    answered: bool,
}

/// The identifier of the call numbered `at` in a conversation whose dialect gives none.
fn numbered(at: usize, rule: NameRule) -> String {
    hashed(&format!("call{at}"), rule)
}

/// An identifier made of letters and digits, the same for the same `id`.
fn hashed(id: &str, rule: NameRule) -> String {
    let hash = Sha256::digest(id.as_bytes());
    let mut text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(rule.max_length.min(24));
    text
}
