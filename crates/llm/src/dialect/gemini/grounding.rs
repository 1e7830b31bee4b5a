//! Where an answer comes from: `groundingMetadata` and `citationMetadata`.
//!
//! Gemini lists sources once and points at them from segments of the text, which it measures in bytes of a part; the
//! model has a citation for each pointer, measured in characters of the answer. Invariant: an answer gives at most
//! [`MOST`] citations, so that a long list of pointers cannot multiply a long list of sources.

use std::collections::HashMap;

use crate::json::{ObjectWriter, Raw, write_number};
use crate::model::{Citation, Text};

/// More citations of one answer are not told.
pub(super) const MOST: usize = 1000;

/// More than this of the sources' own words is not repeated for further pointers to them.
const MOST_REPEATED_BYTES: usize = 1 << 20;

/// Segments that overlap repeat the text; more often than this they are told without their words.
const MOST_REPEATS: usize = 8;

/// A citation and which part of the answer it stands on.
#[derive(Debug, Default)]
pub(super) struct Pointer<'a> {
    pub part: usize,
    pub citation: Citation<'a>,
}

/// The citations of a candidate; `texts` are those of its parts, as far as they are visible.
pub(super) fn read<'a>(grounding: Option<Raw<'a>>, cited: Option<Raw<'a>>, texts: &[Option<&str>]) -> Vec<Pointer<'a>> {
    let mut pointers = Vec::new();
    if let Some(grounding) = grounding {
        read_grounding(grounding, &mut pointers);
    }
    for source in cited.into_iter().flat_map(Raw::members).filter(|(key, _)| is_citation_list(key)) {
        pointers.extend(source.1.elements().take(MOST).map(|source| Pointer { part: 0, citation: read_cited(source) }));
    }
    pointers.truncate(MOST);
    place(&mut pointers, texts);
    pointers
}

/// Turns bytes of parts into characters of the answer.
fn place(pointers: &mut [Pointer<'_>], texts: &[Option<&str>]) {
    let last = texts.iter().rposition(Option::is_some).unwrap_or_default();
    // Who points at a thought, or at the first part as is usual, means the text behind it.
    let mut stands_on = vec![last; texts.len()];
    for at in (0..last).rev() {
        stands_on[at] = if texts[at].is_some() { at } else { stands_on[at + 1] };
    }
    let mut offsets: Vec<Vec<&mut u64>> = texts.iter().map(|_| Vec::new()).collect();
    for Pointer { part, citation } in &mut *pointers {
        *part = stands_on.get(*part).copied().unwrap_or(last);
        if let (Some((start, end)), Some(offsets)) = (&mut citation.span, offsets.get_mut(*part)) {
            offsets.extend([start, end]);
        }
    }
    let mut before = 0;
    for (text, mut offsets) in texts.iter().zip(offsets) {
        let text = text.unwrap_or_default();
        convert(&mut offsets, text, Unit::Bytes);
        offsets.into_iter().for_each(|offset| *offset += before);
        before += text.chars().count() as u64;
    }
}

/// The Gemini API and Vertex name the list differently.
fn is_citation_list(key: &[u8]) -> bool {
    matches!(key, b"citationSources" | b"citations")
}

fn read_cited(source: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation::default();
    let (mut start, mut end) = (0, None);
    for (key, value) in source.members() {
        match key {
            b"uri" => citation.url = value.text(),
            b"title" => citation.title = value.text(),
            b"startIndex" => start = value.count().unwrap_or_default(),
            b"endIndex" => end = value.count(),
            _ => {}
        }
    }
    citation.span = end.map(|end| (start, end));
    citation
}

fn read_grounding<'a>(grounding: Raw<'a>, pointers: &mut Vec<Pointer<'a>>) {
    let (mut chunks, mut supports) = (Vec::new(), None);
    for (key, value) in grounding.members() {
        match key {
            b"groundingChunks" => chunks = value.elements().map(read_chunk).collect(),
            b"groundingSupports" => supports = Some(value),
            _ => {}
        }
    }
    let mut is_used = vec![false; chunks.len()];
    let mut repeated = 0;
    for support in supports.into_iter().flat_map(Raw::elements) {
        let (mut part, mut span, mut indices) = (0, None, None);
        for (key, value) in support.members() {
            match key {
                b"segment" => (part, span) = read_segment(value),
                b"groundingChunkIndices" => indices = Some(value),
                _ => {}
            }
        }
        for index in indices.into_iter().flat_map(Raw::elements) {
            let index = index.count().and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX);
            let Some(chunk) = chunks.get(index).filter(|_| pointers.len() < MOST) else { continue };
            let words = chunk.cited_text.as_ref().map_or(0, |words| words.len());
            let is_repeated = std::mem::replace(&mut is_used[index], true);
            repeated += if is_repeated { words } else { 0 };
            let tells_words = !is_repeated || repeated <= MOST_REPEATED_BYTES;
            let cited_text = chunk.cited_text.as_ref().filter(|_| tells_words).cloned();
            let (url, title) = (chunk.url.clone(), chunk.title.clone());
            pointers.push(Pointer { part, citation: Citation { url, title, cited_text, span, native: None } });
        }
    }
    let unused = chunks.into_iter().zip(is_used).filter(|(_, is_used)| !is_used).map(|(chunk, _)| chunk);
    pointers.extend(unused.take(MOST).map(|citation| Pointer { part: 0, citation }));
}

/// A source: a page, a retrieved document, a place.
fn read_chunk(chunk: Raw<'_>) -> Citation<'_> {
    let mut citation = Citation::default();
    for (key, value) in chunk.members().flat_map(|(_, source)| source.members()) {
        match key {
            b"uri" => citation.url = value.text(),
            b"title" => citation.title = value.text(),
            b"text" => citation.cited_text = value.text(),
            _ => {}
        }
    }
    citation
}

/// The part that a segment is of, and where in it.
fn read_segment(segment: Raw<'_>) -> (usize, Option<(u64, u64)>) {
    let (mut part, mut start, mut end) = (0, 0, None);
    for (key, value) in segment.members() {
        match key {
            b"startIndex" => start = value.count().unwrap_or_default(),
            b"endIndex" => end = value.count(),
            b"partIndex" => part = value.count().and_then(|part| usize::try_from(part).ok()).unwrap_or_default(),
            _ => {}
        }
    }
    (part, end.map(|end| (start, end)))
}

/// In what offsets are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Characters,
}

/// Turns offsets into `text` from one unit into the other, in one walk. An offset within a character counts as its
/// beginning, one behind the text as its end.
fn convert(offsets: &mut [&mut u64], text: &str, from: Unit) {
    if text.is_ascii() {
        offsets.iter_mut().for_each(|offset| **offset = (**offset).min(text.len() as u64));
        return;
    }
    offsets.sort_unstable();
    let mut known = (0, 0);
    let mut next = text.char_indices().enumerate().map(|(characters, (bytes, _))| (bytes as u64, characters as u64));
    let mut ahead = next.next();
    let end = (text.len() as u64, text.chars().count() as u64);
    for offset in offsets {
        let has_passed = |(bytes, characters)| match from {
            Unit::Bytes => bytes > **offset,
            Unit::Characters => characters > **offset,
        };
        while let Some(position) = ahead.filter(|position| !has_passed(*position)) {
            known = position;
            ahead = next.next();
        }
        let reached = if ahead.is_none() && !has_passed(end) { end } else { known };
        **offset = match from {
            Unit::Bytes => reached.1,
            Unit::Characters => reached.0,
        };
    }
}

/// A citation and the text that it stands on.
pub(super) struct Grounded<'c, 't> {
    pub citation: &'c Citation<'c>,
    pub text: &'t str,
    /// Characters of the answer before the text.
    pub before: u64,
    /// Which part of the answer the text is.
    pub part: u64,
}

/// Writes `groundingMetadata`, if there are citations.
pub(super) fn write(candidate: &mut ObjectWriter<'_>, cited: &[Grounded<'_, '_>]) {
    if cited.is_empty() {
        return;
    }
    let mut sources: Vec<&Citation<'_>> = Vec::new();
    let mut known: HashMap<[Option<&str>; 3], u64> = HashMap::new();
    let mut supports = Vec::new();
    for Grounded { citation, text, before, part } in cited.iter().take(MOST) {
        let identity = [&citation.url, &citation.title, &citation.cited_text].map(Option::as_deref);
        let index = *known.entry(identity).or_insert_with(|| {
            sources.push(citation);
            sources.len() as u64 - 1
        });
        if let Some((start, end)) = citation.span {
            let (start, end) = (start.saturating_sub(*before), end.saturating_sub(*before));
            supports.push(Support { source: index, part: *part, text, start, end });
        }
    }
    for group in supports.chunk_by_mut(|one, next| one.part == next.part) {
        let text = group[0].text;
        let offsets = group.iter_mut().flat_map(|support| [&mut support.start, &mut support.end]);
        convert(&mut offsets.collect::<Vec<_>>(), text, Unit::Characters);
    }
    let mut metadata = candidate.object("groundingMetadata");
    let mut chunks = metadata.array("groundingChunks");
    sources.into_iter().for_each(|source| write_chunk(&mut chunks.object(), source));
    drop(chunks);
    let mut written = metadata.array("groundingSupports");
    for group in supports.chunk_by(|one, next| one.part == next.part) {
        let mut words_left = MOST_REPEATS * group[0].text.len();
        group.iter().for_each(|support| support.write(&mut words_left, &mut written.object()));
    }
}

/// A pointer from the text to a source.
struct Support<'t> {
    source: u64,
    part: u64,
    text: &'t str,
    start: u64,
    end: u64,
}

impl Support<'_> {
    /// Writes the pointer, with its words if there are so many bytes of them left.
    fn write(&self, words_left: &mut usize, support: &mut ObjectWriter<'_>) {
        let mut segment = support.object("segment");
        if self.part > 0 {
            segment.number("partIndex", self.part);
        }
        segment.number("startIndex", self.start);
        segment.number("endIndex", self.end);
        let range = usize::try_from(self.start).ok().zip(usize::try_from(self.end).ok());
        let words = range.and_then(|(start, end)| self.text.get(start..end));
        if let Some(words) = words.filter(|words| words.len() <= *words_left) {
            *words_left -= words.len();
            segment.string("text", words);
        }
        drop(segment);
        write_number(support.array("groundingChunkIndices").element(), self.source);
    }
}

fn write_chunk(chunk: &mut ObjectWriter<'_>, source: &Citation<'_>) {
    let kind = if source.cited_text.is_some() { "retrievedContext" } else { "web" };
    let mut written = chunk.object(kind);
    let texts: [(&str, &Option<Text<'_>>); 3] =
        [("uri", &source.url), ("title", &source.title), ("text", &source.cited_text)];
    for (key, text) in texts {
        written.maybe_string(key, text.as_deref());
    }
}
