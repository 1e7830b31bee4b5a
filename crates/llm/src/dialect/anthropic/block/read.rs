//! Reads content blocks.

use crate::dialect::{Dialect, media_type};
use crate::json::{Kind, Raw};
use crate::model::{
    CacheControl, Citation, Extras, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Signature, Text,
    ToolCall, ToolResult,
};

/// Reads a block; `None` for what is no block at all.
fn read(block: Raw<'_>) -> Option<Part<'_>> {
    let kind = block.object()?.first("type")?.text()?;
    let part = match kind.as_ref() {
        "text" => text(block),
        "image" => media(block, MediaKind::Image),
        "document" => media(block, MediaKind::Document),
        "search_result" => Some(search_result(block)),
        "tool_use" => Some(tool_use(block)),
        "tool_result" => Some(tool_result(block)),
        "thinking" => Some(thinking(block)),
        "redacted_thinking" => Some(redacted_thinking(block)),
        _ => None,
    };
    Some(part.unwrap_or_else(|| PartBody::Opaque(block.into()).into()))
}

/// Reads content: a string, or an array of blocks. `None` for anything else.
pub(in super::super) fn read_all(content: Raw<'_>) -> Option<Vec<Part<'_>>> {
    match content.kind {
        Kind::String => Some(vec![Part::text(content.text()?)]),
        Kind::Array => Some(content.elements().filter_map(read).collect()),
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => None,
    }
}

/// Reads `cache_control`.
pub(in super::super) fn cache_control(value: Raw<'_>) -> CacheControl<'_> {
    CacheControl { ttl: value.first("ttl").and_then(Raw::text) }
}

/// Reads a citation of any kind.
pub(in super::super) fn citation(value: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation { native: Some(value.into()), ..Citation::default() };
    for (key, value) in value.members() {
        match key {
            b"url" | b"source" => citation.url = value.text(),
            b"title" | b"document_title" => citation.title = value.text(),
            b"cited_text" => citation.cited_text = value.text(),
            _ => {}
        }
    }
    citation
}

/// Walks a block's members. `known` takes those its kind has words for and tells whether it did; the others are kept.
fn walk<'a>(
    block: Raw<'a>,
    mut known: impl FnMut(&'a [u8], Raw<'a>) -> bool,
) -> (Option<CacheControl<'a>>, Extras<'a>) {
    let (mut cache, mut extras) = (None, Extras::default());
    for (key, value) in block.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"cache_control" => cache = Some(cache_control(value)),
            _ if known(key, value) => {}
            _ => extras.keep(key, value),
        }
    }
    (cache, extras)
}

/// `None` if the block has no text.
fn text(block: Raw<'_>) -> Option<Part<'_>> {
    let (mut text, mut citations) = (None, Vec::new());
    let (cache, extras) = walk(block, |key, value| {
        match key {
            b"text" => text = value.text(),
            b"citations" => citations = value.elements().map(citation).collect(),
            _ => return false,
        }
        true
    });
    Some(Part { body: PartBody::Text { text: text?, citations, signature: None }, cache, extras })
}

/// `None` if the source is of a kind that only this dialect knows.
fn media(block: Raw<'_>, kind: MediaKind) -> Option<Part<'_>> {
    let mut source = None;
    let mut media = Media {
        kind,
        source: MediaSource::PlainText(Text::default()),
        media_type: None,
        name: None,
        context: None,
        detail: None,
        citations: None,
    };
    let (cache, mut extras) = walk(block, |key, value| {
        match key {
            b"source" => source = Some(value),
            b"title" => media.name = value.text(),
            b"context" => media.context = value.text(),
            b"citations" => media.citations = value.first("enabled").and_then(Raw::boolean),
            _ => return false,
        }
        true
    });
    let source = source?;
    let found = read_source(source)?;
    media.source = found.source;
    media.media_type = found.media_type;
    if found.is_content {
        // The blocks' borders matter to citations.
        extras.keep_as_written(block);
    }
    Some(Part { body: PartBody::Media(Box::new(media)), cache, extras })
}

struct Source<'a> {
    source: MediaSource<'a>,
    media_type: Option<Text<'a>>,
    /// It was given as content blocks of its own.
    is_content: bool,
}

fn read_source(source: Raw<'_>) -> Option<Source<'_>> {
    let (mut kind, mut media_type, mut value, mut content) = (None, None, None, None);
    for (key, member) in source.members() {
        match key {
            b"type" => kind = member.text(),
            b"media_type" => media_type = member.text().and_then(media_type::read),
            b"data" | b"url" | b"file_id" => value = member.text(),
            b"content" => content = Some(member),
            _ => {}
        }
    }
    let source = match kind?.as_ref() {
        "base64" => MediaSource::Base64(value?),
        "url" => MediaSource::Url(value?),
        "file" => MediaSource::File(value?),
        "text" => MediaSource::PlainText(value?),
        "content" => {
            let text = plain_text(&read_all(content?)?)?;
            return Some(Source { source: MediaSource::PlainText(text.into()), media_type, is_content: true });
        }
        _ => return None,
    };
    Some(Source { source, media_type, is_content: false })
}

/// The parts' text, if they are nothing else.
fn plain_text(parts: &[Part<'_>]) -> Option<String> {
    let mut joined = String::new();
    for part in parts {
        let PartBody::Text { text, .. } = &part.body else { return None };
        joined.push_str(text);
    }
    Some(joined)
}

/// A found text that the model may cite: for other dialects a document, for this one the block as it was.
fn search_result(block: Raw<'_>) -> Part<'_> {
    let (mut title, mut citations, mut text) = (None, None, String::new());
    let (cache, _) = walk(block, |key, value| {
        match key {
            b"title" => title = value.text(),
            b"citations" => citations = value.first("enabled").and_then(Raw::boolean),
            b"content" => text = read_all(value).and_then(|parts| plain_text(&parts)).unwrap_or_default(),
            _ => return false,
        }
        true
    });
    let mut extras = Extras::default();
    extras.keep_as_written(block);
    let media = Media {
        kind: MediaKind::Document,
        source: MediaSource::PlainText(text.into()),
        media_type: Some("text/plain".into()),
        name: title,
        context: None,
        detail: None,
        citations,
    };
    Part { body: PartBody::Media(Box::new(media)), cache, extras }
}

fn tool_use(block: Raw<'_>) -> Part<'_> {
    let mut call = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    let (cache, extras) = walk(block, |key, value| {
        match key {
            b"id" => call.id = value.text().unwrap_or_default(),
            b"name" => call.name = value.text().unwrap_or_default(),
            b"input" => call.arguments = String::from_utf8_lossy(value.bytes),
            _ => return false,
        }
        true
    });
    Part { body: PartBody::ToolCall(call), cache, extras }
}

fn tool_result(block: Raw<'_>) -> Part<'_> {
    let mut result =
        ToolResult { call_id: Text::default(), name: None, content: Vec::new(), json: None, is_error: false };
    let (cache, extras) = walk(block, |key, value| {
        match key {
            b"tool_use_id" => result.call_id = value.text().unwrap_or_default(),
            b"content" => result.content = read_all(value).unwrap_or_default(),
            b"is_error" => result.is_error = value.is_true(),
            _ => return false,
        }
        true
    });
    Part { body: PartBody::ToolResult(result), cache, extras }
}

fn thinking(block: Raw<'_>) -> Part<'_> {
    let mut reasoning = Reasoning::default();
    let (cache, extras) = walk(block, |key, value| {
        match key {
            b"thinking" => reasoning.text = value.text().unwrap_or_default(),
            b"signature" => reasoning.signature = signature(value),
            _ => return false,
        }
        true
    });
    Part { body: PartBody::Reasoning(reasoning), cache, extras }
}

fn redacted_thinking(block: Raw<'_>) -> Part<'_> {
    let mut reasoning = Reasoning::default();
    let (cache, extras) = walk(block, |key, value| {
        match key {
            b"data" => reasoning.encrypted = signature(value),
            _ => return false,
        }
        true
    });
    Part { body: PartBody::Reasoning(reasoning), cache, extras }
}

/// An empty text proves nothing.
fn signature(value: Raw<'_>) -> Option<Signature<'_>> {
    value.text().filter(|text| !text.is_empty()).map(|text| Signature::read(Dialect::Anthropic, text))
}
