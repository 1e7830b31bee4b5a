//! A conversation's turns, written as messages: each tool result is one of its own, before what its turn says
//! otherwise.

use super::super::{citation, document};
use super::Writer;
use crate::dialect::Origin;
use crate::dialect::cited::CitedText;
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Feature, Media, MediaKind, MediaSource, Part, PartBody, Role, ToolCall, ToolResult, Turn};

/// Stands for a message of which nothing can be said.
const UNSAID: &str = "Continue.";

impl Writer<'_> {
    pub(super) fn turn(&mut self, turn: &Turn<'_>, messages: &mut ArrayWriter<'_>) {
        self.losses.lose_some(Feature::TurnName, turn.name.as_ref());
        let mut has_rest = false;
        for part in &turn.parts {
            match &part.body {
                PartBody::ToolResult(result) => self.result(turn, part, result, messages),
                _ => has_rest = true,
            }
        }
        if !has_rest && !turn.parts.is_empty() {
            return;
        }
        let mut message = messages.object();
        match turn.role {
            Role::System | Role::Developer => message.string("role", "system"),
            Role::User | Role::Tool => message.string("role", "user"),
            Role::Assistant => message.string("role", "assistant"),
        }
        match turn.role {
            Role::Assistant => self.said(&turn.parts, &mut message),
            Role::System | Role::Developer | Role::User | Role::Tool => self.content(&turn.parts, &mut message),
        }
        self.extras(&turn.extras, &mut message);
    }

    fn result(&mut self, turn: &Turn<'_>, part: &Part<'_>, result: &ToolResult<'_>, messages: &mut ArrayWriter<'_>) {
        if result.is_error {
            self.losses.lose(Feature::ToolResultError);
        }
        self.losses.lose_some(Feature::CacheControl, part.cache.as_ref());
        let mut message = messages.object();
        message.string("role", "tool");
        message.string("tool_call_id", &result.call_id);
        if result.content.iter().any(is_no_text) {
            self.losses.lose(Feature::ToolResultMedia);
        }
        match &result.json {
            Some(json) => message.string("content", &String::from_utf8_lossy(json.bytes())),
            None => self.texts(&result.content, &mut message),
        }
        if turn.role == Role::Tool {
            self.extras(&turn.extras, &mut message);
        }
    }

    /// Writes a result's content, in which only text, and natively documents, have a place.
    fn texts(&mut self, parts: &[Part<'_>], message: &mut ObjectWriter<'_>) {
        let told: Vec<&Part<'_>> = parts.iter().filter(|part| !is_no_text(part)).collect();
        if told.is_empty() {
            return message.string("content", "");
        }
        if let Some(text) = lone_text(&told) {
            return message.string("content", text);
        }
        let mut content = message.array("content");
        told.into_iter().for_each(|part| self.part(part, &mut content));
    }

    fn content(&mut self, parts: &[Part<'_>], message: &mut ObjectWriter<'_>) {
        let is_elsewhere =
            |part: &Part<'_>| matches!(part.body, PartBody::ToolResult(_)) || document::is_of_request(part);
        let told: Vec<&Part<'_>> = parts.iter().filter(|part| !is_elsewhere(part)).collect();
        if told.is_empty() {
            return message.string("content", "");
        }
        if let Some(text) = lone_text(&told).filter(|_| told.iter().all(|part| part.cache.is_none())) {
            return message.string("content", text);
        }
        let mut json = Vec::new();
        let mut content = ArrayWriter::new(&mut json);
        told.into_iter().for_each(|part| self.part(part, &mut content));
        drop(content);
        match json.as_slice() {
            b"[]" => message.string("content", UNSAID),
            told => message.raw("content", told),
        }
    }

    /// Writes what the model said: the text of a message that calls is its plan.
    fn said(&mut self, parts: &[Part<'_>], message: &mut ObjectWriter<'_>) {
        let calls = || {
            parts.iter().filter_map(|part| match &part.body {
                PartBody::ToolCall(call) => Some((part, call)),
                _ => None,
            })
        };
        let is_content = |part: &&Part<'_>| match &part.body {
            PartBody::ToolCall(_) | PartBody::ToolResult(_) => false,
            PartBody::Text { .. } => calls().next().is_none(),
            PartBody::Media(_) | PartBody::Reasoning(_) | PartBody::Refusal(_) | PartBody::Opaque(_) => true,
        };
        let told: Vec<&Part<'_>> = parts.iter().filter(is_content).collect();
        match lone_text(&told) {
            Some(text) => message.string("content", text),
            None if told.is_empty() && calls().next().is_none() => message.string("content", ""),
            None if told.is_empty() => {}
            None => {
                let mut content = message.array("content");
                told.iter().for_each(|part| self.answer_part(part, &mut content));
            }
        }
        if calls().next().is_some() {
            let plan = plan(parts);
            message.maybe_string("tool_plan", Some(plan.as_str()).filter(|plan| !plan.is_empty()));
            let mut list = message.array("tool_calls");
            for (part, call) in calls() {
                self.losses.lose_some(Feature::CacheControl, part.cache.as_ref());
                self.losses.lose_some(Feature::ReasoningSignature, call.signature.as_ref());
                let mut object = list.object();
                write_call(call, &mut object);
                self.extras(&part.extras, &mut object);
            }
        }
        self.citations(parts, message);
    }

    fn answer_part(&mut self, part: &Part<'_>, content: &mut ArrayWriter<'_>) {
        match &part.body {
            PartBody::Reasoning(thought) => {
                let proof = thought.signature.as_ref().or(thought.encrypted.as_ref());
                self.losses.lose_some(Feature::ReasoningSignature, proof);
                if !thought.text.is_empty() {
                    write_thought(&thought.text, content);
                }
            }
            PartBody::Refusal(text) => {
                self.losses.lose(Feature::Refusal);
                write_text(text, content);
            }
            PartBody::Media(_) => self.losses.lose(Feature::MediaOutput),
            _ => self.part(part, content),
        }
    }

    fn citations(&mut self, parts: &[Part<'_>], message: &mut ObjectWriter<'_>) {
        if self.origin == Origin::Own {
            return write_citations(parts, message);
        }
        if parts.iter().any(|part| matches!(&part.body, PartBody::Text { citations, .. } if !citations.is_empty())) {
            self.losses.lose(Feature::Citations);
        }
    }

    fn part(&mut self, part: &Part<'_>, content: &mut ArrayWriter<'_>) {
        self.losses.lose_some(Feature::CacheControl, part.cache.as_ref());
        if let Some(json) = part.extras.as_written().filter(|_| self.origin == Origin::Own) {
            return content.raw(json.bytes());
        }
        match &part.body {
            PartBody::Text { text, .. } if text.is_empty() && self.origin == Origin::Foreign => {}
            PartBody::Text { text, .. } => {
                let mut object = content.object();
                object.string("type", "text");
                object.string("text", text);
                self.extras(&part.extras, &mut object);
            }
            PartBody::Media(media) => self.media(part, media, content),
            PartBody::Opaque(json) => match self.origin {
                Origin::Own => content.raw(json.bytes()),
                Origin::Foreign => self.losses.lose(Feature::ServerTools),
            },
            PartBody::Refusal(_) | PartBody::Reasoning(_) => self.answer_part(part, content),
            PartBody::ToolCall(_) | PartBody::ToolResult(_) => {}
        }
    }

    fn media(&mut self, part: &Part<'_>, media: &Media<'_>, content: &mut ArrayWriter<'_>) {
        let url = match (media.kind, &media.source) {
            (_, MediaSource::PlainText(_)) => return write_text(&media.plain_text().unwrap_or_default(), content),
            (MediaKind::Document, MediaSource::Base64(_)) => return self.losses.lose(Feature::Document),
            (MediaKind::Audio, _) => return self.losses.lose(Feature::Audio),
            (MediaKind::Video, _) => return self.losses.lose(Feature::Video),
            (_, MediaSource::File(_)) => return self.losses.lose(Feature::MediaFile),
            (MediaKind::Document, MediaSource::Url(_)) => return self.losses.lose(Feature::MediaUrl),
            (MediaKind::Image, MediaSource::Url(url)) => url.as_ref().to_owned(),
            (MediaKind::Image, MediaSource::Base64(data)) => {
                format!("data:{};base64,{data}", media.media_type.as_deref().unwrap_or("image/png"))
            }
        };
        let mut object = content.object();
        object.string("type", "image_url");
        let mut image = object.object("image_url");
        image.string("url", &url);
        image.maybe_string("detail", media.detail.as_deref());
        drop(image);
        self.extras(&part.extras, &mut object);
    }
}

/// A medium that is no plain text.
fn is_no_text(part: &Part<'_>) -> bool {
    matches!(&part.body, PartBody::Media(media) if !matches!(media.source, MediaSource::PlainText(_)))
}

/// The text, if there is nothing else.
fn lone_text<'p>(parts: &[&'p Part<'_>]) -> Option<&'p str> {
    match parts {
        [Part { body: PartBody::Text { text, .. }, extras, cache: None }] if extras.is_empty() => Some(text),
        _ => None,
    }
}

/// The text of a message that calls tools.
fn plan(parts: &[Part<'_>]) -> String {
    let text = |part: &'_ Part<'_>| match &part.body {
        PartBody::Text { text, .. } => text.clone().into_owned(),
        _ => String::new(),
    };
    parts.iter().map(text).collect()
}

/// Writes the members of one call.
pub(in super::super) fn write_call(call: &ToolCall<'_>, object: &mut ObjectWriter<'_>) {
    object.string("id", &call.id);
    object.string("type", "function");
    let mut function = object.object("function");
    function.string("name", &call.name);
    function.string("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
}

/// Writes the citations of all texts.
pub(in super::super) fn write_citations(parts: &[Part<'_>], message: &mut ObjectWriter<'_>) {
    let cited = || {
        parts.iter().filter_map(|part| match &part.body {
            PartBody::Text { text, citations, .. } => Some((text, citations)),
            _ => None,
        })
    };
    if cited().all(|(_, citations)| citations.is_empty()) {
        return;
    }
    let mut whole = CitedText::default();
    cited().for_each(|(text, _)| whole.push(text));
    let mut list = message.array("citations");
    cited()
        .flat_map(|(_, citations)| citations)
        .for_each(|citation| citation::write(citation, &mut whole, list.element()));
}

pub(in super::super) fn write_text(text: &str, content: &mut ArrayWriter<'_>) {
    let mut object = content.object();
    object.string("type", "text");
    object.string("text", text);
}

pub(in super::super) fn write_thought(text: &str, content: &mut ArrayWriter<'_>) {
    let mut object = content.object();
    object.string("type", "thinking");
    object.string("thinking", text);
}
