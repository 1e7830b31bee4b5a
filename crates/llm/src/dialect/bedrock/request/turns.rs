//! Writes `system` and `messages`.
//!
//! Instructions move to the front, turns of one side are joined so that the sides alternate and the user
//! begins, results of tools come first in their turn, and what Bedrock refuses (blank text, unsigned thoughts
//! of other dialects) is left out.

use crate::dialect::bedrock::block;
use crate::dialect::bedrock::media::{self, DocumentNames};
use crate::dialect::{Dialect, Origin};
use crate::json::{ArrayWriter, ObjectWriter, write_string};
use crate::model::{
    Feature, Losses, Media, MediaKind, Part, PartBody, Reasoning, Request, Role, Signature, ToolResult, Turn,
};

/// What the user says where the conversation would begin with the assistant, or not begin at all.
const OPENING: &str = "Continue.";

/// What the user says beside a document that comes without words, which Bedrock refuses.
const BESIDE_DOCUMENT: &str = "See the document.";

/// Appends both fields.
pub(super) fn write(request: &Request<'_>, losses: &mut Losses, body: &mut ObjectWriter<'_>) {
    let first_said = request.turns.iter().position(|turn| !is_instruction(turn)).unwrap_or(request.turns.len());
    if request.turns[first_said..].iter().any(is_instruction) {
        losses.lose(Feature::SystemPosition);
    }
    let mut blocks = Blocks {
        origin: Origin::of(request.dialect, Dialect::BedrockConverse),
        losses,
        names: DocumentNames::default(),
    };
    blocks.write_system(request, body);
    let messages = blocks.messages(request);
    let mut array = body.array("messages");
    let last = messages.len().saturating_sub(1);
    for (at, message) in messages.iter().enumerate() {
        let mut object = array.object();
        object.string("role", if message.role == Role::Assistant { "assistant" } else { "user" });
        let mut content = object.array("content");
        let begun = at == last && message.role == Role::Assistant;
        for (at, part) in message.parts.iter().enumerate() {
            match &part.body {
                // The beginning of the answer, put into the model's mouth, may not end in blanks.
                PartBody::Text { text, .. } if begun && at + 1 == message.parts.len() => {
                    content.object().string("text", text.trim_end());
                }
                _ => blocks.write_part(part, &mut content),
            }
        }
        if let Some(words) = message.missing_words() {
            content.object().string("text", words);
        }
        drop(content);
        message.extras.iter().for_each(|turn| blocks.write_turn_extras(turn, &mut object));
    }
}

fn is_instruction(turn: &Turn<'_>) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
}

/// What one side says until the other speaks.
struct Message<'r, 'a> {
    role: Role,
    parts: Vec<&'r Part<'a>>,
    /// The turns with members of their own.
    extras: Vec<&'r Turn<'a>>,
}

impl Message<'_, '_> {
    /// What must be said beside the parts.
    fn missing_words(&self) -> Option<&'static str> {
        if self.parts.is_empty() {
            return Some(OPENING);
        }
        let is_document = |part: &&Part<'_>| match &part.body {
            PartBody::Media(media) => media.kind == MediaKind::Document,
            _ => false,
        };
        let is_text = |part: &&Part<'_>| matches!(part.body, PartBody::Text { .. } | PartBody::Refusal(_));
        (self.parts.iter().any(is_document) && !self.parts.iter().any(is_text)).then_some(BESIDE_DOCUMENT)
    }
}

/// Writes blocks.
struct Blocks<'l> {
    origin: Origin,
    losses: &'l mut Losses,
    names: DocumentNames,
}

impl Blocks<'_> {
    fn write_system(&mut self, request: &Request<'_>, body: &mut ObjectWriter<'_>) {
        let parts = self.sayable(request.turns.iter().filter(|turn| is_instruction(turn)));
        if parts.is_empty() {
            return;
        }
        let mut system = body.array("system");
        for part in parts {
            match &part.body {
                PartBody::Text { .. } | PartBody::Refusal(_) | PartBody::Opaque(_) => {
                    self.write_part(part, &mut system)
                }
                PartBody::Media(_) | PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Reasoning(_) => {
                    self.losses.lose_field("system.content");
                }
            }
        }
    }

    /// The turns, joined. Sound in a tool's result is told after it, for results have no room for it.
    fn messages<'r, 'a>(&mut self, request: &'r Request<'a>) -> Vec<Message<'r, 'a>> {
        let mut messages: Vec<Message<'r, 'a>> = Vec::new();
        for turn in request.turns.iter().filter(|turn| !is_instruction(turn)) {
            let role = if turn.role == Role::Assistant { Role::Assistant } else { Role::User };
            let parts = self.sayable([turn]);
            if parts.is_empty() {
                continue;
            }
            // Own turns stand as their client has set them.
            let joins = self.origin == Origin::Foreign && messages.last().is_some_and(|message| message.role == role);
            if !joins {
                messages.push(Message { role, parts: Vec::new(), extras: Vec::new() });
            }
            if let Some(message) = messages.last_mut() {
                message.parts.extend(parts);
                message.extras.extend((!turn.extras.is_empty()).then_some(turn));
            }
        }
        let begins = messages.first().is_some_and(|first| first.role == Role::User);
        if !begins && self.origin == Origin::Foreign {
            messages.insert(0, Message { role: Role::User, parts: Vec::new(), extras: Vec::new() });
        }
        for message in &mut messages {
            message.parts.sort_by_key(|part| !matches!(part.body, PartBody::ToolResult(_)));
            let results = message.parts.iter().filter_map(|part| match &part.body {
                PartBody::ToolResult(result) => Some(&result.content),
                _ => None,
            });
            let sound: Vec<_> = results.flatten().filter(|part| is_sound(part)).collect();
            message.parts.extend(sound.into_iter().filter(|part| self.can_say(&part.body)));
        }
        messages
    }

    /// The parts that can be said in this dialect.
    fn sayable<'r, 'a: 'r>(&mut self, turns: impl IntoIterator<Item = &'r Turn<'a>>) -> Vec<&'r Part<'a>> {
        let mut parts = Vec::new();
        for turn in turns {
            self.losses.lose_some(Feature::TurnName, turn.name.as_ref());
            for part in &turn.parts {
                if self.can_say(&part.body) {
                    parts.push(part);
                } else if part.cache.is_some() {
                    self.losses.lose(Feature::CacheControl);
                }
            }
        }
        parts
    }

    fn can_say(&mut self, body: &PartBody<'_>) -> bool {
        let lost = match body {
            // Some models take blanks; none takes nothing.
            PartBody::Text { text, .. } if self.origin == Origin::Own => return !text.is_empty(),
            PartBody::Text { text, .. } => return !text.trim().is_empty(),
            PartBody::Refusal(text) => {
                self.losses.lose(Feature::Refusal);
                return !text.trim().is_empty();
            }
            PartBody::ToolCall(_) | PartBody::ToolResult(_) => return true,
            PartBody::Reasoning(_) if self.origin == Origin::Own => return true,
            PartBody::Reasoning(reasoning) => match native(&reasoning.signature).or(native(&reasoning.encrypted)) {
                Some(_) => return true,
                None => Feature::Reasoning,
            },
            PartBody::Opaque(_) if self.origin == Origin::Own => return true,
            PartBody::Opaque(_) => Feature::ServerTools,
            PartBody::Media(media) => {
                if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.lose(Feature::ImageDetail);
                }
                match media::lost_with(media) {
                    None => return true,
                    Some(lost) => lost,
                }
            }
        };
        self.losses.lose(lost);
        false
    }

    fn write_part(&mut self, part: &Part<'_>, content: &mut ArrayWriter<'_>) {
        let origin = self.origin;
        let as_written = part.extras.as_written().filter(|_| origin == Origin::Own);
        match &part.body {
            _ if let Some(block) = as_written => content.raw(block.bytes()),
            PartBody::Text { text, citations, .. } if !citations.is_empty() && origin == Origin::Own => {
                let mut block = content.object();
                let mut cited = block.object("citationsContent");
                block::write_with_citations(Some(text), citations, &mut cited);
                block::write_extras(part, origin, &mut cited);
            }
            PartBody::Text { text, citations, .. } => {
                // Other dialects' citations are no proof to a model.
                self.losses.lose_some(Feature::Citations, citations.first());
                content.object().string("text", text);
            }
            PartBody::Refusal(text) => content.object().string("text", text),
            PartBody::ToolCall(call) => {
                let mut block = content.object();
                let mut call_block = block.object("toolUse");
                block::write_tool_use(call, &mut call_block);
                block::write_extras(part, origin, &mut call_block);
            }
            PartBody::Reasoning(reasoning) => write_reasoning(reasoning, content),
            PartBody::Opaque(json) => content.raw(json.bytes()),
            PartBody::Media(media) => self.write_media(part, media, content),
            PartBody::ToolResult(result) => {
                let mut block = content.object();
                let mut result_block = block.object("toolResult");
                self.write_result(result, &mut result_block);
                block::write_extras(part, origin, &mut result_block);
            }
        }
        block::write_cache_point(part.cache.as_ref(), content);
        if let PartBody::ToolResult(result) = &part.body {
            // A mark within a result has no place there; after it, it covers as much.
            let inner = result.content.iter().rev().find_map(|part| part.cache.as_ref());
            block::write_cache_point(inner.filter(|_| part.cache.is_none()), content);
        }
    }

    fn write_media(&mut self, part: &Part<'_>, media: &Media<'_>, content: &mut ArrayWriter<'_>) {
        let name = (media.kind == MediaKind::Document).then(|| self.names.fit(media.name.as_deref()));
        let owner = part.extras.get(media::BUCKET_OWNER).filter(|_| self.origin == Origin::Own);
        let mut block = content.object();
        let mut inside = block.object(media::block_name(media.kind));
        media::write(media, name.as_deref(), owner.map(|owner| owner.bytes()), &mut inside);
        block::write_extras(part, self.origin, &mut inside);
    }

    fn write_result(&mut self, result: &ToolResult<'_>, block: &mut ObjectWriter<'_>) {
        block.string("toolUseId", &result.call_id);
        let mut content = block.array("content");
        match &result.json {
            Some(json) if json.raw().is_object() => content.object().raw("json", json.bytes()),
            Some(json) => write_string(content.object().key("text"), &String::from_utf8_lossy(json.bytes())),
            None => {
                for part in result.content.iter().filter(|part| !is_sound(part)) {
                    if self.can_say(&part.body) {
                        self.write_result_part(part, &mut content);
                    }
                }
            }
        }
        drop(content);
        if result.is_error {
            block.string("status", "error");
        }
    }

    fn write_result_part(&mut self, part: &Part<'_>, content: &mut ArrayWriter<'_>) {
        if let Some(block) = part.extras.as_written().filter(|_| self.origin == Origin::Own) {
            return content.raw(block.bytes());
        }
        match &part.body {
            PartBody::Text { text, .. } | PartBody::Refusal(text) => content.object().string("text", text),
            PartBody::Media(media) => self.write_media(part, media, content),
            PartBody::Opaque(json) => content.raw(json.bytes()),
            PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Reasoning(_) => {
                self.losses.lose_field("tool_result.content");
            }
        }
    }

    fn write_turn_extras(&mut self, turn: &Turn<'_>, message: &mut ObjectWriter<'_>) {
        if self.origin == Origin::Own {
            turn.extras.iter().for_each(|(name, value)| message.raw(name, value.bytes()));
        }
    }
}

fn is_sound(part: &Part<'_>) -> bool {
    matches!(&part.body, PartBody::Media(media) if media.kind == MediaKind::Audio)
}

fn native<'r>(proof: &'r Option<Signature<'_>>) -> Option<&'r str> {
    proof.as_ref()?.native(Dialect::BedrockConverse)
}

/// Thoughts, and after them those that only the provider can read.
fn write_reasoning(reasoning: &Reasoning<'_>, content: &mut ArrayWriter<'_>) {
    let signature = native(&reasoning.signature);
    if signature.is_some() || !reasoning.text.is_empty() {
        block::write_thought(&reasoning.text, signature, content);
    }
    if let Some(encrypted) = &reasoning.encrypted {
        block::write_redacted(encrypted, &mut content.object().object("reasoningContent"));
    }
}
