//! Writes content blocks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialect::bedrock::media;
use crate::dialect::{Dialect, Origin};
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw};
use crate::model::{CacheControl, Citation, Part, Signature, ToolCall};

/// Appends a `cachePoint` block, if there is a mark.
pub(in super::super) fn write_cache_point(cache: Option<&CacheControl<'_>>, blocks: &mut ArrayWriter<'_>) {
    let Some(cache) = cache else { return };
    let mut block = blocks.object();
    let mut point = block.object("cachePoint");
    point.string("type", "default");
    point.maybe_string("ttl", cache.ttl.as_deref());
}

/// A block of thoughts. Without a signature, none is written: not all models sign.
pub(in super::super) fn write_thought(text: &str, signature: Option<&str>, blocks: &mut ArrayWriter<'_>) {
    let mut block = blocks.object();
    let mut content = block.object("reasoningContent");
    let mut thought = content.object("reasoningText");
    thought.string("text", text);
    thought.maybe_string("signature", signature);
}

/// The value of `redactedContent`, which is a blob: another dialect's signature becomes base64 of its tagged form.
pub(in super::super) fn write_redacted(data: &Signature<'_>, content: &mut ObjectWriter<'_>) {
    match data.native(Dialect::BedrockConverse) {
        Some(native) => content.string("redactedContent", native),
        None => {
            let tagged = STANDARD.encode(data.written(Dialect::BedrockConverse).as_bytes());
            content.string("redactedContent", &tagged);
        }
    }
}

/// The inside of `toolUse`. Arguments that are no object are written as an empty one: nothing else is accepted.
pub(in super::super) fn write_tool_use(call: &ToolCall<'_>, block: &mut ObjectWriter<'_>) {
    block.string("toolUseId", &call.id);
    block.string("name", &call.name);
    let arguments = Raw::checked(call.arguments.as_bytes()).filter(|value| value.kind == Kind::Object);
    block.raw("input", arguments.map_or(b"{}", |arguments| arguments.bytes));
}

/// A `citationsContent` block; without a text it belongs to the text before it.
pub(in super::super) fn write_with_citations(
    text: Option<&str>,
    citations: &[Citation<'_>],
    content: &mut ObjectWriter<'_>,
) {
    if let Some(text) = text {
        content.array("content").object().string("text", text);
    }
    let mut array = content.array("citations");
    citations.iter().for_each(|citation| write_citation(citation, array.element()));
}

/// A citation: as it was if it is this dialect's own.
pub(in super::super) fn write_citation(citation: &Citation<'_>, out: &mut Vec<u8>) {
    if let Some(native) = citation.native.as_ref().filter(|native| is_own(native.raw())) {
        return out.extend_from_slice(native.bytes());
    }
    let mut object = ObjectWriter::new(out);
    object.maybe_string("title", citation.title.as_deref());
    if let Some(text) = &citation.cited_text {
        object.array("sourceContent").object().string("text", text);
    }
    if let Some(url) = &citation.url {
        object.object("location").object("web").string("url", url);
    }
}

fn is_own(native: Raw<'_>) -> bool {
    native.members().any(|(key, _)| matches!(key, b"location" | b"sourceContent"))
}

/// Members that only this dialect knows.
pub(in super::super) fn write_extras(part: &Part<'_>, origin: Origin, block: &mut ObjectWriter<'_>) {
    if origin == Origin::Own {
        let beside = part.extras.iter().filter(|(name, _)| *name != media::BUCKET_OWNER);
        beside.for_each(|(name, value)| block.raw(name, value.bytes()));
    }
}
