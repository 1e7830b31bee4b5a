//! `inlineData` and `fileData`: media as bytes and by address.
//!
//! Invariant: written media always name their type, without which Vertex refuses them. Called by the readers and
//! writers of parts.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialect::{Origin, media_type};
use crate::json::{ObjectWriter, Raw};
use crate::model::{Feature, Losses, Media, MediaKind, MediaSource, Text};

use super::signature::standard_digit;

/// Reads `inlineData`.
pub(super) fn read_inline<'a>(blob: Raw<'a>) -> Media<'a> {
    let (mut data, mut media_type, mut name) = (None, None, None);
    for (key, value) in blob.members() {
        match key {
            b"data" => data = value.text(),
            b"mimeType" | b"mime_type" => media_type = value.text(),
            b"displayName" | b"display_name" => name = value.text(),
            _ => {}
        }
    }
    let source = MediaSource::Base64(standard_base64(data.unwrap_or_default()));
    media(source, media_type, name)
}

/// Reads `fileData`.
pub(super) fn read_file<'a>(file: Raw<'a>) -> Media<'a> {
    let (mut uri, mut media_type, mut name) = (Text::default(), None, None);
    for (key, value) in file.members() {
        match key {
            b"fileUri" | b"file_uri" => uri = value.text().unwrap_or_default(),
            b"mimeType" | b"mime_type" => media_type = value.text(),
            b"displayName" | b"display_name" => name = value.text(),
            _ => {}
        }
    }
    let in_store = uri.starts_with("gs://") || uri.starts_with("https://generativelanguage.googleapis.com/");
    let source = if in_store { MediaSource::File(uri) } else { MediaSource::Url(uri) };
    media(source, media_type, name)
}

fn media<'a>(source: MediaSource<'a>, media_type: Option<Text<'a>>, name: Option<Text<'a>>) -> Media<'a> {
    let kind = match (&media_type, &source) {
        (Some(media_type), _) => kind_of(media_type),
        // The one kind of page that Gemini watches by address.
        (None, MediaSource::Url(url)) if url.contains("youtu") => MediaKind::Video,
        (None, MediaSource::Url(uri) | MediaSource::File(uri)) => type_by_name(uri).map_or(MediaKind::Image, kind_of),
        (None, MediaSource::Base64(_) | MediaSource::PlainText(_)) => MediaKind::Image,
    };
    // The parameters of sound tell how it is played.
    let media_type = match kind {
        MediaKind::Image | MediaKind::Document => media_type.and_then(media_type::read),
        MediaKind::Audio | MediaKind::Video => media_type,
    };
    Media { kind, source, media_type, name, context: None, detail: None, citations: None }
}

fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// Base64 in its standard alphabet with padding; Google's Python SDK sends the other one.
fn standard_base64(data: Text<'_>) -> Text<'_> {
    let padding = (4 - data.len() % 4) % 4;
    if padding == 0 && memchr::memchr2(b'-', b'_', data.as_bytes()).is_none() {
        return data;
    }
    Cow::Owned(data.chars().map(standard_digit).chain(std::iter::repeat_n('=', padding)).collect())
}

/// Writes `media` as the data of `part`, if it can be said here; `false` if it cannot, and then nothing is written.
pub(super) fn write(part: &mut ObjectWriter<'_>, media: &Media<'_>, origin: Origin, losses: &mut Losses) -> bool {
    let is_own = origin == Origin::Own;
    if media.detail.as_ref().is_some_and(|detail| detail != "auto") {
        losses.lose(Feature::ImageDetail);
    }
    if media.citations == Some(true) {
        losses.lose_field("citations");
    }
    // Only Vertex knows names of media.
    let name = media.name.as_deref().filter(|_| is_own);
    if !is_own && media.name.is_some() {
        losses.lose_field("filename");
    }
    match &media.source {
        MediaSource::Base64(data) => write_inline(part, written_type(media), data, name),
        MediaSource::PlainText(text) => write_inline(part, "text/plain", &STANDARD.encode(text.as_bytes()), name),
        MediaSource::Url(uri) => write_file(part, media, uri, name, is_own),
        MediaSource::File(uri) if is_own || uri.starts_with("gs://") || uri.starts_with("https://") => {
            write_file(part, media, uri, name, is_own);
        }
        MediaSource::File(_) => {
            losses.lose(Feature::MediaFile);
            return false;
        }
    }
    true
}

fn write_inline(part: &mut ObjectWriter<'_>, media_type: &str, data: &str, name: Option<&str>) {
    let mut blob = part.object("inlineData");
    blob.string("mimeType", media_type);
    blob.string("data", data);
    blob.maybe_string("displayName", name);
}

fn write_file(part: &mut ObjectWriter<'_>, media: &Media<'_>, uri: &str, name: Option<&str>, is_own: bool) {
    let mut file = part.object("fileData");
    // The Gemini API finds the type of its own files and of videos by itself.
    if !is_own || media.media_type.is_some() {
        file.string("mimeType", written_type(media));
    }
    file.string("fileUri", uri);
    file.maybe_string("displayName", name);
}

/// A medium's type as told, or as its name or its kind suggest.
fn written_type<'m>(media: &'m Media<'_>) -> &'m str {
    match (media.media_type.as_deref(), &media.source) {
        (Some(media_type), _) => media_type,
        (None, MediaSource::Url(uri) | MediaSource::File(uri)) => {
            type_by_name(uri).unwrap_or_else(|| usual_type(media.kind))
        }
        (None, MediaSource::Base64(_) | MediaSource::PlainText(_)) => usual_type(media.kind),
    }
}

/// What a medium of `kind` most often is.
const fn usual_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Document => "application/pdf",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Video => "video/mp4",
    }
}

/// The media type that the ending of `uri`'s path tells, of those that Gemini takes.
fn type_by_name(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mpeg" | "mpg" => "video/mpeg",
        _ => return None,
    })
}
