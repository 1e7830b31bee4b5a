//! Thoughts that come back in the pieces in which they were streamed.
//!
//! Google's SDK, and clients that collect `reasoning_details`, send each piece as a part of its own and the
//! signature as the last. A provider checks the signature against the whole text, so the pieces are joined before
//! anything is written. Invariant: thoughts that were told whole stay as they are, and so does a signature that
//! belongs to the call after it.

use crate::dialect::signs_thoughts;
use crate::model::{Part, PartBody, Reasoning, Role, Signature, Turn};

/// Joins the pieces of each signed thought.
pub(super) fn join(turns: &mut [Turn<'_>]) {
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        if turn.parts.iter().any(|part| lone_signature(part).is_some()) {
            join_parts(&mut turn.parts);
        }
    }
}

fn join_parts<'a>(parts: &mut Vec<Part<'a>>) {
    let mut joined: Vec<Part<'a>> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        let Some(signature) = lone_signature(&part) else {
            joined.push(part);
            continue;
        };
        let first = joined.iter().rposition(|part| unsigned(part).is_none()).map_or(0, |at| at + 1);
        let pieces = joined.split_off(first);
        let Some(Part { body: PartBody::Reasoning(told), .. }) = pieces.first() else {
            joined.push(part);
            continue;
        };
        let text: String = pieces.iter().filter_map(unsigned).map(|thought| thought.text.as_ref()).collect();
        let signature = Some(signature.clone());
        let whole = Reasoning { text: text.into(), is_summary: told.is_summary, signature, ..Reasoning::default() };
        joined.push(PartBody::Reasoning(whole).into());
    }
    *parts = joined;
}

/// The signature of a part that is nothing else.
fn lone_signature<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Signature<'a>> {
    match &part.body {
        PartBody::Reasoning(Reasoning { text, signature: Some(signature), encrypted: None, .. })
            if text.is_empty() && signs_thoughts(signature) =>
        {
            Some(signature)
        }
        _ => None,
    }
}

/// A piece of thought that nothing proves.
fn unsigned<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Reasoning<'a>> {
    match &part.body {
        PartBody::Reasoning(thought) if thought.signature.is_none() && thought.encrypted.is_none() => Some(thought),
        _ => None,
    }
}
