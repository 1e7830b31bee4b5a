//! The content of messages and results: text with its annotations, refusals, media.

use super::media;
use crate::dialect::Dialect;
use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{Citation, Extras, Feature, Json, Losses, MediaKind, Part, PartBody, Text};

/// Reads one content part; `logprobs` takes in what it tells of its tokens. `None` if the part is of a kind that the
/// model does not know.
pub(super) fn read<'a>(raw: Raw<'a>, logprobs: &mut Logprobs) -> Option<Part<'a>> {
    let kind = raw.first("type").and_then(Raw::quoted).unwrap_or(b"input_text");
    let mut extras = Extras::default();
    let body = match kind {
        b"input_image" => PartBody::Media(Box::new(media::read(MediaKind::Image, raw, &mut extras)?)),
        b"input_file" => PartBody::Media(Box::new(media::read(MediaKind::Document, raw, &mut extras)?)),
        b"input_audio" => PartBody::Media(Box::new(media::read(MediaKind::Audio, raw, &mut extras)?)),
        b"refusal" => PartBody::Refusal(raw.first("refusal")?.text()?),
        b"input_text" | b"output_text" | b"text" | b"summary_text" => return read_text(raw, logprobs),
        _ => return None,
    };
    Some(Part { body, cache: None, extras })
}

fn read_text<'a>(raw: Raw<'a>, logprobs: &mut Logprobs) -> Option<Part<'a>> {
    let mut text = None;
    let mut citations = Vec::new();
    let mut extras = Extras::default();
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"text" => text = value.text(),
            b"annotations" => citations = value.elements().map(read_annotation).collect(),
            b"logprobs" => logprobs.add(value),
            _ => extras.keep(key, value),
        }
    }
    let body = PartBody::Text { text: text?, citations, signature: None };
    Some(Part { body, cache: None, extras })
}

/// Reads one annotation.
pub(super) fn read_annotation(annotation: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation { native: Some(annotation.into()), ..Citation::default() };
    let (mut start, mut end) = (None, None);
    for (key, value) in annotation.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"url" => citation.url = value.text(),
            b"title" | b"filename" => citation.title = value.text(),
            b"start_index" => start = value.count(),
            b"end_index" => end = value.count(),
            _ => {}
        }
    }
    citation.span = start.zip(end);
    citation
}

/// Writes one annotation of a part that begins at the character `start`: as it was told, if this dialect told it; else
/// a source with an address as `url_citation` and any other as `file_citation`.
pub(super) fn write_annotation(out: &mut Vec<u8>, citation: &Citation<'_>, start: u64) {
    if let Some(native) = citation.native.as_ref().filter(|native| is_annotation(native)) {
        out.extend_from_slice(native.bytes());
        return;
    }
    let span = citation.span.unwrap_or_default();
    let (start, end) = (span.0.saturating_sub(start), span.1.saturating_sub(start));
    let mut annotation = ObjectWriter::new(out);
    match &citation.url {
        Some(url) => {
            annotation.string("type", "url_citation");
            annotation.string("url", url);
            annotation.string("title", citation.title.as_deref().unwrap_or_default());
            annotation.number("start_index", start);
            annotation.number("end_index", end);
        }
        None => {
            annotation.string("type", "file_citation");
            annotation.string("file_id", "");
            annotation.string("filename", citation.title.as_deref().unwrap_or_default());
            annotation.number("index", end);
        }
    }
}

/// OpenAI Chat nests its `url_citation`; here it is flat.
fn is_annotation(native: &Json<'_>) -> bool {
    let raw = native.raw();
    match raw.first("type").and_then(Raw::quoted) {
        Some(b"url_citation") => raw.first("url").is_some(),
        Some(b"file_citation") => raw.first("index").is_some(),
        Some(b"container_file_citation" | b"file_path") => true,
        _ => false,
    }
}

/// What the tokens of an answer were worth, collected over its parts.
#[derive(Debug, Default)]
pub(super) struct Logprobs(Vec<u8>);

impl Logprobs {
    /// Takes in the elements of `logprobs`, an array.
    pub(super) fn add(&mut self, logprobs: Raw<'_>) {
        for token in logprobs.elements() {
            self.0.push(if self.0.is_empty() { b'[' } else { b',' });
            self.0.extend_from_slice(token.bytes);
        }
    }

    /// The array.
    pub(super) fn array(&self) -> Vec<u8> {
        match self.0.is_empty() {
            true => b"[]".to_vec(),
            false => [self.0.as_slice(), b"]"].concat(),
        }
    }

    /// OpenAI Chat's object, as the model keeps it.
    pub(super) fn into_object(self) -> Option<Json<'static>> {
        let object = || Json::owned([b"{\"content\":".as_slice(), &self.0, b"]}"].concat());
        (!self.0.is_empty()).then(object)
    }
}

/// The array of the model's `logprobs` object.
pub(super) fn logprobs_array<'j>(logprobs: &'j Json<'_>) -> Option<Raw<'j>> {
    logprobs.raw().first("content").filter(|content| content.elements().next().is_some())
}

/// Text that the model has said, with all that OpenAI's SDKs require of it.
pub(super) struct OutputText<'t> {
    pub text: &'t str,
    /// A JSON array.
    pub annotations: &'t [u8],
    /// A JSON array, if the answer tells any.
    pub logprobs: Option<&'t [u8]>,
}

impl OutputText<'_> {
    /// Writes the part's members.
    pub(super) fn write(&self, part: &mut ObjectWriter<'_>) {
        part.string("type", "output_text");
        part.raw("annotations", self.annotations);
        part.raw("logprobs", self.logprobs.unwrap_or(b"[]"));
        part.string("text", self.text);
    }
}

/// The array of `citations` of a part that begins at the character `start`.
pub(super) fn annotations(citations: &[Citation<'_>], start: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut array = ArrayWriter::new(&mut out);
    for citation in citations {
        write_annotation(array.element(), citation, start);
    }
    drop(array);
    out
}

/// Writes a refusal's members.
pub(super) fn write_refusal(part: &mut ObjectWriter<'_>, refusal: &str) {
    part.string("type", "refusal");
    part.string("refusal", refusal);
}

/// Writes what a client or a tool says as an array of `input_*` parts; nothing if no part can be written.
pub(super) fn write_input(out: &mut Vec<u8>, parts: &[Part<'_>], source: Dialect, losses: &mut Losses) {
    let before = out.len();
    let mut array = ArrayWriter::new(out);
    for part in parts {
        if part.cache.is_some() {
            losses.lose(Feature::CacheControl);
        }
        write_input_part(&mut array, part, source, losses);
    }
    let is_empty = array.is_empty();
    drop(array);
    if is_empty {
        out.truncate(before);
    }
}

fn write_input_part(array: &mut ArrayWriter<'_>, part: &Part<'_>, source: Dialect, losses: &mut Losses) {
    let own = source == Dialect::OpenAiResponses;
    match &part.body {
        PartBody::Text { text, .. } => write_input_text(array, text, part, own),
        PartBody::Refusal(text) => {
            losses.lose(Feature::Refusal);
            write_input_text(array, text, part, own);
        }
        PartBody::Media(media) => match media::missing_words(media, source) {
            Some(feature) => losses.lose(feature),
            None => {
                let mut object = array.object();
                media::write(&mut object, media, source, losses);
                if own {
                    write_extras(&mut object, &part.extras);
                }
            }
        },
        PartBody::Opaque(json) if own => array.raw(json.bytes()),
        PartBody::Opaque(_) => losses.lose(Feature::ServerTools),
        // Not content: whoever writes the turn has taken these out.
        PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Reasoning(_) => {}
    }
}

fn write_input_text(array: &mut ArrayWriter<'_>, text: &str, part: &Part<'_>, own: bool) {
    let mut object = array.object();
    object.string("type", "input_text");
    object.string("text", text);
    if own {
        write_extras(&mut object, &part.extras);
    }
}

pub(super) fn write_extras(object: &mut ObjectWriter<'_>, extras: &Extras<'_>) {
    extras.iter().for_each(|(name, value)| object.raw(name, value.bytes()));
}

/// The text of parts that are nothing but text.
pub(super) fn plain_text<'p>(parts: &'p [Part<'_>]) -> Option<Vec<&'p str>> {
    let text = |part: &'p Part<'_>| match &part.body {
        PartBody::Text { text, .. } if part.extras.is_empty() && part.cache.is_none() => Some(text.as_ref()),
        _ => None,
    };
    parts.iter().map(text).collect()
}

/// A whole string as one part.
pub(super) fn one_text(text: Text<'_>) -> Vec<Part<'_>> {
    vec![Part::text(text)]
}
