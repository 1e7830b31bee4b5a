//! Documents: the texts on which an answer is grounded, in a field of the request, and what
//! tools gave, in their results.
//!
//! A document's `data` is a text or an object of texts. For other dialects those of the request are documents of the
//! last user's turn. Invariant: nothing of `data` is left out.

use crate::json::{Kind, Raw};
use crate::model::{Media, MediaKind, MediaSource, Part, PartBody, Request, Role, Text};

/// What `document` says: its text, or its data as JSON where they are more than a text.
pub(super) fn data(document: Raw<'_>) -> Text<'_> {
    let data = document.first("data").unwrap_or(document);
    let only = |name: &str| {
        let mut members = data.members();
        let (key, value) = members.next()?;
        (members.next().is_none() && key == name.as_bytes()).then(|| value.text()).flatten()
    };
    let text = data.text().or_else(|| only("text"));
    text.unwrap_or_else(|| String::from_utf8_lossy(data.bytes))
}

/// Reads `documents` into the last user's turn; `false` if there is none.
pub(super) fn read<'a>(documents: Raw<'a>, request: &mut Request<'a>) -> bool {
    let Some(turn) = request.turns.iter_mut().rfind(|turn| turn.role == Role::User) else { return false };
    turn.parts.splice(0..0, documents.elements().map(read_one));
    documents.kind == Kind::Array
}

fn read_one(document: Raw<'_>) -> Part<'_> {
    let title = || document.first("data")?.first("title")?.text();
    let media = Media {
        kind: MediaKind::Document,
        source: MediaSource::PlainText(data(document)),
        media_type: Some("text/plain".into()),
        name: document.first("id").and_then(Raw::text).or_else(title),
        context: None,
        detail: None,
        citations: None,
    };
    let mut part = Part::from(PartBody::Media(Box::new(media)));
    part.extras.keep_as_written(document);
    part
}

/// `true` for what [`read`] has put into a turn.
pub(super) fn is_of_request(part: &Part<'_>) -> bool {
    matches!(part.body, PartBody::Media(_)) && part.extras.as_written().is_some()
}
