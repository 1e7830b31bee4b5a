//! Turns out of items and items out of turns.
//!
//! Invariant: what the assistant did between two messages of others is one turn, so that dialects which keep a
//! message and its calls together find them together; items keep their order in both directions.

use crate::dialect::responses::content::{self, Logprobs, OutputText};
use crate::dialect::responses::item::{self, Item, ItemKind, OF_MESSAGE, ReasoningItem};
use crate::dialect::{Dialect, ReadError};
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, write_string};
use crate::model::{
    Citation, Extras, Feature, Losses, Media, MediaSource, Part, PartBody, Reasoning, Role, ToolCall, ToolResult, Turn,
};

/// Reads `input`: a string or a list of items.
pub(super) fn read(input: Raw<'_>) -> Result<Vec<Turn<'_>>, ReadError> {
    match input.kind {
        Kind::String => {
            let text = input.text().unwrap_or_default();
            Ok(vec![Turn::new(Role::User, content::one_text(text))])
        }
        Kind::Array => {
            let mut joined = Joined::default();
            for item in input.elements() {
                joined.add(item::read(item, &mut Logprobs::default()));
            }
            Ok(joined.turns)
        }
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
            Err(ReadError::new("input must be a string or an array of items"))
        }
    }
}

/// Items as turns.
#[derive(Default)]
struct Joined<'a> {
    turns: Vec<Turn<'a>>,
    /// The last turn holds a message.
    has_message: bool,
    /// The last turn calls a tool.
    has_call: bool,
}

impl<'a> Joined<'a> {
    /// Results of neighbouring items are one turn, and so is what the assistant does. A second message begins a new
    /// turn, unless calls of the open one wait for their results.
    fn add(&mut self, item: Item<'a>) {
        if item.parts.is_empty() {
            return;
        }
        let joins = match (self.turns.last(), item.role) {
            (Some(open), Role::Tool) => open.role == Role::Tool,
            (Some(open), Role::Assistant) if open.role == Role::Assistant => {
                item.kind == ItemKind::Other || !self.has_message || self.has_call
            }
            _ => false,
        };
        let holds = |wanted: fn(&PartBody<'_>) -> bool| item.parts.iter().any(|part| wanted(&part.body));
        let has_message = holds(|body| matches!(body, PartBody::Text { .. } | PartBody::Refusal(_)));
        let has_call = holds(|body| matches!(body, PartBody::ToolCall(_)));
        match self.turns.last_mut() {
            Some(open) if joins => {
                open.parts.extend(item.parts);
                self.has_message |= has_message;
                self.has_call |= has_call;
            }
            _ => {
                self.turns.push(Turn { extras: item.extras, ..Turn::new(item.role, item.parts) });
                (self.has_message, self.has_call) = (has_message, has_call);
            }
        }
    }
}

/// Writes turns as items.
pub(super) struct ItemWriter<'o, 'l> {
    pub items: ArrayWriter<'o>,
    pub losses: &'l mut Losses,
    /// The dialect of the request.
    pub source: Dialect,
}

impl ItemWriter<'_, '_> {
    /// Writes one turn.
    pub(super) fn turn(&mut self, turn: &Turn<'_>) {
        self.losses.lose_some(Feature::TurnName, turn.name.as_ref());
        match turn.role {
            Role::Assistant => self.assistant(&turn.parts),
            Role::System => self.message("system", turn),
            Role::Developer => self.message("developer", turn),
            Role::User | Role::Tool => self.message("user", turn),
        }
    }

    fn own(&self) -> bool {
        self.source == Dialect::OpenAiResponses
    }

    /// Results are items of their own; what stands between them is messages.
    fn message(&mut self, role: &str, turn: &Turn<'_>) {
        let of_message = |part: &Part<'_>| !matches!(part.body, PartBody::ToolResult(_));
        let mut rest = turn.parts.as_slice();
        while let Some(first) = rest.first() {
            if let PartBody::ToolResult(result) = &first.body {
                self.result(result, first);
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|part| !of_message(part)).unwrap_or(rest.len());
            self.content(role, &rest[..end], &turn.extras);
            rest = &rest[end..];
        }
    }

    /// One message; a plain text as a string, for every provider of this dialect takes that.
    fn content(&mut self, role: &str, parts: &[Part<'_>], extras: &Extras<'_>) {
        let mut content = Vec::new();
        match content::plain_text(parts).as_deref() {
            Some([text]) => write_string(&mut content, text),
            _ => content::write_input(&mut content, parts, self.source, self.losses),
        }
        if content.is_empty() {
            return;
        }
        let own = self.own();
        let mut item = self.items.object();
        item.string("type", "message");
        item.string("role", role);
        item.raw("content", &content);
        if own {
            content::write_extras(&mut item, extras);
        }
    }

    fn result(&mut self, result: &ToolResult<'_>, part: &Part<'_>) {
        if part.cache.is_some() || result.content.iter().any(|part| part.cache.is_some()) {
            self.losses.lose(Feature::CacheControl);
        }
        if result.is_error {
            self.losses.lose(Feature::ToolResultError);
        }
        let output = self.output(result);
        let own = self.own();
        let mut item = self.items.object();
        item.string("type", "function_call_output");
        item.string("call_id", &result.call_id);
        item.raw("output", &output);
        if own {
            content::write_extras(&mut item, &part.extras);
        }
    }

    /// A string wherever text is all there is, for not every provider takes parts.
    fn output(&mut self, result: &ToolResult<'_>) -> Vec<u8> {
        let mut output = Vec::new();
        if let Some(json) = &result.json {
            write_string(&mut output, &String::from_utf8_lossy(json.bytes()));
            return output;
        }
        let texts = result.content.iter().map(|part| match &part.body {
            PartBody::Text { text, .. } => Some(text.as_ref()),
            _ => None,
        });
        match texts.collect::<Option<Vec<&str>>>() {
            Some(texts) if !self.own() || texts.len() < 2 => write_string(&mut output, &texts.join("\n")),
            _ => content::write_input(&mut output, &result.content, self.source, self.losses),
        }
        if output.is_empty() {
            write_string(&mut output, "");
        }
        output
    }

    fn assistant(&mut self, parts: &[Part<'_>]) {
        let mut rest = parts;
        while let Some(part) = rest.first() {
            if part.cache.is_some() {
                self.losses.lose(Feature::CacheControl);
            }
            let mut taken = 1;
            match &part.body {
                PartBody::Text { .. } | PartBody::Refusal(_) => {
                    taken = self.said_together(rest);
                    self.said(&rest[..taken]);
                }
                PartBody::Reasoning(_) => {
                    taken = thought_together(rest);
                    self.reasoning(&rest[..taken]);
                }
                PartBody::ToolCall(call) => self.call(call, part),
                PartBody::ToolResult(result) => self.result(result, part),
                PartBody::Media(media) => self.image(media, part),
                PartBody::Opaque(json) if self.own() => self.items.raw(json.bytes()),
                PartBody::Opaque(_) => self.losses.lose(Feature::ServerTools),
            }
            rest = &rest[taken..];
        }
    }

    /// How many parts from the first belong to one message. Texts of other dialects are messages each: a string is
    /// what every provider takes.
    fn said_together(&self, parts: &[Part<'_>]) -> usize {
        if !self.own() {
            return 1;
        }
        let continues = |part: &&Part<'_>| {
            let said = matches!(part.body, PartBody::Text { .. } | PartBody::Refusal(_));
            said && part.extras.get("id").is_none()
        };
        1 + parts[1..].iter().take_while(continues).count()
    }

    fn said(&mut self, parts: &[Part<'_>]) {
        if let [Part { body: PartBody::Text { text, citations, signature }, extras, .. }] = parts
            && (citations.is_empty() && (extras.is_empty() || !self.own()))
        {
            self.losses.lose_some(Feature::ReasoningSignature, signature.as_ref());
            if self.own() || !text.is_empty() {
                let mut item = self.items.object();
                item.string("type", "message");
                item.string("role", "assistant");
                item.string("content", text);
            }
            return;
        }
        let own = self.own();
        let mut item = self.items.object();
        item.string("type", "message");
        item.string("role", "assistant");
        write_said(&mut item.array("content"), parts, own);
        if let Some(first) = parts.first().filter(|_| own) {
            write_of_message(&mut item, &first.extras);
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, part: &Part<'_>) {
        self.losses.lose_some(Feature::ReasoningSignature, call.signature.as_ref());
        let own = self.own();
        let mut item = self.items.object();
        item::write_call(&mut item, &call.id, &call.name, &call.arguments);
        if own {
            content::write_extras(&mut item, &part.extras);
        }
    }

    /// OpenAI refuses the text of thoughts but takes a summary, so foreign thoughts go as one.
    fn reasoning(&mut self, parts: &[Part<'_>]) {
        let own = self.own();
        let mut thoughts = ReasoningItem::default();
        let mut extras = None;
        for part in parts {
            let PartBody::Reasoning(reasoning) = &part.body else { continue };
            add_thought(&mut thoughts, reasoning, if own { Thoughts::AsTold } else { Thoughts::AsSummary });
            if let Some(proof) = item::proof(reasoning) {
                thoughts.encrypted = proof.native(Dialect::OpenAiResponses);
                if thoughts.encrypted.is_none() {
                    self.losses.lose(Feature::ReasoningSignature);
                }
            }
            thoughts.id = reasoning.id.as_deref();
            extras = Some(&part.extras);
        }
        if !own && thoughts.summary.is_empty() && thoughts.encrypted.is_none() {
            return;
        }
        let mut item = self.items.object();
        thoughts.write(&mut item);
        if let Some(extras) = extras.filter(|_| own) {
            content::write_extras(&mut item, extras);
        }
    }

    /// An image that the provider made goes back as what its tool did; others are not the assistant's to send.
    fn image(&mut self, media: &Media<'_>, part: &Part<'_>) {
        match &media.source {
            MediaSource::Base64(data) if self.own() => {
                let mut item = self.items.object();
                item.string("type", "image_generation_call");
                item.string("result", data);
                content::write_extras(&mut item, &part.extras);
            }
            _ => self.losses.lose(Feature::MediaOutput),
        }
    }
}

/// How the text of thoughts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect::responses) enum Thoughts {
    AsTold,
    AsSummary,
}

/// Adds what a part tells to its item. An empty text is kept where a proof stands for it: without it the proof would
/// read as thoughts that are encrypted.
pub(in crate::dialect::responses) fn add_thought<'t>(
    item: &mut ReasoningItem<'t>,
    reasoning: &'t Reasoning<'_>,
    thoughts: Thoughts,
) {
    if reasoning.text.is_empty() && reasoning.signature.is_none() {
        return;
    }
    match reasoning.is_summary || thoughts == Thoughts::AsSummary {
        true => item.summary.push(&reasoning.text),
        false => item.content.push(&reasoning.text),
    }
}

/// How many parts from the first belong to one reasoning item: its last has a name or a proof.
pub(in crate::dialect::responses) fn thought_together(parts: &[Part<'_>]) -> usize {
    let mut count = 0;
    for part in parts {
        let PartBody::Reasoning(reasoning) = &part.body else { break };
        count += 1;
        if reasoning.id.is_some() || item::proof(reasoning).is_some() || !part.extras.is_empty() {
            break;
        }
    }
    count
}

/// Writes what the assistant said as `output_text` and `refusal` parts.
fn write_said(array: &mut ArrayWriter<'_>, parts: &[Part<'_>], own: bool) {
    for part in parts {
        let mut object = array.object();
        match &part.body {
            PartBody::Text { text, citations, .. } => write_output_text(&mut object, text, citations),
            PartBody::Refusal(refusal) => content::write_refusal(&mut object, refusal),
            _ => {}
        }
        if own {
            write_of_part(&mut object, &part.extras);
        }
    }
}

fn write_output_text(object: &mut ObjectWriter<'_>, text: &str, citations: &[Citation<'_>]) {
    let annotations = content::annotations(citations, 0);
    OutputText { text, annotations: &annotations, logprobs: None }.write(object);
}

/// Of a first part's extras, those that its message tells of itself.
pub(in crate::dialect::responses) fn write_of_message(item: &mut ObjectWriter<'_>, extras: &Extras<'_>) {
    let of_message = |(name, _): &(&str, _)| OF_MESSAGE.contains(name);
    extras.iter().filter(of_message).for_each(|(name, value)| item.raw(name, value.bytes()));
}

/// Of a part's extras, those that are its own.
pub(in crate::dialect::responses) fn write_of_part(part: &mut ObjectWriter<'_>, extras: &Extras<'_>) {
    let of_part = |(name, _): &(&str, _)| !OF_MESSAGE.contains(name);
    extras.iter().filter(of_part).for_each(|(name, value)| part.raw(name, value.bytes()));
}
