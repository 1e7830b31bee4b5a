//! What a client's form of a dialect knows beyond the dialect itself, taken out where the provider speaks
//! the dialect and not the form.
//!
//! Invariant: what other speakers of the dialect may know stays.

use super::lose_opaque;
use crate::dialect::ClientDialect;
use crate::model::{Extras, Feature, Losses, MediaKind, MediaSource, PartBody, Request, ToolBody};

/// Takes out what only `client`'s form knows, if it has one of its own, and tells it.
pub(super) fn drop_own(request: &mut Request<'_>, client: ClientDialect, losses: &mut Losses) {
    let fields = client.own_fields();
    if fields.is_empty() {
        return;
    }
    drop_fields(&mut request.extras, fields, losses);
    request.tools.retain(|tool| match &tool.body {
        ToolBody::Function(_) => true,
        ToolBody::Opaque(json) => {
            lose_opaque(json, losses);
            false
        }
    });
    if request.tools.is_empty() {
        // Providers refuse a choice among no tools.
        request.tool_choice = None;
        request.parallel_tool_calls = None;
    }
    for turn in &mut request.turns {
        drop_fields(&mut turn.extras, fields, losses);
        turn.parts.retain_mut(|part| keep_part(&mut part.body, losses));
    }
}

fn drop_fields(extras: &mut Extras<'_>, fields: &[&str], losses: &mut Losses) {
    extras.0.retain(|(name, _)| {
        let is_own = fields.contains(&name.as_ref());
        if is_own {
            losses.lose_field(name);
        }
        !is_own
    });
}

/// `true` if all speakers of the dialect have the part.
fn keep_part(body: &mut PartBody<'_>, losses: &mut Losses) -> bool {
    match body {
        PartBody::Opaque(json) => {
            lose_opaque(json, losses);
            false
        }
        // A provider of the dialect wants back what it told, and no others' thoughts.
        PartBody::Reasoning(thought) if thought.signature.is_none() && thought.encrypted.is_none() => {
            losses.lose(Feature::Reasoning);
            false
        }
        PartBody::Media(media) if media.kind == MediaKind::Document && matches!(media.source, MediaSource::Url(_)) => {
            losses.lose(Feature::MediaUrl);
            false
        }
        PartBody::ToolResult(result) => {
            result.content.retain_mut(|part| keep_part(&mut part.body, losses));
            true
        }
        PartBody::Text { .. }
        | PartBody::Media(_)
        | PartBody::ToolCall(_)
        | PartBody::Reasoning(_)
        | PartBody::Refusal(_) => true,
    }
}
