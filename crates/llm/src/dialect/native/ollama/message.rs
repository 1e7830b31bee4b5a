//! A conversation's turns, written as messages.
//!
//! Each result of a tool is a message of its own and comes before what the same turn says otherwise. Invariant: what
//! has no place in a message is told to the losses.

use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{Feature, Losses, Media, MediaKind, MediaSource, PartBody, Role, ToolCall, ToolResult, Turn};

/// Writes one turn.
pub(super) fn write(turn: &Turn<'_>, messages: &mut ArrayWriter<'_>, losses: &mut Losses) {
    losses.lose_some(Feature::TurnName, turn.name.as_ref());
    losses.lose_extras(&turn.extras);
    let mut content = Content::default();
    for part in &turn.parts {
        losses.lose_some(Feature::CacheControl, part.cache.as_ref());
        losses.lose_extras(&part.extras);
        match &part.body {
            PartBody::ToolResult(result) => write_result(result, &mut messages.object(), losses),
            body => content.take(body, losses),
        }
    }
    let is_bare = turn.parts.is_empty() && turn.role == Role::User;
    if is_bare || !content.is_empty() {
        content.write(role(turn.role), &mut messages.object());
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

fn write_result(result: &ToolResult<'_>, message: &mut ObjectWriter<'_>, losses: &mut Losses) {
    if result.is_error {
        losses.lose(Feature::ToolResultError);
    }
    message.string("role", "tool");
    message.maybe_string("tool_name", result.name.as_deref());
    if let Some(json) = &result.json {
        return message.string("content", &String::from_utf8_lossy(json.bytes()));
    }
    let mut content = Content::default();
    for part in &result.content {
        match &part.body {
            PartBody::Media(media) if !matches!(media.source, MediaSource::PlainText(_)) => {
                losses.lose(Feature::ToolResultMedia);
            }
            body => content.take(body, losses),
        }
    }
    message.string("content", &content.text);
}

/// What one message says.
#[derive(Default)]
struct Content<'p> {
    text: String,
    thinking: String,
    images: Vec<&'p str>,
    calls: Vec<&'p ToolCall<'p>>,
}

impl<'p> Content<'p> {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thinking.is_empty() && self.images.is_empty() && self.calls.is_empty()
    }

    fn take(&mut self, body: &'p PartBody<'p>, losses: &mut Losses) {
        match body {
            PartBody::Text { text, citations, .. } => {
                losses.lose_some(Feature::Citations, citations.first());
                self.add(text);
            }
            PartBody::Refusal(text) => {
                losses.lose(Feature::Refusal);
                self.add(text);
            }
            PartBody::Reasoning(thought) => {
                losses
                    .lose_some(Feature::ReasoningSignature, thought.signature.as_ref().or(thought.encrypted.as_ref()));
                self.thinking.push_str(&thought.text);
            }
            PartBody::Media(media) => self.media(media, losses),
            PartBody::ToolCall(call) => {
                losses.lose_some(Feature::ReasoningSignature, call.signature.as_ref());
                self.calls.push(call);
            }
            PartBody::Opaque(_) => losses.lose(Feature::ServerTools),
            // Written as messages of their own.
            PartBody::ToolResult(_) => {}
        }
    }

    /// Parts become paragraphs.
    fn add(&mut self, text: &str) {
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    fn media(&mut self, media: &'p Media<'p>, losses: &mut Losses) {
        losses.lose_some(Feature::ImageDetail, media.detail.as_ref());
        match (&media.source, media.kind) {
            (MediaSource::PlainText(text), _) => {
                [&media.name, &media.context].into_iter().flatten().for_each(|head| self.add(head));
                self.add(text);
            }
            (MediaSource::Base64(data), MediaKind::Image) => self.images.push(data),
            (_, MediaKind::Document) => losses.lose(Feature::Document),
            (_, MediaKind::Audio) => losses.lose(Feature::Audio),
            (_, MediaKind::Video) => losses.lose(Feature::Video),
            (MediaSource::Url(_), MediaKind::Image) => losses.lose(Feature::MediaUrl),
            (MediaSource::File(_), MediaKind::Image) => losses.lose(Feature::MediaFile),
        }
    }

    fn write(&self, role: &str, message: &mut ObjectWriter<'_>) {
        message.string("role", role);
        message.string("content", &self.text);
        if !self.thinking.is_empty() {
            message.string("thinking", &self.thinking);
        }
        if !self.images.is_empty() {
            let mut images = message.array("images");
            self.images.iter().for_each(|data| images.string(data));
        }
        if !self.calls.is_empty() {
            let mut calls = message.array("tool_calls");
            for call in &self.calls {
                let mut object = calls.object();
                object.string("type", "function");
                let mut function = object.object("function");
                function.string("name", &call.name);
                function.raw("arguments", arguments(call));
            }
        }
    }
}

/// The arguments as the object that they must be here; what the model wrote otherwise is left out.
fn arguments<'c>(call: &'c ToolCall<'_>) -> &'c [u8] {
    Raw::checked(call.arguments.as_bytes()).and_then(Raw::object).map_or(b"{}", |object| object.bytes)
}
