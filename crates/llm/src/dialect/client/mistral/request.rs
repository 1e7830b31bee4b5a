//! A request's body, read.

use crate::dialect::{Dialect, ReadError, signs_thoughts};
use crate::json::Raw;
use crate::model::{Extras, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Request, Signature};

/// Reads a request.
///
/// # Errors
/// As those of OpenAI Chat.
pub(in crate::dialect::client) fn read_request(body: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let mut request = Dialect::OpenAiChat.read_request(body)?;
    request.include_usage = true;
    forget_unset(&mut request.extras);
    for turn in &mut request.turns {
        forget_unset(&mut turn.extras);
        turn.parts.iter_mut().for_each(fit_part);
    }
    Ok(request)
}

/// Its SDKs say that they do not want a thing: `prefix` stands in each message of the model.
fn forget_unset(extras: &mut Extras<'_>) {
    let is_unset = |name: &str, value: Raw<'_>| super::OWN_FIELDS.contains(&name) && value.boolean() == Some(false);
    extras.0.retain(|(name, value)| !is_unset(name, value.raw()));
}

fn fit_part(part: &mut Part<'_>) {
    match &mut part.body {
        PartBody::Reasoning(thought) => prove(thought, &mut part.extras),
        PartBody::Media(media) => name_sound(media),
        PartBody::Text { .. }
        | PartBody::ToolCall(_)
        | PartBody::ToolResult(_)
        | PartBody::Refusal(_)
        | PartBody::Opaque(_) => {}
    }
}

/// Gives a thought the proof that came with it. Without one it is nobody's that is asked now, and Mistral's own
/// proofs say nothing to others.
fn prove(thought: &mut Reasoning<'_>, extras: &mut Extras<'_>) {
    let told = extras.0.iter().position(|(name, _)| name == "signature").map(|at| extras.0.swap_remove(at).1);
    let text = told.and_then(|told| Some(told.raw().text()?.into_owned()));
    let proof = text.map(|text| Signature::read(Dialect::OpenAiChat, text.into()));
    thought.signature = proof.filter(|proof| proof.origin != Dialect::OpenAiChat || signs_thoughts(proof));
}

/// Tells what a recording is whose client does not, by how its base64 begins.
fn name_sound(media: &mut Media<'_>) {
    let MediaSource::Base64(data) = &media.source else { return };
    if media.kind == MediaKind::Audio && media.media_type.is_none() {
        let known = [("UklGR", "audio/wav"), ("ZkxhQ", "audio/flac"), ("T2dnU", "audio/ogg")];
        let told = known.into_iter().find(|(start, _)| data.starts_with(start));
        media.media_type = Some(told.map_or("audio/mpeg", |(_, name)| name).into());
    }
}
