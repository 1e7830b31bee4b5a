//! Reads content blocks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialect::Dialect;
use crate::dialect::bedrock::media;
use crate::json::Raw;
use crate::model::{
    CacheControl, Citation, Extras, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Signature, Text,
    ToolCall, ToolResult,
};

/// The parts that the blocks of `content` are.
pub(in super::super) fn read_all(content: Raw<'_>) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for block in content.elements() {
        let Some((kind, value)) = block.members().find(|(_, value)| !value.is_null()) else { continue };
        if kind == b"cachePoint"
            && let Some(last) = parts.last_mut()
        {
            last.cache = Some(cache_point(value));
            continue;
        }
        let known = match kind {
            b"text" => value.text().map(Part::text),
            b"image" => media::read(MediaKind::Image, value),
            b"document" => media::read(MediaKind::Document, value),
            b"audio" => media::read(MediaKind::Audio, value),
            b"video" => media::read(MediaKind::Video, value),
            b"toolUse" => tool_use(value),
            b"toolResult" => tool_result(value),
            b"reasoningContent" => match reasoning(value, parts.last_mut()) {
                Thought::Joined => continue,
                Thought::Part(part) => part,
            },
            b"citationsContent" => match cited(value, parts.last_mut()) {
                Some(part) => Some(part),
                None => continue,
            },
            b"guardContent" => guarded(block, value),
            b"searchResult" => Some(search_result(block, value)),
            _ => None,
        };
        parts.push(known.unwrap_or_else(|| PartBody::Opaque(block.into()).into()));
    }
    parts
}

/// Reads `cachePoint`.
pub(in super::super) fn cache_point<'a>(value: Raw<'a>) -> CacheControl<'a> {
    CacheControl { ttl: value.get("ttl").and_then(Raw::text) }
}

/// The `type` of a call or a result of a tool that the provider runs.
pub(in super::super) fn is_server_side(kind: &str) -> bool {
    kind == "server_tool_use" || (kind.ends_with("_result") && kind != "tool_result")
}

/// A call; `None` if the provider has run it.
fn tool_use(block: Raw<'_>) -> Option<Part<'_>> {
    let mut call = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    let mut extras = Extras::default();
    for (key, value) in block.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"toolUseId" => call.id = value.text().unwrap_or_default(),
            b"name" => call.name = value.text().unwrap_or_default(),
            b"input" => call.arguments = String::from_utf8_lossy(value.bytes),
            b"type" if value.text().is_some_and(|kind| is_server_side(&kind)) => return None,
            b"type" => {}
            _ => extras.keep(key, value),
        }
    }
    Some(Part { body: PartBody::ToolCall(call), cache: None, extras })
}

/// A result; `None` if the provider has run the tool.
fn tool_result(block: Raw<'_>) -> Option<Part<'_>> {
    let mut result =
        ToolResult { call_id: Text::default(), name: None, content: Vec::new(), json: None, is_error: false };
    let mut extras = Extras::default();
    for (key, value) in block.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"toolUseId" => result.call_id = value.text().unwrap_or_default(),
            b"content" => read_result(value, &mut result),
            b"status" => result.is_error = value.text().as_deref() == Some("error"),
            b"type" if value.text().is_some_and(|kind| is_server_side(&kind)) => return None,
            b"type" => {}
            _ => extras.keep(key, value),
        }
    }
    Some(Part { body: PartBody::ToolResult(result), cache: None, extras })
}

/// One object alone is the result as JSON; among other content it is text.
fn read_result<'a>(content: Raw<'a>, result: &mut ToolResult<'a>) {
    let json = |block: Raw<'a>| block.members().find(|(key, _)| *key == b"json").map(|(_, value)| value);
    let mut blocks = content.elements();
    if let (Some(only), None) = (blocks.next().and_then(json), blocks.next())
        && only.is_object()
    {
        result.json = Some(only.into());
        return;
    }
    result.content = read_all(content);
    for part in &mut result.content {
        if let PartBody::Opaque(block) = &part.body
            && let Some(json) = block.raw().members().find(|(key, _)| *key == b"json").map(|(_, value)| value)
        {
            *part = Part::text(String::from_utf8_lossy(json.bytes).into_owned());
        }
    }
}

/// What a block of reasoning becomes.
enum Thought<'a> {
    /// It belongs to the part before it.
    Joined,
    Part(Option<Part<'a>>),
}

fn reasoning<'a>(block: Raw<'a>, before: Option<&mut Part<'a>>) -> Thought<'a> {
    let Some((kind, value)) = block.members().find(|(_, value)| !value.is_null()) else { return Thought::Part(None) };
    let mut reasoning = Reasoning::default();
    let mut extras = Extras::default();
    match kind {
        b"reasoningText" => {
            for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
                match key {
                    b"text" => reasoning.text = value.text().unwrap_or_default(),
                    b"signature" => {
                        reasoning.signature = value.text().map(|text| Signature::read(Dialect::BedrockConverse, text));
                    }
                    _ => extras.keep(key, value),
                }
            }
        }
        b"redactedContent" => {
            let Some(data) = value.text().map(redacted) else { return Thought::Part(None) };
            if let Some(Part { body: PartBody::Reasoning(thought), .. }) = before
                && data.origin != Dialect::BedrockConverse
                && thought.signature.is_none()
                && thought.encrypted.is_none()
            {
                thought.encrypted = Some(data);
                return Thought::Joined;
            }
            reasoning.encrypted = Some(data);
        }
        _ => return Thought::Part(None),
    }
    Thought::Part(Some(Part { body: PartBody::Reasoning(reasoning), cache: None, extras }))
}

/// Reads `redactedContent`. The field is a blob: what another dialect encrypted stands in it as base64 of its tagged
/// form.
pub(in super::super) fn redacted(blob: Text<'_>) -> Signature<'_> {
    let tagged = blob.starts_with("dGc6").then(|| STANDARD.decode(blob.as_bytes()).ok()).flatten();
    match tagged.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(tagged) => Signature::read(Dialect::BedrockConverse, Text::Owned(tagged)),
        None => Signature { origin: Dialect::BedrockConverse, value: blob },
    }
}

/// What a guardrail looks at is part of the prompt all the same; `None` for what is neither text nor an image.
fn guarded<'a>(block: Raw<'a>, guarded: Raw<'a>) -> Option<Part<'a>> {
    let (kind, value) = guarded.members().find(|(_, value)| !value.is_null())?;
    let mut part = match kind {
        b"text" => Part::text(value.get("text")?.text()?),
        b"image" => media::read(MediaKind::Image, value)?,
        _ => return None,
    };
    part.extras = Extras::default();
    part.extras.keep_as_written(block);
    Some(part)
}

/// A found text that the model may cite: for other dialects a document.
fn search_result<'a>(block: Raw<'a>, found: Raw<'a>) -> Part<'a> {
    let mut media = Media {
        kind: MediaKind::Document,
        source: MediaSource::PlainText(Text::default()),
        media_type: Some("text/plain".into()),
        name: None,
        context: None,
        detail: None,
        citations: None,
    };
    for (key, value) in found.members() {
        match key {
            b"title" => media.name = value.text(),
            b"content" => media.source = MediaSource::PlainText(joined(value)),
            b"citations" => media.citations = value.get("enabled").and_then(Raw::boolean),
            _ => {}
        }
    }
    let mut part = Part::from(PartBody::Media(Box::new(media)));
    part.extras.keep_as_written(block);
    part
}

/// Text with its sources; `None` if they are those of the text before.
fn cited<'a>(block: Raw<'a>, before: Option<&mut Part<'a>>) -> Option<Part<'a>> {
    let mut text = None;
    let mut found: Vec<Citation<'a>> = Vec::new();
    let mut extras = Extras::default();
    for (key, value) in block.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"content" => text = Some(joined(value)),
            b"citations" => found = value.elements().map(citation).collect(),
            _ => extras.keep(key, value),
        }
    }
    if text.is_none()
        && let Some(Part { body: PartBody::Text { citations, .. }, .. }) = before
    {
        citations.append(&mut found);
        return None;
    }
    let body = PartBody::Text { text: text.unwrap_or_default(), citations: found, signature: None };
    Some(Part { body, cache: None, extras })
}

/// The texts of an array of objects, one after the other.
fn joined(content: Raw<'_>) -> Text<'_> {
    let mut texts = content.elements().filter_map(|element| element.get("text").and_then(Raw::text));
    let mut text = texts.next().unwrap_or_default();
    texts.for_each(|more| text.to_mut().push_str(&more));
    text
}

/// Reads a citation.
pub(in super::super) fn citation(value: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation { native: Some(value.into()), ..Citation::default() };
    for (key, value) in value.members() {
        match key {
            b"title" => citation.title = value.text(),
            b"sourceContent" => citation.cited_text = Some(joined(value)),
            b"location" => citation.url = value.at(&["web", "url"]).and_then(Raw::text),
            _ => {}
        }
    }
    citation
}
