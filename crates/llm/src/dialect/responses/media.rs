//! Images, documents and sound within messages and results: `input_image`, `input_file`, `input_audio`.

use crate::dialect::{Dialect, data_uri};
use crate::json::{ObjectWriter, Raw};
use crate::model::{Extras, Feature, Losses, Media, MediaKind, MediaSource, Text};

/// Reads a content part of one of the three types; `None` if it names no source.
pub(super) fn read<'a>(kind: MediaKind, part: Raw<'a>, extras: &mut Extras<'a>) -> Option<Media<'a>> {
    let mut media = Media {
        kind,
        source: MediaSource::Url(Text::default()),
        media_type: None,
        name: None,
        context: None,
        detail: None,
        citations: None,
    };
    let mut found = false;
    for (key, value) in part.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => {}
            b"image_url" | b"file_url" | b"file_data" => {
                (media.source, media.media_type) = data_uri::read(value.text()?);
                found = true;
            }
            b"file_id" => {
                media.source = MediaSource::File(value.text()?);
                found = true;
            }
            b"input_audio" => {
                for (key, value) in value.members() {
                    match key {
                        b"data" => {
                            media.source = MediaSource::Base64(value.text()?);
                            found = true;
                        }
                        b"format" => media.media_type = value.text().map(|format| audio_type(&format)),
                        _ => {}
                    }
                }
            }
            b"filename" => media.name = value.text(),
            b"detail" => media.detail = value.text(),
            _ => extras.keep(key, value),
        }
    }
    found.then_some(media)
}

fn audio_type(format: &str) -> Text<'static> {
    match format {
        "mp3" => "audio/mpeg".into(),
        other => format!("audio/{other}").into(),
    }
}

/// The `format` of a media type, among the two that OpenAI takes; `wav` if nothing is told.
fn audio_format(media_type: Option<&str>) -> Option<&'static str> {
    match media_type.unwrap_or("audio/wav") {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

/// Why a medium cannot be written.
pub(super) fn missing_words(media: &Media<'_>, source: Dialect) -> Option<Feature> {
    match (media.kind, &media.source) {
        (MediaKind::Video, _) => Some(Feature::Video),
        (MediaKind::Audio, MediaSource::Base64(_)) => {
            let format = audio_format(media.media_type.as_deref());
            format.is_none().then_some(Feature::Audio)
        }
        (MediaKind::Audio, _) => Some(Feature::Audio),
        (_, MediaSource::Url(url)) => (!url.starts_with("http")).then_some(Feature::MediaUrl),
        // Files in another provider's store are not OpenAI's.
        (_, MediaSource::File(_)) => match source {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => None,
            Dialect::Anthropic | Dialect::Gemini | Dialect::BedrockConverse | Dialect::Cohere => {
                Some(Feature::MediaFile)
            }
        },
        (_, MediaSource::Base64(_) | MediaSource::PlainText(_)) => None,
    }
}

/// Writes the members of a content part. Only for media that [`missing_words`] lets pass.
pub(super) fn write(part: &mut ObjectWriter<'_>, media: &Media<'_>, source: Dialect, losses: &mut Losses) {
    if media.citations == Some(true) {
        losses.lose(Feature::Citations);
    }
    match media.kind {
        MediaKind::Image => {
            part.string("type", "input_image");
            match &media.source {
                MediaSource::Base64(data) => write_data_url(part, "image_url", media, "image/png", data),
                MediaSource::Url(url) => part.string("image_url", url),
                MediaSource::File(id) => part.string("file_id", id),
                MediaSource::PlainText(text) => part.string("image_url", text),
            }
            let required = (source != Dialect::OpenAiResponses).then_some("auto");
            part.maybe_string("detail", media.detail.as_deref().or(required));
        }
        MediaKind::Document => write_document(part, media),
        MediaKind::Audio | MediaKind::Video => {
            part.string("type", "input_audio");
            let mut audio = part.object("input_audio");
            if let MediaSource::Base64(data) = &media.source {
                audio.string("data", data);
            }
            audio.string("format", audio_format(media.media_type.as_deref()).unwrap_or("wav"));
        }
    }
}

/// A document that is plain text becomes text, for not every provider of this dialect takes files.
fn write_document(part: &mut ObjectWriter<'_>, media: &Media<'_>) {
    match &media.source {
        MediaSource::PlainText(_) => {
            part.string("type", "input_text");
            part.string("text", &media.plain_text().unwrap_or_default());
        }
        MediaSource::Base64(data) => {
            part.string("type", "input_file");
            part.string("filename", media.name.as_deref().unwrap_or("document.pdf"));
            write_data_url(part, "file_data", media, "application/pdf", data);
        }
        MediaSource::Url(url) => {
            part.string("type", "input_file");
            part.string("file_url", url);
        }
        MediaSource::File(id) => {
            part.string("type", "input_file");
            part.string("file_id", id);
        }
    }
}

/// A data URL; `default_type` stands in where the medium does not say what it is.
fn write_data_url(part: &mut ObjectWriter<'_>, key: &str, media: &Media<'_>, default_type: &str, data: &str) {
    let media_type = media.media_type.as_deref().unwrap_or(default_type);
    part.string(key, &format!("data:{media_type};base64,{data}"));
}
