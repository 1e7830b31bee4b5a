//! Items: what stands in `input` and in `output`, read one by one.
//!
//! Invariant: an item becomes parts of one role. Of an assistant's message the first part, and of a reasoning item the
//! last, keeps what the item says of itself (`id`, `status`, `phase`).

use super::content::{self, Logprobs};
use crate::dialect::Dialect;
use crate::json::{Kind, ObjectWriter, Raw};
use crate::model::{
    Extras, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Role, Signature, Text, ToolCall, ToolResult,
};

/// One item, read.
pub(super) struct Item<'a> {
    pub role: Role,
    pub parts: Vec<Part<'a>>,
    /// What a message that is not the assistant's says of itself.
    pub extras: Extras<'a>,
    pub kind: ItemKind,
}

/// Which kinds of items matter to how turns are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    Other,
}

/// What an assistant's message says of itself and not of one of its parts.
pub(super) const OF_MESSAGE: [&str; 3] = ["id", "status", "phase"];

/// Reads an item; what the model does not know becomes opaque as a whole.
pub(super) fn read<'a>(item: Raw<'a>, logprobs: &mut Logprobs) -> Item<'a> {
    if item.kind == Kind::String {
        let parts = content::one_text(item.text().unwrap_or_default());
        return Item { role: Role::User, parts, extras: Extras::default(), kind: ItemKind::Message };
    }
    let known = match item.first("type").and_then(Raw::quoted) {
        None | Some(b"message") => read_message(item, logprobs),
        Some(b"function_call") => read_call(item).map(assistant),
        Some(b"function_call_output") => read_result(item).map(|part| of_one(Role::Tool, vec![part])),
        Some(b"reasoning") => Some(of_one(Role::Assistant, read_reasoning(item))),
        Some(b"image_generation_call") => read_image(item).map(assistant),
        Some(_) => None,
    };
    known.unwrap_or_else(|| assistant(PartBody::Opaque(item.into()).into()))
}

fn of_one<'a>(role: Role, parts: Vec<Part<'a>>) -> Item<'a> {
    Item { role, parts, extras: Extras::default(), kind: ItemKind::Other }
}

fn assistant(part: Part<'_>) -> Item<'_> {
    of_one(Role::Assistant, vec![part])
}

fn read_message<'a>(item: Raw<'a>, logprobs: &mut Logprobs) -> Option<Item<'a>> {
    let mut role = None;
    let mut parts = None;
    let mut extras = Extras::default();
    for (key, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"role" => {
                role = Some(match value.quoted()? {
                    b"user" => Role::User,
                    b"assistant" => Role::Assistant,
                    b"system" => Role::System,
                    b"developer" => Role::Developer,
                    _ => return None,
                });
            }
            b"content" => parts = Some(value),
            _ => extras.keep(key, value),
        }
    }
    let role = role?;
    let mut parts = read_content(parts?, role, logprobs)?;
    if role == Role::Assistant
        && let Some(first) = parts.first_mut()
    {
        first.extras.0.append(&mut extras.0);
    }
    Some(Item { role, parts, extras, kind: ItemKind::Message })
}

/// A string or an array of parts. In an assistant's message no part may be opaque, for there opaque parts are items.
fn read_content<'a>(content: Raw<'a>, role: Role, logprobs: &mut Logprobs) -> Option<Vec<Part<'a>>> {
    if content.kind == Kind::String {
        return content.text().map(content::one_text);
    }
    let part = |raw: Raw<'a>| match content::read(raw, logprobs) {
        None if role != Role::Assistant => Some(PartBody::Opaque(raw.into()).into()),
        read => read,
    };
    content.elements().map(part).collect()
}

fn read_call(item: Raw<'_>) -> Option<Part<'_>> {
    let mut call = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    let mut extras = Extras::default();
    for (key, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"call_id" => call.id = value.text()?,
            b"name" => call.name = value.text()?,
            b"arguments" => call.arguments = value.text()?,
            _ => extras.keep(key, value),
        }
    }
    Some(Part { body: PartBody::ToolCall(call), cache: None, extras })
}

fn read_result(item: Raw<'_>) -> Option<Part<'_>> {
    let mut result =
        ToolResult { call_id: Text::default(), name: None, content: Vec::new(), json: None, is_error: false };
    let mut extras = Extras::default();
    for (key, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"call_id" => result.call_id = value.text()?,
            b"output" => result.content = read_content(value, Role::Tool, &mut Logprobs::default())?,
            _ => extras.keep(key, value),
        }
    }
    Some(Part { body: PartBody::ToolResult(result), cache: None, extras })
}

/// Reads a reasoning item: a part for each text, and one for encrypted content. The last has the item's name.
pub(super) fn read_reasoning(item: Raw<'_>) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut thoughts = Vec::new();
    let mut id = None;
    let mut encrypted = None;
    let mut extras = Extras::default();
    for (key, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"id" => id = value.text(),
            b"summary" => parts.extend(value.elements().filter_map(|text| read_thought(text, true))),
            b"content" => thoughts.extend(value.elements().filter_map(|text| read_thought(text, false))),
            b"encrypted_content" => encrypted = value.text().filter(|text| !text.is_empty()),
            _ => extras.keep(key, value),
        }
    }
    parts.append(&mut thoughts);
    let proof = encrypted.map(|text| Signature::read(Dialect::OpenAiResponses, text));
    let mut last = match proof {
        Some(proof) if proof.origin != Dialect::OpenAiResponses && !parts.is_empty() => {
            let mut signed = parts.pop().unwrap_or_default();
            signed.signature = Some(proof);
            signed
        }
        Some(proof) => Reasoning { encrypted: Some(proof), ..Reasoning::default() },
        None => parts.pop().unwrap_or_default(),
    };
    last.id = id;
    let mut parts: Vec<Part<'_>> = parts.into_iter().map(|part| PartBody::Reasoning(part).into()).collect();
    parts.push(Part { body: PartBody::Reasoning(last), cache: None, extras });
    parts
}

fn read_thought(text: Raw<'_>, is_summary: bool) -> Option<Reasoning<'_>> {
    let text = text.first("text")?.text()?;
    Some(Reasoning { text, is_summary, ..Reasoning::default() })
}

/// Reads an image that a tool of the provider has made; `None` while there is none.
pub(super) fn read_image(item: Raw<'_>) -> Option<Part<'_>> {
    let mut data = None;
    let mut format = None;
    let mut extras = Extras::default();
    for (key, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"result" => data = value.text(),
            b"output_format" => format = value.text(),
            _ => extras.keep(key, value),
        }
    }
    let media = Media {
        kind: MediaKind::Image,
        source: MediaSource::Base64(data?),
        media_type: Some(format.map_or("image/png".into(), |format| format!("image/{format}").into())),
        name: None,
        context: None,
        detail: None,
        citations: None,
    };
    Some(Part { body: PartBody::Media(Box::new(media)), cache: None, extras })
}

/// A reasoning item to be written.
#[derive(Debug, Default)]
pub(super) struct ReasoningItem<'t> {
    pub id: Option<&'t str>,
    pub summary: Vec<&'t str>,
    pub content: Vec<&'t str>,
    pub encrypted: Option<&'t str>,
}

impl ReasoningItem<'_> {
    /// Writes the item's members.
    pub(super) fn write(&self, item: &mut ObjectWriter<'_>) {
        item.maybe_string("id", self.id);
        item.string("type", "reasoning");
        write_texts(item, "summary", "summary_text", &self.summary);
        if !self.content.is_empty() {
            write_texts(item, "content", "reasoning_text", &self.content);
        }
        item.maybe_string("encrypted_content", self.encrypted);
    }
}

fn write_texts(item: &mut ObjectWriter<'_>, key: &str, kind: &str, texts: &[&str]) {
    let mut array = item.array(key);
    for text in texts {
        let mut part = array.object();
        part.string("type", kind);
        part.string("text", text);
    }
}

/// Writes a call's members. An object is what providers parse, so no arguments are `{}`.
pub(super) fn write_call(item: &mut ObjectWriter<'_>, call_id: &str, name: &str, arguments: &str) {
    item.string("type", "function_call");
    item.string("call_id", call_id);
    item.string("name", name);
    item.string("arguments", if arguments.is_empty() { "{}" } else { arguments });
}

/// The proof that a reasoning part carries: this dialect has one field for both kinds.
pub(super) fn proof<'r, 'a>(reasoning: &'r Reasoning<'a>) -> Option<&'r Signature<'a>> {
    reasoning.encrypted.as_ref().or(reasoning.signature.as_ref())
}
