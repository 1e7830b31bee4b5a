//! Writes content blocks.

use crate::dialect::Origin;
use crate::json::{Kind, ObjectWriter, Raw};
use crate::model::{CacheControl, Citation, Extras, Part, Text, ToolCall};

/// A `text` block, but for what follows its text.
pub(in super::super) fn write_text<'o>(out: &'o mut Vec<u8>, text: &str) -> ObjectWriter<'o> {
    let mut block = ObjectWriter::new(out);
    block.string("type", "text");
    block.string("text", text);
    block
}

/// A `thinking` block; an empty `signature` stands for none, for SDKs want the field.
pub(in super::super) fn write_thinking<'o>(out: &'o mut Vec<u8>, text: &str, signature: &str) -> ObjectWriter<'o> {
    let mut block = ObjectWriter::new(out);
    block.string("type", "thinking");
    block.string("thinking", text);
    block.string("signature", signature);
    block
}

/// A `redacted_thinking` block.
pub(in super::super) fn write_redacted<'o>(out: &'o mut Vec<u8>, data: &str) -> ObjectWriter<'o> {
    let mut block = ObjectWriter::new(out);
    block.string("type", "redacted_thinking");
    block.string("data", data);
    block
}

/// A `tool_use` block. Arguments that are no object are written as an empty one: nothing else is accepted.
pub(in super::super) fn write_tool_use<'o>(out: &'o mut Vec<u8>, call: &ToolCall<'_>) -> ObjectWriter<'o> {
    let mut block = ObjectWriter::new(out);
    block.string("type", "tool_use");
    block.string("id", &call.id);
    block.string("name", &call.name);
    let arguments = Raw::checked(call.arguments.as_bytes()).filter(|value| value.kind == Kind::Object);
    block.raw("input", arguments.map_or(b"{}", |arguments| arguments.bytes));
    block
}

/// `cache_control`, if there is a mark.
pub(in super::super) fn write_cache(block: &mut ObjectWriter<'_>, cache: Option<&CacheControl<'_>>) {
    let Some(cache) = cache else { return };
    let mut control = block.object("cache_control");
    control.string("type", "ephemeral");
    control.maybe_string("ttl", cache.ttl.as_deref());
}

/// What every block may have: the cache mark, and members that only this dialect knows.
pub(in super::super) fn write_extras(block: &mut ObjectWriter<'_>, part: &Part<'_>, origin: Origin) {
    write_cache(block, part.cache.as_ref());
    write_members(block, &part.extras, origin);
}

fn write_members(block: &mut ObjectWriter<'_>, extras: &Extras<'_>, origin: Origin) {
    if origin == Origin::Own {
        extras.iter().for_each(|(name, value)| block.raw(name, value.bytes()));
    }
}

/// A citation: as it was if it is this dialect's own, else as one of a web page or, without
/// an address, of a found text.
pub(in super::super) fn write_citation(out: &mut Vec<u8>, citation: &Citation<'_>) {
    if let Some(native) = citation.native.as_ref().filter(|native| is_own(native.raw())) {
        return out.extend_from_slice(native.bytes());
    }
    let text = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
    let mut object = ObjectWriter::new(out);
    match &citation.url {
        Some(url) => {
            object.string("type", "web_search_result_location");
            object.string("url", url);
            object.string("title", &text(&citation.title));
            object.string("cited_text", &text(&citation.cited_text));
            object.string("encrypted_index", "");
        }
        None => {
            object.string("type", "search_result_location");
            object.string("source", &text(&citation.title));
            object.string("title", &text(&citation.title));
            object.string("cited_text", &text(&citation.cited_text));
            for index in ["search_result_index", "start_block_index", "end_block_index"] {
                object.number(index, 0);
            }
        }
    }
}

/// All of Anthropic's citations are called after the place they name.
fn is_own(native: Raw<'_>) -> bool {
    native.first("type").and_then(Raw::text).is_some_and(|kind| kind.ends_with("_location"))
}
