//! One message, walked once: of a conversation in a request, or the one of an answer's choice.
//!
//! Invariant: what is absent, null or empty is the same; what no part can hold is in [`Message::extras`].

use super::reasoning::{self, Home};
use super::{citation, media, part, tools};
use crate::json::{Kind, Raw};
use crate::model::{
    CacheControl, Citation, Extras, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Signature, Text,
};

/// A message's members.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub role: Text<'a>,
    pub content: Option<Raw<'a>>,
    pub name: Option<Text<'a>>,
    pub tool_call_id: Option<Text<'a>>,
    pub cache: Option<CacheControl<'a>>,
    pub extras: Extras<'a>,
    refusal: Option<Text<'a>>,
    tool_calls: Option<Raw<'a>>,
    function_call: Option<Raw<'a>>,
    reasoning_content: Option<Text<'a>>,
    reasoning: Option<Text<'a>>,
    reasoning_details: Option<Raw<'a>>,
    audio: Option<Raw<'a>>,
    images: Option<Raw<'a>>,
    annotations: Option<Raw<'a>>,
    signature: Option<Signature<'a>>,
}

/// Whose message it is, as far as reasoning is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// A client tells what was said before.
    Client,
    /// A provider answers: reasoning is marked with its home.
    Provider,
}

impl<'a> Message<'a> {
    /// Walks the members.
    pub(super) fn read(raw: Raw<'a>) -> Self {
        let mut message = Self::default();
        for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"role" => message.role = value.text().unwrap_or_default(),
                b"content" => message.content = Some(value),
                b"name" => message.name = value.text(),
                b"refusal" => message.refusal = told(value),
                b"tool_calls" => message.tool_calls = Some(value),
                b"function_call" => message.function_call = Some(value),
                b"tool_call_id" => message.tool_call_id = value.text(),
                b"reasoning_content" => message.reasoning_content = told(value),
                b"reasoning" if value.kind == Kind::String => message.reasoning = told(value),
                b"reasoning_details" => message.reasoning_details = Some(value),
                // A request names earlier sound by its identifier alone.
                b"audio" if value.get("data").is_some() => message.audio = Some(value),
                b"images" => message.images = Some(value),
                b"annotations" => message.annotations = Some(value),
                b"cache_control" => message.cache = Some(part::read_cache(value)),
                b"extra_content" => match tools::read_signature(value) {
                    Some(signature) => message.signature = Some(signature),
                    None => message.extras.keep(key, value),
                },
                _ => message.extras.keep(key, value),
            }
        }
        message
    }

    /// What the model said, in the order thoughts, text, refusal, media, calls.
    pub(super) fn take_parts(&mut self, teller: Teller) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        self.read_reasoning(teller, &mut parts);
        let text_from = parts.len();
        part::read_content(self.content, &mut parts);
        self.attach(text_from, &mut parts);
        parts.extend(self.refusal.take().map(|refusal| PartBody::Refusal(refusal).into()));
        for image in self.images.into_iter().flat_map(Raw::elements) {
            let media = image.get("image_url").and_then(media::read_image);
            parts.extend(media.map(|media| Part::from(PartBody::Media(Box::new(media)))));
        }
        self.read_audio(&mut parts);
        let calls_from = parts.len();
        parts.extend(self.tool_calls.into_iter().flat_map(Raw::elements).map(tools::read_call));
        parts.extend(self.function_call.and_then(tools::read_function_call));
        self.sign(calls_from, &mut parts);
        parts
    }

    fn read_reasoning(&mut self, teller: Teller, parts: &mut Vec<Part<'a>>) {
        if let Some(details) = self.reasoning_details {
            reasoning::read_details(details, parts);
        }
        let (text, home) = match (self.reasoning_content.take(), self.reasoning.take()) {
            (Some(text), _) => (text, Home::ReasoningContent),
            (None, Some(text)) => (text, Home::Reasoning),
            (None, None) => return,
        };
        let signature = (teller == Teller::Provider).then(|| home.mark());
        let mut has_text = false;
        for part in parts.iter_mut() {
            let PartBody::Reasoning(detail) = &mut part.body else { continue };
            has_text |= !detail.text.is_empty();
            if detail.signature.is_none() && detail.encrypted.is_none() {
                detail.signature.clone_from(&signature);
            }
        }
        // Details with text say the same again.
        if !has_text {
            parts.insert(0, PartBody::Reasoning(Reasoning { text, signature, ..Reasoning::default() }).into());
        }
    }

    /// Gives the first text from `from` on the message's citations.
    fn attach(&mut self, from: usize, parts: &mut Vec<Part<'a>>) {
        let found: Vec<Citation<'a>> =
            self.annotations.into_iter().flat_map(Raw::elements).filter_map(citation::read).collect();
        if found.is_empty() {
            return;
        }
        let known = parts[from..].iter_mut().find_map(|part| match &mut part.body {
            PartBody::Text { citations, .. } => Some(citations),
            _ => None,
        });
        match known {
            Some(citations) => citations.extend(found),
            None => parts.push(PartBody::Text { text: Text::default(), citations: found, signature: None }.into()),
        }
    }

    /// Sound, and before it the words spoken if nothing else tells them.
    fn read_audio(&mut self, parts: &mut Vec<Part<'a>>) {
        let Some(audio) = self.audio else { return };
        let (mut data, mut id, mut transcript) = (None, None, None);
        for (key, value) in audio.members() {
            match key {
                b"data" => data = told(value),
                b"id" => id = told(value),
                b"transcript" => transcript = told(value),
                _ => {}
            }
        }
        let Some(data) = data else { return };
        let says_nothing = !parts.iter().any(|part| matches!(part.body, PartBody::Text { .. }));
        parts.extend(transcript.filter(|_| says_nothing).map(Part::text));
        let sound = Media {
            kind: MediaKind::Audio,
            source: MediaSource::Base64(data),
            media_type: None,
            name: id,
            context: None,
            detail: None,
            citations: None,
        };
        parts.push(PartBody::Media(Box::new(sound)).into());
    }

    /// The message's own signature (Gemini) signs its first call unless that has one, else its text, else stands alone.
    fn sign(&mut self, calls_from: usize, parts: &mut Vec<Part<'a>>) {
        let Some(proof) = self.signature.take() else { return };
        if let Some(PartBody::ToolCall(call)) = parts.get_mut(calls_from).map(|part| &mut part.body)
            && call.signature.is_none()
        {
            call.signature = Some(proof);
            return;
        }
        let text = parts.iter_mut().rev().find_map(|part| match &mut part.body {
            PartBody::Text { signature, .. } => Some(signature),
            _ => None,
        });
        match text {
            Some(signature) => *signature = Some(proof),
            None => {
                let reasoning = Reasoning { signature: Some(proof), ..Reasoning::default() };
                parts.push(PartBody::Reasoning(reasoning).into());
            }
        }
    }
}

/// A text that says something.
pub(super) fn told(value: Raw<'_>) -> Option<Text<'_>> {
    value.text().filter(|text| !text.is_empty())
}
