//! Writes `system` and `messages`.
//!
//! A request of this dialect passes turn by turn. For one of another, instructions move to the front, turns of one side
//! are joined so that the sides alternate, results of tools come first in their turn, and blocks that Anthropic refuses
//! (empty text, unsigned thoughts) are left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialect::anthropic::block::{self, write_extras};
use crate::dialect::{Dialect, Origin};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{
    ContentForm, Feature, Losses, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Request, Role, ToolResult,
    Turn,
};

/// What the user says where the conversation would begin with the assistant, or not begin at all.
const OPENING: &str = "Continue.";

/// Appends both fields.
pub(super) fn write(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    match Origin::of(request.dialect, Dialect::Anthropic) {
        Origin::Own => repeat(request, losses, body),
        Origin::Foreign => fit(request, losses, body),
    }
}

/// As the client said it.
fn repeat(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let (system, turns) = match request.turns.split_first() {
        Some((first, rest)) if first.role == Role::System => (Some(first), rest),
        Some(_) | None => (None, request.turns.as_slice()),
    };
    let mut blocks = Blocks { origin: Origin::Own, losses };
    if let Some(system) = system {
        blocks.write_content(&system.parts.iter().collect::<Vec<_>>(), body.key("system"));
    }
    let mut messages = body.array("messages");
    for turn in turns {
        let mut message = messages.object();
        message.string("role", role_name(turn.role));
        match turn.parts.as_slice() {
            [part] if turn.form == ContentForm::Any && bare_text(part).is_some() => {
                message.string("content", bare_text(part).unwrap_or_default());
            }
            parts => blocks.write_content(&parts.iter().collect::<Vec<_>>(), message.key("content")),
        }
        turn.extras.iter().for_each(|(name, value)| message.raw(name, value.bytes()));
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

fn is_instruction(turn: &Turn<'_>) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
}

fn fit(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let first_said = request.turns.iter().position(|turn| !is_instruction(turn)).unwrap_or(request.turns.len());
    if request.turns[first_said..].iter().any(is_instruction) {
        losses.lose(Feature::SystemPosition);
    }
    let mut blocks = Blocks { origin: Origin::Foreign, losses };
    let mut system = blocks.sayable(request.turns.iter().filter(|turn| is_instruction(turn)));
    system.retain(|part| blocks.is_text(part));
    if !system.is_empty() {
        blocks.write_content(&system, body.key("system"));
    }
    let messages = blocks.messages(request);
    let mut array = body.array("messages");
    let last = messages.len().saturating_sub(1);
    for (at, message) in messages.iter().enumerate() {
        let mut object = array.object();
        object.string("role", role_name(message.role));
        match message.parts.as_slice() {
            [] => object.string("content", OPENING),
            parts if at == last && message.role == Role::Assistant => {
                blocks.write_beginning(parts, object.key("content"));
            }
            parts => blocks.write_content(parts, object.key("content")),
        }
    }
}

/// What one side says until the other speaks.
struct Message<'r, 'a> {
    role: Role,
    parts: Vec<&'r Part<'a>>,
}

/// Writes blocks.
struct Blocks<'l> {
    origin: Origin,
    losses: &'l mut Losses,
}

impl Blocks<'_> {
    /// The turns, joined so that the sides alternate and the user begins.
    fn messages<'r, 'a>(&mut self, request: &'r Request<'a>) -> Vec<Message<'r, 'a>> {
        let mut messages: Vec<Message<'r, 'a>> = Vec::new();
        for turn in request.turns.iter().filter(|turn| !is_instruction(turn)) {
            let role = if turn.role == Role::Assistant { Role::Assistant } else { Role::User };
            let parts = self.sayable([turn]);
            match messages.last_mut() {
                _ if parts.is_empty() => {}
                Some(message) if message.role == role => message.parts.extend(parts),
                Some(_) | None => messages.push(Message { role, parts }),
            }
        }
        if messages.first().is_none_or(|first| first.role == Role::Assistant) {
            messages.insert(0, Message { role: Role::User, parts: Vec::new() });
        }
        for message in &mut messages {
            message.parts.sort_by_key(|part| !matches!(part.body, PartBody::ToolResult(_)));
        }
        messages
    }

    /// The parts that can be said in this dialect.
    fn sayable<'r, 'a: 'r>(&mut self, turns: impl IntoIterator<Item = &'r Turn<'a>>) -> Vec<&'r Part<'a>> {
        let mut parts = Vec::new();
        for turn in turns {
            self.losses.lose_some(Feature::TurnName, turn.name.as_ref());
            parts.extend(turn.parts.iter().filter(|part| self.can_say(&part.body)));
        }
        parts
    }

    /// Instructions are text and nothing else.
    fn is_text(&mut self, part: &Part<'_>) -> bool {
        let is_text = matches!(part.body, PartBody::Text { .. } | PartBody::Refusal(_));
        if !is_text {
            self.losses.lose_field("system");
        }
        is_text
    }

    fn can_say(&mut self, body: &PartBody<'_>) -> bool {
        let lost = match body {
            PartBody::Text { text, .. } => return !text.trim().is_empty(),
            PartBody::Refusal(text) => {
                self.losses.lose(Feature::Refusal);
                return !text.trim().is_empty();
            }
            PartBody::ToolCall(_) | PartBody::ToolResult(_) => return true,
            PartBody::Reasoning(reasoning) => match proof(reasoning) {
                Some(_) => return true,
                None => Feature::Reasoning,
            },
            PartBody::Opaque(_) => Feature::ServerTools,
            PartBody::Media(media) => match (media.kind, &media.source) {
                (MediaKind::Audio, _) => Feature::Audio,
                (MediaKind::Video, _) => Feature::Video,
                (_, MediaSource::File(_)) => Feature::MediaFile,
                (MediaKind::Image, MediaSource::Base64(_) | MediaSource::Url(_)) => return true,
                (MediaKind::Image, MediaSource::PlainText(_)) => Feature::Image,
                (MediaKind::Document, MediaSource::Url(_) | MediaSource::PlainText(_)) => return true,
                (MediaKind::Document, MediaSource::Base64(data)) => match document_text(media, data) {
                    Document::Pdf | Document::Text(_) => return true,
                    Document::Unknown => Feature::Document,
                },
            },
        };
        self.losses.lose(lost);
        false
    }

    /// Content: for clients of other dialects a string where that says all, else an array of blocks.
    fn write_content(&mut self, parts: &[&Part<'_>], out: &mut Vec<u8>) {
        if self.origin == Origin::Foreign
            && let [part] = parts
            && let Some(text) = bare_text(part)
        {
            return crate::json::write_string(out, text);
        }
        let mut content = ArrayWriter::new(out);
        parts.iter().for_each(|part| self.write_part(part, content.element()));
    }

    /// The beginning of the answer, put into the model's mouth. It may not end in blanks.
    fn write_beginning(&mut self, parts: &[&Part<'_>], out: &mut Vec<u8>) {
        let mut content = ArrayWriter::new(out);
        let (before, last) = parts.split_at(parts.len().saturating_sub(1));
        before.iter().for_each(|part| self.write_part(part, content.element()));
        for part in last {
            match &part.body {
                PartBody::Text { text, .. } | PartBody::Refusal(text) => {
                    write_extras(&mut block::write_text(content.element(), text.trim_end()), part, self.origin);
                }
                _ => self.write_part(part, content.element()),
            }
        }
    }

    fn write_part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        let origin = self.origin;
        let mut block = match &part.body {
            PartBody::Text { text, citations, .. } => {
                let mut block = block::write_text(out, text);
                if !citations.is_empty() {
                    self.write_citations(citations, &mut block);
                }
                block
            }
            PartBody::Refusal(text) => block::write_text(out, text),
            PartBody::ToolCall(call) => block::write_tool_use(out, call),
            PartBody::Reasoning(reasoning) => match proof(reasoning) {
                Some(Proof::Redacted(data)) => block::write_redacted(out, data),
                Some(Proof::Signed(signature)) => block::write_thinking(out, &reasoning.text, signature),
                None => block::write_thinking(out, &reasoning.text, ""),
            },
            PartBody::Opaque(json) => return out.extend_from_slice(json.bytes()),
            PartBody::Media(media) => return self.write_media(part, media, out),
            PartBody::ToolResult(result) => self.write_result(result, out),
        };
        write_extras(&mut block, part, origin);
    }

    /// Other dialects' citations are no proof to Anthropic.
    fn write_citations(&mut self, citations: &[crate::model::Citation<'_>], block: &mut ObjectWriter<'_>) {
        match self.origin {
            Origin::Foreign => self.losses.lose(Feature::Citations),
            Origin::Own => {
                let mut array = block.array("citations");
                citations.iter().for_each(|citation| block::write_citation(array.element(), citation));
            }
        }
    }

    fn write_result<'o>(&mut self, result: &ToolResult<'_>, out: &'o mut Vec<u8>) -> ObjectWriter<'o> {
        let mut block = ObjectWriter::new(out);
        block.string("type", "tool_result");
        block.string("tool_use_id", &result.call_id);
        if let Some(json) = &result.json {
            block.string("content", &String::from_utf8_lossy(json.bytes()));
        } else {
            let own = self.origin == Origin::Own;
            let said: Vec<_> = result.content.iter().filter(|part| own || self.can_say(&part.body)).collect();
            if !said.is_empty() {
                self.write_content(&said, block.key("content"));
            }
        }
        if result.is_error {
            block.boolean("is_error", true);
        }
        block
    }

    fn write_media(&mut self, part: &Part<'_>, media: &Media<'_>, out: &mut Vec<u8>) {
        if let Some(found) = part.extras.as_written().filter(|_| self.origin == Origin::Own) {
            return out.extend_from_slice(found.bytes());
        }
        let mut block = ObjectWriter::new(out);
        block.string("type", if media.kind == MediaKind::Image { "image" } else { "document" });
        write_source(media, &mut block.object("source"));
        if media.kind == MediaKind::Document {
            block.maybe_string("title", media.name.as_deref().filter(|name| !name.is_empty()));
            block.maybe_string("context", media.context.as_deref());
            if let Some(enabled) = media.citations {
                block.object("citations").boolean("enabled", enabled);
            }
        }
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.losses.lose(Feature::ImageDetail);
        }
        write_extras(&mut block, part, self.origin);
    }
}

/// The part's text, if it has nothing else.
fn bare_text<'r>(part: &'r Part<'_>) -> Option<&'r str> {
    let is_bare = part.cache.is_none() && part.extras.is_empty();
    match &part.body {
        PartBody::Text { text, citations, .. } if is_bare && citations.is_empty() => Some(text),
        PartBody::Refusal(text) if is_bare => Some(text),
        _ => None,
    }
}

/// What makes thoughts acceptable.
enum Proof<'r> {
    Signed(&'r str),
    Redacted(&'r str),
}

fn proof<'r>(reasoning: &'r Reasoning<'_>) -> Option<Proof<'r>> {
    let native = |proof: &'r Option<crate::model::Signature<'_>>| proof.as_ref()?.native(Dialect::Anthropic);
    match (native(&reasoning.signature), native(&reasoning.encrypted)) {
        (Some(signature), _) => Some(Proof::Signed(signature)),
        (None, Some(data)) => Some(Proof::Redacted(data)),
        (None, None) => None,
    }
}

/// What a document's bytes are.
enum Document {
    Pdf,
    Text(String),
    /// Nothing that Anthropic reads.
    Unknown,
}

/// Anthropic takes PDF as bytes and text as text.
fn document_text(media: &Media<'_>, data: &str) -> Document {
    let media_type = media.media_type.as_deref().unwrap_or("application/pdf");
    if media_type == "application/pdf" {
        return Document::Pdf;
    }
    let is_text = media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml");
    let decoded = STANDARD.decode(data).ok().filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map_or(Document::Unknown, Document::Text)
}

fn write_source(media: &Media<'_>, source: &mut ObjectWriter<'_>) {
    let plain = |source: &mut ObjectWriter<'_>, text: &str| {
        source.string("type", "text");
        source.string("media_type", "text/plain");
        source.string("data", text);
    };
    match &media.source {
        MediaSource::Base64(data) => {
            let default = match media.kind {
                MediaKind::Document => match document_text(media, data) {
                    Document::Text(text) => return plain(source, &text),
                    Document::Pdf | Document::Unknown => "application/pdf",
                },
                MediaKind::Image | MediaKind::Audio | MediaKind::Video => "image/png",
            };
            source.string("type", "base64");
            source.string("media_type", media.media_type.as_deref().unwrap_or(default));
            source.string("data", data);
        }
        MediaSource::Url(url) => {
            source.string("type", "url");
            source.string("url", url);
        }
        MediaSource::File(id) => {
            source.string("type", "file");
            source.string("file_id", id);
        }
        MediaSource::PlainText(text) => plain(source, text),
    }
}
