//! The parts of a message's `content`.
//!
//! Invariant: a part that is not understood, or whose own field is missing, is kept whole as
//! [`PartBody::Opaque`]. Called by [`message`](super::message).

use super::message::told;
use super::{media, reasoning};
use crate::json::{Kind, Raw};
use crate::model::{CacheControl, Extras, MediaKind, Part, PartBody, Reasoning, Text};

/// `content`, a string or an array; nothing if it is empty or of another kind.
pub(super) fn read_content<'a>(content: Option<Raw<'a>>, parts: &mut Vec<Part<'a>>) {
    let Some(content) = content else { return };
    match content.kind {
        Kind::String => parts.extend(told(content).map(Part::text)),
        Kind::Array => parts.extend(content.elements().map(read)),
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {}
    }
}

/// One element of a `content` array.
fn read(raw: Raw<'_>) -> Part<'_> {
    if raw.kind == Kind::String {
        return Part::text(raw.text().unwrap_or_default());
    }
    let mut fields = Fields::default();
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => fields.kind = value.quoted().unwrap_or_default(),
            b"text" => fields.text = value.text(),
            b"refusal" => fields.refusal = value.text(),
            b"thinking" => fields.thinking = Some(value),
            b"document_name" => fields.name = value.text(),
            b"image_url" | b"video_url" | b"document_url" | b"input_audio" | b"file" => fields.medium = Some(value),
            // A thought in an answer is complete.
            b"closed" => {}
            b"cache_control" => fields.cache = Some(read_cache(value)),
            _ => fields.extras.keep(key, value),
        }
    }
    match fields.body() {
        Some(body) => Part { body, cache: fields.cache, extras: fields.extras },
        None => PartBody::Opaque(raw.into()).into(),
    }
}

#[derive(Default)]
struct Fields<'a> {
    kind: &'a [u8],
    text: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    thinking: Option<Raw<'a>>,
    medium: Option<Raw<'a>>,
    name: Option<Text<'a>>,
    cache: Option<CacheControl<'a>>,
    extras: Extras<'a>,
}

impl<'a> Fields<'a> {
    /// What the part is; `None` if it is not understood.
    fn body(&mut self) -> Option<PartBody<'a>> {
        let mut media = match self.kind {
            // DashScope's have no type.
            b"text" | b"input_text" | b"output_text" | b"" => {
                return self.text.take().map(|text| Part::text(text).body);
            }
            b"refusal" => return self.refusal.take().map(PartBody::Refusal),
            b"thinking" => return Some(PartBody::Reasoning(read_thinking(self.thinking?))),
            b"image_url" => media::read_image(self.medium?),
            b"input_audio" => media::read_audio(self.medium?),
            b"file" => media::read_file(self.medium?),
            b"video_url" => media::read_url(MediaKind::Video, self.medium?),
            b"document_url" => media::read_url(MediaKind::Document, self.medium?),
            _ => None,
        }?;
        if self.name.is_some() {
            media.name = self.name.take();
        }
        Some(PartBody::Media(Box::new(media)))
    }
}

/// Mistral's thoughts: an array of text parts, in older versions a string.
pub(super) fn read_thinking(thinking: Raw<'_>) -> Reasoning<'_> {
    let text = match thinking.text() {
        Some(text) => text,
        None => {
            let mut texts = thinking.elements().filter_map(|part| part.get("text")?.text());
            let first = texts.next().unwrap_or_default();
            texts.fold(first, |joined, text| joined + text)
        }
    };
    Reasoning { text, signature: Some(reasoning::Home::Thinking.mark()), ..Reasoning::default() }
}

/// `cache_control`, Anthropic's mark, which OpenRouter and others take in this dialect too.
pub(super) fn read_cache(value: Raw<'_>) -> CacheControl<'_> {
    CacheControl { ttl: value.get("ttl").and_then(Raw::text) }
}
