//! One message, walked once: of a request's conversation, or the one of an answer.
//!
//! Invariant: what is absent, null or empty is the same; a part that is not understood is kept whole.

use super::{citation, document};
use crate::dialect::data_uri;
use crate::json::{Kind, Raw};
use crate::model::{Citation, Extras, Media, MediaKind, Part, PartBody, Reasoning, Text, ToolCall};

/// A message's members.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub role: Text<'a>,
    pub content: Vec<Part<'a>>,
    pub tool_call_id: Text<'a>,
    pub extras: Extras<'a>,
    plan: Option<Text<'a>>,
    calls: Vec<Part<'a>>,
    citations: Vec<Citation<'a>>,
}

impl<'a> Message<'a> {
    pub(super) fn read(raw: Raw<'a>) -> Self {
        let mut message = Self::default();
        for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"role" => message.role = value.text().unwrap_or_default(),
                b"content" => message.content = read_content(value),
                b"tool_plan" => message.plan = value.text().filter(|plan| !plan.is_empty()),
                b"tool_calls" => message.calls.extend(value.elements().map(read_call)),
                b"tool_call_id" => message.tool_call_id = value.text().unwrap_or_default(),
                b"citations" => message.citations.extend(value.elements().map(citation::read)),
                _ => message.extras.keep(key, value),
            }
        }
        message
    }

    /// What the model said: thoughts and text, the plan, calls. The first text has the citations.
    pub(super) fn into_parts(mut self) -> (Vec<Part<'a>>, Extras<'a>) {
        self.content.extend(self.plan.map(Part::text));
        let text = self.content.iter_mut().find_map(|part| match &mut part.body {
            PartBody::Text { citations, .. } => Some(citations),
            _ => None,
        });
        match text {
            Some(citations) => citations.append(&mut self.citations),
            None if self.citations.is_empty() => {}
            None => {
                let body = PartBody::Text { text: Text::default(), citations: self.citations, signature: None };
                self.content.push(body.into());
            }
        }
        self.content.append(&mut self.calls);
        (self.content, self.extras)
    }
}

/// `content`, a string or an array.
fn read_content(content: Raw<'_>) -> Vec<Part<'_>> {
    match content.text() {
        Some(text) if text.is_empty() => Vec::new(),
        Some(text) => vec![Part::text(text)],
        None => content.elements().map(read_part).collect(),
    }
}

fn read_part(raw: Raw<'_>) -> Part<'_> {
    let (mut kind, mut text, mut thinking, mut image): (&[u8], _, _, _) = (b"", None, None, None);
    let (mut document, mut extras) = (None, Extras::default());
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => kind = value.quoted().unwrap_or_default(),
            b"text" => text = value.text(),
            b"thinking" => thinking = value.text(),
            b"image_url" => image = read_image(value),
            b"document" => document = Some(value),
            _ => extras.keep(key, value),
        }
    }
    if let Some(document) = document.filter(|_| kind == b"document") {
        let mut part = Part::text(document::data(document));
        part.extras.keep_as_written(raw);
        return part;
    }
    let body = match kind {
        b"text" => text.map(|text| Part::text(text).body),
        b"thinking" => thinking.map(|text| PartBody::Reasoning(Reasoning { text, ..Reasoning::default() })),
        b"image_url" => image.map(|image| PartBody::Media(Box::new(image))),
        _ => None,
    };
    match body {
        Some(body) => Part { body, cache: None, extras },
        None => PartBody::Opaque(raw.into()).into(),
    }
}

/// `image_url`: a URL or a data URI, and how closely to look.
fn read_image(value: Raw<'_>) -> Option<Media<'_>> {
    let (mut url, mut detail) = (None, None);
    for (key, value) in value.members() {
        match key {
            b"url" => url = value.text(),
            b"detail" => detail = value.text(),
            _ => {}
        }
    }
    let (source, media_type) = data_uri::read(url?);
    Some(Media { kind: MediaKind::Image, source, media_type, name: None, context: None, detail, citations: None })
}

/// One element of `tool_calls`.
pub(super) fn read_call(raw: Raw<'_>) -> Part<'_> {
    let mut call = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    let mut extras = Extras::default();
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"id" => call.id = value.text().unwrap_or_default(),
            b"type" => {}
            b"function" => (call.name, call.arguments) = read_function(value),
            _ => extras.keep(key, value),
        }
    }
    Part { body: PartBody::ToolCall(call), cache: None, extras }
}

/// Name and arguments of a call.
pub(super) fn read_function(function: Raw<'_>) -> (Text<'_>, Text<'_>) {
    let (mut name, mut arguments) = (Text::default(), Text::default());
    for (key, value) in function.members() {
        match key {
            b"name" => name = value.text().unwrap_or_default(),
            b"arguments" if value.kind == Kind::Object => arguments = String::from_utf8_lossy(value.bytes),
            b"arguments" => arguments = value.text().unwrap_or_default(),
            _ => {}
        }
    }
    (name, arguments)
}
