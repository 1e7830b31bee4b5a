//! Media as Chat names them: data URIs, plain URLs, base64 beside a format, identifiers of files.
//!
//! Invariant: nothing is decoded; a medium is known by what its media type or its place says.

use std::borrow::Cow;

use crate::dialect::data_uri;
use crate::json::{Kind, Raw};
use crate::model::{Media, MediaKind, MediaSource, Text};

/// A medium of `kind` whose source is a URL or a data URI.
pub(super) fn from_url(kind: MediaKind, url: Text<'_>) -> Media<'_> {
    let (source, media_type) = data_uri::read(url);
    let kind = media_type.as_deref().map_or(kind, |media_type| kind_of(media_type, kind));
    Media { kind, source, media_type, name: None, context: None, detail: None, citations: None }
}

/// What a media type says a medium is; `otherwise` if it says nothing.
fn kind_of(media_type: &str, otherwise: MediaKind) -> MediaKind {
    match media_type.split_once('/') {
        Some(("image", _)) => MediaKind::Image,
        Some(("audio", _)) => MediaKind::Audio,
        Some(("video", _)) => MediaKind::Video,
        Some(("application" | "text", _)) => MediaKind::Document,
        _ => otherwise,
    }
}

/// `image_url`: an object, or at Mistral a string.
pub(super) fn read_image(value: Raw<'_>) -> Option<Media<'_>> {
    if value.kind == Kind::String {
        return Some(from_url(MediaKind::Image, value.text()?));
    }
    let (mut url, mut detail) = (None, None);
    for (key, value) in value.members() {
        match key {
            b"url" => url = value.text(),
            b"detail" => detail = value.text(),
            _ => {}
        }
    }
    Some(Media { detail, ..from_url(MediaKind::Image, url?) })
}

/// `video_url`, `document_url`: a string, or an object with a `url`.
pub(super) fn read_url(kind: MediaKind, value: Raw<'_>) -> Option<Media<'_>> {
    let url = if value.is_object() { value.get("url")?.text() } else { value.text() };
    Some(from_url(kind, url?))
}

/// `input_audio`: base64 beside a format, or at Mistral a string that is base64 or a URL.
pub(super) fn read_audio(value: Raw<'_>) -> Option<Media<'_>> {
    if value.kind == Kind::String {
        let text = value.text()?;
        let mut media = from_url(MediaKind::Audio, text);
        if let MediaSource::Url(text) = media.source {
            let is_url = text.starts_with("http://") || text.starts_with("https://");
            media.source = if is_url { MediaSource::Url(text) } else { MediaSource::Base64(text) };
        }
        return Some(media);
    }
    let (mut data, mut format) = (None, None);
    for (key, value) in value.members() {
        match key {
            b"data" => data = value.text(),
            b"format" => format = value.text(),
            _ => {}
        }
    }
    let media_type = format.map(|format| match format.as_ref() {
        "mp3" => Cow::Borrowed("audio/mpeg"),
        format => Cow::Owned(format!("audio/{format}")),
    });
    Some(Media { media_type, source: MediaSource::Base64(data?), ..from_url(MediaKind::Audio, Text::default()) })
}

/// The word by which `input_audio` knows a media type; `wav` if nothing is told.
pub(super) fn audio_format(media_type: Option<&str>) -> &str {
    match media_type.map(|media_type| media_type.strip_prefix("audio/").unwrap_or(media_type)) {
        None | Some("x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mpeg" | "mpeg3" | "x-mpeg") => "mp3",
        Some(other) => other,
    }
}

/// `file`: bytes with a name, or the identifier of a file that was sent before.
pub(super) fn read_file(value: Raw<'_>) -> Option<Media<'_>> {
    let (mut data, mut id, mut name) = (None, None, None);
    for (key, value) in value.members() {
        match key {
            b"file_data" => data = value.text(),
            b"file_id" => id = value.text(),
            b"filename" => name = value.text(),
            _ => {}
        }
    }
    let media = match (data, id) {
        (Some(data), _) => from_file_data(data),
        (None, Some(id)) => Media { source: MediaSource::File(id), ..from_url(MediaKind::Document, Text::default()) },
        (None, None) => return None,
    };
    Some(Media { name, ..media })
}

/// OpenAI wants a data URI; OpenRouter also takes URLs, some clients send bare base64.
fn from_file_data(data: Text<'_>) -> Media<'_> {
    let mut media = from_url(MediaKind::Document, data);
    if let MediaSource::Url(text) = media.source {
        media.source = if text.contains("://") { MediaSource::Url(text) } else { MediaSource::Base64(text) };
    }
    media
}

/// The file name that stands for a document without one: providers look at its ending.
pub(super) fn file_name(media_type: &str) -> &'static str {
    match media_type {
        "text/plain" => "document.txt",
        "text/markdown" => "document.md",
        "text/csv" => "document.csv",
        "text/html" => "document.html",
        "application/json" => "document.json",
        _ => "document.pdf",
    }
}
