//! What the model said, given back in the pieces in which it was streamed.
//!
//! Google's SDK keeps each chunk of a stream as a content of its own. Invariant: neighbouring contents of the model are
//! one turn, in which a text or a thought that two of them share is one part; parts of one content stay apart.

use crate::model::{Part, PartBody, Role, Text, Turn};

/// Makes one turn of neighbouring turns of the model.
pub(super) fn join<'a>(contents: impl Iterator<Item = Turn<'a>>) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for turn in contents {
        match turns.last_mut() {
            Some(last) if last.role == Role::Assistant && turn.role == Role::Assistant => append(last, turn),
            _ => turns.push(turn),
        }
    }
    turns
}

fn append<'a>(turn: &mut Turn<'a>, next: Turn<'a>) {
    turn.extras.0.extend(next.extras.0);
    let mut pieces = next.parts.into_iter();
    let first = pieces.next().and_then(|piece| continue_last(turn.parts.last_mut(), piece));
    turn.parts.extend(first.into_iter().chain(pieces));
}

/// Adds `piece` to the part that it continues; gives it back if there is none.
fn continue_last<'a>(last: Option<&mut Part<'a>>, piece: Part<'a>) -> Option<Part<'a>> {
    let Some(last) = last else { return Some(piece) };
    if !last.extras.is_empty() || !piece.extras.is_empty() {
        return Some(piece);
    }
    match (open_text(&mut last.body), closed_text(&piece.body)) {
        (Some((told, kind)), Some((more, next))) if kind == next => told.to_mut().push_str(more),
        // A chunk may hold an empty text before it holds anything else.
        (Some((told, Kind::Answer)), _) if told.is_empty() => {
            *last = piece;
        }
        (_, Some(("", Kind::Answer))) => {}
        (_, _) => return Some(piece),
    }
    None
}

/// What kind of text a part is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answer,
    Thought,
}

/// The text of a part to which more may be added: nothing signs it.
fn open_text<'p, 'a>(part: &'p mut PartBody<'a>) -> Option<(&'p mut Text<'a>, Kind)> {
    match part {
        PartBody::Text { text, signature: None, .. } => Some((text, Kind::Answer)),
        PartBody::Reasoning(thought) if thought.signature.is_none() && thought.encrypted.is_none() => {
            Some((&mut thought.text, Kind::Thought))
        }
        _ => None,
    }
}

/// The text of a part that may be added to another.
fn closed_text<'p>(part: &'p PartBody<'_>) -> Option<(&'p str, Kind)> {
    match part {
        PartBody::Text { text, signature: None, .. } => Some((text, Kind::Answer)),
        PartBody::Reasoning(thought) if thought.signature.is_none() && thought.encrypted.is_none() => {
            Some((&thought.text, Kind::Thought))
        }
        _ => None,
    }
}
