//! A conversation's turns, written as messages: Chat's, but for their content, which is text for most models and for
//! those that see or hear a list whose parts have no type.
//!
//! Each result of a tool is a message of its own and comes before what the same turn says otherwise. Invariant: what
//! has no place in a message is told to the losses.

use super::MULTIMODAL_MODELS;
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{
    Feature, Losses, Media, MediaKind, MediaSource, Part, PartBody, Role, Text, ToolCall, ToolResult, Turn,
};

/// How a model reads content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    List,
}

impl Form {
    /// The form that `model` reads.
    pub(super) fn of(model: Option<&str>) -> Self {
        let is_multimodal = model.is_some_and(|model| MULTIMODAL_MODELS.iter().any(|piece| model.contains(piece)));
        if is_multimodal { Form::List } else { Form::Text }
    }
}

/// Writes one turn.
pub(super) fn write(turn: &Turn<'_>, form: Form, messages: &mut ArrayWriter<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::TurnName, turn.name.as_ref());
    losses.lose_extras(&turn.extras);
    let mut said = Said::default();
    let mut has_results = false;
    for part in &turn.parts {
        match &part.body {
            PartBody::ToolResult(result) => {
                tell_marks(part, losses);
                write_result(result, form, &mut messages.object(), losses);
                has_results = true;
            }
            PartBody::Media(_) if turn.role == Role::Assistant => losses.lose(Feature::MediaOutput),
            _ => said.take(part, losses),
        }
    }
    if !has_results || !said.is_empty() {
        said.write(turn.role, form, &mut messages.object(), losses);
    }
}

fn write_result(result: &ToolResult<'_>, form: Form, message: &mut ObjectWriter<'_>, losses: &mut Losses) {
    if result.is_error {
        losses.lose(Feature::ToolResultError);
    }
    message.string("role", "tool");
    message.string("tool_call_id", &result.call_id);
    message.maybe_string("name", result.name.as_deref());
    let mut said = Said::default();
    match &result.json {
        Some(json) => said.content.push(Piece::Text(String::from_utf8_lossy(json.bytes()))),
        None => result.content.iter().for_each(|part| said.take(part, losses)),
    }
    said.write_content(form, message, losses);
}

fn tell_marks(part: &Part<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::CacheControl, part.cache.as_ref());
    losses.lose_extras(&part.extras);
}

/// What one message says.
#[derive(Default)]
struct Said<'p> {
    content: Vec<Piece<'p>>,
    thoughts: String,
    calls: Vec<&'p ToolCall<'p>>,
}

enum Piece<'p> {
    Text(Text<'p>),
    Media(&'p Media<'p>),
}

impl<'p> Said<'p> {
    fn is_empty(&self) -> bool {
        self.content.is_empty() && self.thoughts.is_empty() && self.calls.is_empty()
    }

    fn take(&mut self, part: &'p Part<'p>, losses: &mut Losses) {
        tell_marks(part, losses);
        match &part.body {
            PartBody::Text { text, citations, signature } => {
                losses.lose_some(Feature::Citations, citations.first());
                losses.lose_some(Feature::ReasoningSignature, signature.as_ref());
                self.content.push(Piece::Text(text.as_ref().into()));
            }
            PartBody::Refusal(text) => {
                losses.lose(Feature::Refusal);
                self.content.push(Piece::Text(text.as_ref().into()));
            }
            PartBody::Reasoning(thought) => {
                let proof = thought.signature.as_ref().or(thought.encrypted.as_ref());
                losses.lose_some(Feature::ReasoningSignature, proof);
                self.thoughts.push_str(&thought.text);
            }
            PartBody::Media(media) => {
                losses.lose_some(Feature::ImageDetail, media.detail.as_ref());
                let piece = media.plain_text().map(|text| Piece::Text(text.into()));
                self.content.push(piece.unwrap_or(Piece::Media(media)));
            }
            PartBody::ToolCall(call) => {
                losses.lose_some(Feature::ReasoningSignature, call.signature.as_ref());
                self.calls.push(call);
            }
            PartBody::Opaque(_) => losses.lose(Feature::ServerTools),
            // Written as messages of their own.
            PartBody::ToolResult(_) => {}
        }
    }

    fn write(&self, role: Role, form: Form, message: &mut ObjectWriter<'_>, losses: &mut Losses) {
        message.string("role", role_name(role));
        if !self.thoughts.is_empty() {
            message.string("reasoning_content", &self.thoughts);
        }
        self.write_content(form, message, losses);
        if !self.calls.is_empty() {
            let mut calls = message.array("tool_calls");
            self.calls.iter().for_each(|call| write_call(call, &mut calls.object()));
        }
    }

    fn write_content(&self, form: Form, message: &mut ObjectWriter<'_>, losses: &mut Losses) {
        match form {
            Form::Text => message.string("content", &self.joined(losses)),
            Form::List => self.write_list(&mut message.array("content"), losses),
        }
    }

    /// The texts, a line each.
    fn joined(&self, losses: &mut Losses) -> String {
        let mut lines = Vec::with_capacity(self.content.len());
        for piece in &self.content {
            match piece {
                Piece::Text(text) => lines.push(text.as_ref()),
                Piece::Media(media) => losses.lose(feature(media)),
            }
        }
        lines.join("\n")
    }

    fn write_list(&self, list: &mut ArrayWriter<'_>, losses: &mut Losses) {
        for piece in &self.content {
            match piece {
                Piece::Text(text) => list.object().string("text", text),
                Piece::Media(media) => match (name(media.kind), url(media)) {
                    (Some(name), Some(url)) => list.object().string(name, &url),
                    _ => losses.lose(feature(media)),
                },
            }
        }
        if list.is_empty() && self.calls.is_empty() {
            list.object().string("text", "");
        }
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

fn write_call(call: &ToolCall<'_>, object: &mut ObjectWriter<'_>) {
    object.string("id", &call.id);
    object.string("type", "function");
    let mut function = object.object("function");
    function.string("name", &call.name);
    function.string("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
}

/// The member that names a medium; `None` for documents, which no model reads.
const fn name(kind: MediaKind) -> Option<&'static str> {
    match kind {
        MediaKind::Image => Some("image"),
        MediaKind::Audio => Some("audio"),
        MediaKind::Video => Some("video"),
        MediaKind::Document => None,
    }
}

/// Media are named by URL; bytes become one.
fn url<'m>(media: &'m Media<'_>) -> Option<Text<'m>> {
    let usual = match media.kind {
        MediaKind::Image => "image/png",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    };
    match &media.source {
        MediaSource::Url(url) => Some(url.as_ref().into()),
        MediaSource::Base64(data) => {
            let media_type = media.media_type.as_deref().unwrap_or(usual);
            Some(format!("data:{media_type};base64,{data}").into())
        }
        MediaSource::File(_) | MediaSource::PlainText(_) => None,
    }
}

/// What is lost with a medium.
const fn feature(media: &Media<'_>) -> Feature {
    match (media.kind, &media.source) {
        (_, MediaSource::File(_)) => Feature::MediaFile,
        (MediaKind::Image, _) => Feature::Image,
        (MediaKind::Audio, _) => Feature::Audio,
        (MediaKind::Video, _) => Feature::Video,
        (MediaKind::Document, _) => Feature::Document,
    }
}
