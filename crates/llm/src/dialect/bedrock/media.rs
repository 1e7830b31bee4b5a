//! Images, documents, sound and video: blocks with a format, a source and, for documents, a name.
//!
//! Invariant: a format is always written; where no type is told, the data's first bytes tell it.

use std::collections::HashMap;

use crate::json::{ObjectWriter, Raw};
use crate::model::{Feature, Media, MediaKind, MediaSource, Part, PartBody, Text};

/// Formats whose type is not simply the kind and the format; the first row of a format is the type it is read as.
const TYPES: &[(&str, &str)] = &[
    ("jpeg", "image/jpeg"),
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("pcm", "audio/pcm"),
    ("pcm", "audio/pcm16"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("wmv", "video/x-ms-wmv"),
    ("flv", "video/x-flv"),
    ("three_gp", "video/3gpp"),
];

/// What base64 of well-known formats begins with.
const BEGINNINGS: &[(&str, &str)] = &[
    ("iVBORw", "png"),
    ("/9j/", "jpeg"),
    ("R0lGOD", "gif"),
    ("UklGR", "webp"),
    ("JVBERi", "pdf"),
    ("UEsDB", "docx"),
    ("SUQz", "mp3"),
    ("T2dnUw", "ogg"),
    ("GkXfo", "mkv"),
];

/// The name of the blocks of a kind.
pub(super) fn block_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

/// What is lost where a medium of this kind cannot be said at all.
fn feature(kind: MediaKind) -> Feature {
    match kind {
        MediaKind::Image => Feature::Image,
        MediaKind::Document => Feature::Document,
        MediaKind::Audio => Feature::Audio,
        MediaKind::Video => Feature::Video,
    }
}

/// Reads the inside of a block; `None` if its source is of a kind that only this dialect knows.
pub(super) fn read<'a>(kind: MediaKind, block: Raw<'a>) -> Option<Part<'a>> {
    let (mut source, mut format) = (None, None);
    let mut media = Media {
        kind,
        source: MediaSource::Base64(Text::default()),
        media_type: None,
        name: None,
        context: None,
        detail: None,
        citations: None,
    };
    let mut extras = crate::model::Extras::default();
    for (key, value) in block.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"format" => format = value.text(),
            b"source" => source = read_source(value, &mut extras),
            b"name" => media.name = value.text(),
            b"context" => media.context = value.text(),
            b"citations" => media.citations = value.get("enabled").and_then(Raw::boolean),
            _ => extras.keep(key, value),
        }
    }
    media.source = source?;
    media.media_type = format.map(|format| media_type(kind, format));
    Some(Part { body: PartBody::Media(Box::new(media)), cache: None, extras })
}

fn read_source<'a>(source: Raw<'a>, extras: &mut crate::model::Extras<'a>) -> Option<MediaSource<'a>> {
    let (key, value) = source.members().find(|(_, value)| !value.is_null())?;
    match key {
        b"bytes" => value.text().map(MediaSource::Base64),
        b"text" => value.text().map(MediaSource::PlainText),
        b"s3Location" => {
            let mut uri = None;
            for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
                match key {
                    b"uri" => uri = value.text(),
                    _ => extras.keep(key, value),
                }
            }
            uri.map(MediaSource::File)
        }
        _ => None,
    }
}

fn media_type(kind: MediaKind, format: Text<'_>) -> Text<'_> {
    if let Some((_, media_type)) = TYPES.iter().find(|(known, _)| *known == format) {
        return Text::Borrowed(media_type);
    }
    let family = match kind {
        MediaKind::Document => "application",
        MediaKind::Image | MediaKind::Audio | MediaKind::Video => block_name(kind),
    };
    Text::Owned(format!("{family}/{format}"))
}

fn format<'m>(media: &'m Media<'_>) -> &'m str {
    if let Some(media_type) = media.media_type.as_deref() {
        let media_type = media_type.split(';').next().unwrap_or(media_type).trim();
        if let Some((format, _)) = TYPES.iter().find(|(_, known)| *known == media_type) {
            return format;
        }
        return match (media_type.split_once('/'), media.kind) {
            (Some(("text", _)), MediaKind::Document) => "txt",
            (Some((_, "json" | "xml" | "yaml")), MediaKind::Document) => "txt",
            (Some((_, subtype)), _) => subtype,
            (None, _) => media_type,
        };
    }
    let named = media.name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    if let Some((format, _)) = TYPES.iter().find(|(format, _)| named == Some(*format)) {
        return format;
    }
    let begins =
        |data: &str| BEGINNINGS.iter().find(|(beginning, _)| data.starts_with(beginning)).map(|(_, format)| *format);
    let told = match &media.source {
        MediaSource::Base64(data) => begins(data),
        MediaSource::PlainText(_) => Some("txt"),
        MediaSource::Url(_) | MediaSource::File(_) => None,
    };
    told.unwrap_or(match media.kind {
        MediaKind::Image => "png",
        MediaKind::Document => "pdf",
        MediaKind::Audio => "wav",
        MediaKind::Video => "mp4",
    })
}

/// `None` if the medium can be said, else what is lost with it.
pub(super) fn lost_with(media: &Media<'_>) -> Option<Feature> {
    match &media.source {
        MediaSource::Base64(_) => None,
        MediaSource::PlainText(_) if media.kind == MediaKind::Document => None,
        MediaSource::PlainText(_) => Some(feature(media.kind)),
        MediaSource::Url(uri) if is_s3(uri) => None,
        MediaSource::File(uri) if is_s3(uri) => None,
        MediaSource::Url(_) => Some(Feature::MediaUrl),
        MediaSource::File(_) => Some(Feature::MediaFile),
    }
}

fn is_s3(uri: &str) -> bool {
    uri.starts_with("s3://")
}

/// Appends the inside of a block; `part` is the medium's, and its extras are written for this dialect's own.
pub(super) fn write(media: &Media<'_>, name: Option<&str>, owner: Option<&[u8]>, block: &mut ObjectWriter<'_>) {
    block.string("format", format(media));
    block.maybe_string("name", name);
    let mut source = block.object("source");
    match &media.source {
        MediaSource::Base64(data) => source.string("bytes", data),
        MediaSource::PlainText(text) => source.string("text", text),
        MediaSource::Url(uri) | MediaSource::File(uri) => {
            let mut location = source.object("s3Location");
            location.string("uri", uri);
            if let Some(owner) = owner {
                location.raw(BUCKET_OWNER, owner);
            }
        }
    }
    drop(source);
    if media.kind == MediaKind::Document {
        block.maybe_string("context", media.context.as_deref());
        if let Some(enabled) = media.citations {
            block.object("citations").boolean("enabled", enabled);
        }
    }
}

/// The account that owns an S3 object; kept beside the block's own members.
pub(super) const BUCKET_OWNER: &str = "bucketOwner";

/// Makes documents' names what Bedrock accepts: letters, digits, single blanks, hyphens and brackets, up to 200
/// characters, different from each other within a request.
#[derive(Debug, Default)]
pub(super) struct DocumentNames {
    /// Names in use, each with the number of the last document that was to be called so.
    used: HashMap<String, usize>,
}

impl DocumentNames {
    /// The name for a document that its client calls `wanted`.
    pub(super) fn fit(&mut self, wanted: Option<&str>) -> String {
        let mut name = String::new();
        for character in wanted.unwrap_or_default().trim().chars().take(180) {
            match character {
                ' ' if name.ends_with(' ') => {}
                'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '-' | '(' | ')' | '[' | ']' => name.push(character),
                _ => name.push('-'),
            }
        }
        if !name.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            name = "document".to_owned();
        }
        let Some(mut number) = self.used.get(&name).copied() else {
            self.used.insert(name.clone(), 1);
            return name;
        };
        let unique = loop {
            number += 1;
            let unique = format!("{name}-{number}");
            if !self.used.contains_key(&unique) {
                break unique;
            }
        };
        self.used.insert(name, number);
        self.used.insert(unique.clone(), 1);
        unique
    }
}
