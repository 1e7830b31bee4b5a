//! Citations: `annotations` of type `url_citation`, or a list of sources.
//!
//! Invariant: an annotation read here is written back as it stood.

use super::message::told;
use crate::json::{ObjectWriter, Raw, write_number, write_string};
use crate::model::Citation;

/// One annotation; `None` if it is no citation of a URL.
pub(super) fn read(annotation: Raw<'_>) -> Option<Citation<'_>> {
    let mut citation = Citation { native: Some(annotation.into()), ..Citation::default() };
    let (mut start, mut end) = (None, None);
    for (key, value) in annotation.get("url_citation")?.members() {
        match key {
            b"url" => citation.url = told(value),
            b"title" => citation.title = told(value),
            // OpenRouter's addition.
            b"content" => citation.cited_text = told(value),
            b"start_index" => start = value.count(),
            b"end_index" => end = value.count(),
            _ => {}
        }
    }
    citation.span = start.zip(end);
    Some(citation)
}

/// The sources of a whole answer, which Perplexity and xAI list as URLs beside the choices.
pub(super) fn read_sources<'a>(sources: Raw<'a>) -> impl Iterator<Item = Citation<'a>> {
    sources.elements().filter_map(told).map(|url| Citation { url: Some(url), ..Citation::default() })
}

/// Appends one annotation.
pub(super) fn write(citation: &Citation<'_>, out: &mut Vec<u8>) {
    if let Some(native) = citation.native.as_ref().filter(|native| is_own(native.raw())) {
        return out.extend_from_slice(native.bytes());
    }
    let mut annotation = ObjectWriter::new(out);
    annotation.string("type", "url_citation");
    let mut body = annotation.object("url_citation");
    // SDKs want all four.
    let (start, end) = citation.span.unwrap_or_default();
    write_number(body.key("start_index"), start);
    write_number(body.key("end_index"), end);
    write_string(body.key("url"), citation.url.as_deref().unwrap_or_default());
    write_string(body.key("title"), citation.title.as_deref().unwrap_or_default());
    body.maybe_string("content", citation.cited_text.as_deref());
}

fn is_own(native: Raw<'_>) -> bool {
    native.get("url_citation").is_some_and(Raw::is_object)
}
