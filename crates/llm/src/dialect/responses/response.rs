//! Whole answers.

use std::borrow::Cow;

use super::content::{self, Logprobs};
use super::item::{self, ReasoningItem};
use super::request::{Thoughts, add_thought, thought_together, write_of_message, write_of_part};
use super::stop::{self, Calls, Status};
use super::whole::{self, ItemNames, Whole};
use super::{service_tier, usage};
use crate::dialect::placed::{Cites, place};
use crate::dialect::{Dialect, ReadError, Reply};
use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{
    Choice, Extras, Feature, Losses, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Response, Role,
    Signature, Stop, ToolCall,
};

pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    if !body.is_object() {
        return Err(ReadError::new("the answer must be an object"));
    }
    let mut response = Response::new(Dialect::OpenAiResponses);
    let mut choice = Choice::default();
    let mut logprobs = Logprobs::default();
    let (mut status, mut incomplete) = (None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"id" => response.id = value.text().unwrap_or_default(),
            b"object" if value.quoted() == Some(b"response") => {}
            b"model" => response.model = value.text(),
            b"created_at" => response.created = value.count(),
            b"output" => choice.parts = read_output(value, &mut logprobs),
            b"usage" => response.usage = Some(usage::read(value, &mut response.extras)),
            b"service_tier" => response.service_tier = value.text(),
            b"status" => status = value.text(),
            b"incomplete_details" => {
                incomplete = value.first("reason").and_then(Raw::text);
                response.extras.keep(key, value);
            }
            _ => response.extras.keep(key, value),
        }
    }
    place(&mut choice.parts, Cites::Parts);
    let calls = Calls::among(choice.parts.iter().map(|part| &part.body));
    choice.stop =
        status.map(|native| Stop { reason: stop::read(&native, incomplete.as_deref(), calls), native, sequence: None });
    choice.logprobs = logprobs.into_object();
    response.choices.push(choice);
    Ok(response)
}

/// The parts of all items but the client's own, which a compaction repeats: those stay opaque.
fn read_output<'a>(output: Raw<'a>, logprobs: &mut Logprobs) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for raw in output.elements() {
        let item = item::read(raw, logprobs);
        match item.role {
            Role::Assistant => parts.extend(item.parts),
            Role::System | Role::Developer | Role::User | Role::Tool => {
                parts.push(PartBody::Opaque(raw.into()).into());
            }
        }
    }
    parts
}

pub(super) fn write(response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    let own = response.dialect == Dialect::OpenAiResponses;
    if response.choices.len() > 1 {
        losses.lose(Feature::Choices);
    }
    let id = if response.id.is_empty() { reply.id.as_ref() } else { response.id.as_ref() };
    let choice = response.choices.first();
    let stop = choice.and_then(|choice| choice.stop.as_ref());
    let mut status = stop::write(stop);
    if let Some(stop) = stop.filter(|_| own) {
        status.name = &stop.native;
    }
    let output = choice.map_or_else(|| b"[]".to_vec(), |choice| write_output(choice, own, id, status, losses));
    let tier = response.service_tier.as_deref();
    let whole = Whole {
        id,
        model: response.model.as_deref().unwrap_or(&reply.model),
        created: response.created.unwrap_or(reply.created),
        status,
        output: &output,
        usage: response.usage.as_ref(),
        service_tier: if own { tier } else { tier.and_then(service_tier) },
        extras: own.then_some(&response.extras),
    };
    if tier.is_some() && whole.service_tier.is_none() {
        losses.lose(Feature::ServiceTier);
    }
    let mut out = Vec::with_capacity(output.len() + 1024);
    whole.write(&mut out);
    out
}

fn write_output(choice: &Choice<'_>, own: bool, id: &str, status: Status<'_>, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = OutputWriter {
        items: ArrayWriter::new(&mut out),
        index: 0,
        own,
        names: ItemNames::of(id),
        characters: 0,
        logprobs: choice.logprobs.as_ref().and_then(content::logprobs_array),
        losses,
    };
    let mut rest = choice.parts.as_slice();
    while !rest.is_empty() {
        let taken = writer.take(rest, status);
        rest = &rest[taken..];
    }
    drop(writer);
    out
}

/// Writes parts as items.
struct OutputWriter<'o, 'l> {
    items: ArrayWriter<'o>,
    /// Items so far.
    index: usize,
    /// The answer is of this dialect.
    own: bool,
    names: ItemNames,
    /// Characters of the texts so far.
    characters: u64,
    /// Told with the first text.
    logprobs: Option<Raw<'o>>,
    losses: &'l mut Losses,
}

impl OutputWriter<'_, '_> {
    /// Writes the item that begins with the first of `parts`; gives how many parts it is made of.
    fn take(&mut self, parts: &[Part<'_>], status: Status<'_>) -> usize {
        let part = &parts[0];
        match &part.body {
            PartBody::Text { .. } | PartBody::Refusal(_) => {
                let taken = self.said_together(parts);
                let cut = taken == parts.len() && status.incomplete.is_some();
                self.message(&parts[..taken], if cut { "incomplete" } else { "completed" });
                return taken;
            }
            PartBody::Reasoning(_) => {
                let taken = thought_together(parts);
                self.reasoning(&parts[..taken]);
                return taken;
            }
            PartBody::ToolCall(call) => self.call(call, &part.extras),
            PartBody::Media(media) => self.image(media, &part.extras),
            PartBody::Opaque(json) if self.own => self.items.raw(json.bytes()),
            PartBody::Opaque(_) => self.losses.lose(Feature::ServerTools),
            PartBody::ToolResult(_) => {}
        }
        1
    }

    /// How many parts from the first make one message. A signed text ends it, for its signature is an item.
    fn said_together(&self, parts: &[Part<'_>]) -> usize {
        let mut count = 0;
        for part in parts {
            let begins_another = count > 0 && self.own && part.extras.get("id").is_some();
            let signed = match &part.body {
                PartBody::Text { signature, .. } => signature.is_some(),
                PartBody::Refusal(_) => false,
                _ => break,
            };
            if begins_another {
                break;
            }
            count += 1;
            if signed {
                break;
            }
        }
        count
    }

    fn message(&mut self, parts: &[Part<'_>], status: &str) {
        let content = self.content(parts);
        let is_empty = content == b"[]";
        let told = parts.first().map(|part| &part.extras).filter(|_| self.own);
        if !is_empty || told.is_some_and(|told| !told.is_empty()) {
            let id = self.next_name("msg");
            let mut item = self.items.object();
            match told.filter(|told| told.get("id").is_some()) {
                None => whole::write_message(&mut item, &id, status, &content),
                Some(told) => {
                    item.string("type", "message");
                    item.string("role", "assistant");
                    item.raw("content", &content);
                    write_of_message(&mut item, told);
                }
            }
        }
        if let Some(Part { body: PartBody::Text { signature: Some(proof), .. }, .. }) = parts.last() {
            self.proof(proof);
        }
    }

    fn content(&mut self, parts: &[Part<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut array = ArrayWriter::new(&mut out);
        for part in parts {
            match &part.body {
                PartBody::Text { text, citations, .. } => {
                    if text.is_empty() && citations.is_empty() && !self.own {
                        continue;
                    }
                    let mut object = array.object();
                    let annotations = content::annotations(citations, self.characters);
                    self.characters += text.chars().count() as u64;
                    let logprobs = self.logprobs.take().map(|array| array.bytes);
                    content::OutputText { text, annotations: &annotations, logprobs }.write(&mut object);
                    if self.own {
                        write_of_part(&mut object, &part.extras);
                    }
                }
                PartBody::Refusal(refusal) => content::write_refusal(&mut array.object(), refusal),
                _ => {}
            }
        }
        drop(array);
        out
    }

    fn reasoning(&mut self, parts: &[Part<'_>]) {
        let name = self.next_name("rs");
        let mut thoughts = ReasoningItem { id: Some(&name), ..ReasoningItem::default() };
        let mut encrypted: Option<Cow<'_, str>> = None;
        let mut extras = None;
        for part in parts {
            let PartBody::Reasoning(reasoning) = &part.body else { continue };
            add_thought(&mut thoughts, reasoning, Thoughts::AsTold);
            encrypted = item::proof(reasoning).map(|proof| proof.written(Dialect::OpenAiResponses)).or(encrypted);
            thoughts.id = reasoning.id.as_deref().or(thoughts.id);
            extras = Some(&part.extras).filter(|_| self.own);
        }
        thoughts.encrypted = encrypted.as_deref();
        let mut item = self.items.object();
        thoughts.write(&mut item);
        extras.into_iter().for_each(|extras| content::write_extras(&mut item, extras));
    }

    /// A proof that stands alone: it belongs to what comes before or after it.
    fn proof(&mut self, proof: &Signature<'_>) {
        let signed = Reasoning { signature: Some(proof.clone()), ..Reasoning::default() };
        self.reasoning(&[PartBody::Reasoning(signed).into()]);
    }

    fn call(&mut self, call: &ToolCall<'_>, extras: &Extras<'_>) {
        if let Some(proof) = &call.signature {
            self.proof(proof);
        }
        let name = self.next_name("fc");
        let own = self.own;
        let mut item = self.items.object();
        item::write_call(&mut item, &call.id, &call.name, &call.arguments);
        write_name(&mut item, &name, extras, own);
    }

    fn image(&mut self, media: &Media<'_>, extras: &Extras<'_>) {
        let (MediaKind::Image, MediaSource::Base64(data)) = (media.kind, &media.source) else {
            return self.losses.lose(Feature::MediaOutput);
        };
        let name = self.next_name("ig");
        let own = self.own;
        let mut item = self.items.object();
        whole::write_image(&mut item, data, media.media_type.as_deref());
        write_name(&mut item, &name, extras, own);
    }

    fn next_name(&mut self, prefix: &str) -> String {
        self.index += 1;
        self.names.name(prefix, self.index - 1)
    }
}

/// Ends an item with its name and status: those it had, or made-up ones.
fn write_name(item: &mut ObjectWriter<'_>, name: &str, extras: &Extras<'_>, own: bool) {
    if own && extras.get("id").is_some() {
        return content::write_extras(item, extras);
    }
    item.string("id", name);
    item.string("status", "completed");
}
