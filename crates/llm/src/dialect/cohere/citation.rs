//! Citations: a span of the answer, its words, and the sources that back it.
//!
//! Invariant: a citation read here is written back as it stood.

use crate::dialect::cited::CitedText;
use crate::json::{ObjectWriter, Raw, write_number, write_string};
use crate::model::Citation;

/// One citation.
pub(super) fn read(raw: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation { native: Some(raw.into()), ..Citation::default() };
    let (mut start, mut end) = (None, None);
    for (key, value) in raw.members() {
        match key {
            b"start" => start = value.count(),
            b"end" => end = value.count(),
            b"sources" => value.elements().take(1).for_each(|source| read_source(source, &mut citation)),
            _ => {}
        }
    }
    citation.span = start.zip(end);
    citation
}

/// A document, which is an object of strings, or a tool's output.
fn read_source<'a>(source: Raw<'a>, citation: &mut Citation<'a>) {
    for (key, value) in source.members() {
        match key {
            b"id" => citation.title = citation.title.take().or(value.text()),
            b"tool_output" => citation.cited_text = value.get("content").and_then(Raw::text),
            b"document" => {
                for (key, value) in value.members() {
                    match key {
                        b"title" => citation.title = value.text().or(citation.title.take()),
                        b"url" => citation.url = value.text(),
                        b"snippet" | b"text" | b"content" => citation.cited_text = value.text(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// Appends one citation of `text`, the answer it belongs to.
pub(super) fn write(citation: &Citation<'_>, text: &mut CitedText, out: &mut Vec<u8>) {
    if let Some(native) = citation.native.as_ref().filter(|native| native.raw().get("sources").is_some()) {
        return out.extend_from_slice(native.bytes());
    }
    let (start, end) = citation.span.filter(|_| text.get().is_some()).unwrap_or_default();
    let mut object = ObjectWriter::new(out);
    write_number(object.key("start"), start);
    write_number(object.key("end"), end);
    write_string(object.key("text"), text.quote(start, end));
    let mut sources = object.array("sources");
    let mut source = sources.object();
    source.string("type", "document");
    source.string("id", citation.url.as_deref().or(citation.title.as_deref()).unwrap_or("document"));
    let mut document = source.object("document");
    document.maybe_string("title", citation.title.as_deref());
    document.maybe_string("url", citation.url.as_deref());
    document.maybe_string("snippet", citation.cited_text.as_deref());
    drop(document);
    drop(source);
    drop(sources);
    object.string("type", "TEXT_CONTENT");
}
