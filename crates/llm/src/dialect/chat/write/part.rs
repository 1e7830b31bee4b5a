//! Parts of a message's content, written.
//!
//! Invariant: a part that cannot be written is told to the losses and leaves no trace in the array.

use super::super::media::{audio_format, file_name};
use super::Writer;
use crate::dialect::{Dialect, DocumentPart, Origin};
use crate::json::{ArrayWriter, ObjectWriter, write_string};
use crate::model::{Feature, Media, MediaKind, MediaSource, Part, PartBody};

impl Writer<'_> {
    /// Writes one part of a user's message into `content`.
    pub(super) fn part(&mut self, part: &Part<'_>, content: &mut ArrayWriter<'_>) {
        match &part.body {
            // Providers refuse empty texts; those of Anthropic's clients stay, as with APISIX.
            PartBody::Text { text, .. }
                if text.is_empty() && self.origin == Origin::Foreign && self.dialect != Dialect::Anthropic => {}
            PartBody::Text { text, .. } => {
                let mut object = content.object();
                object.string("type", "text");
                object.string("text", text);
                self.marks(part, &mut object);
            }
            PartBody::Refusal(text) => {
                let mut object = content.object();
                object.string("type", "refusal");
                object.string("refusal", text);
                self.marks(part, &mut object);
            }
            PartBody::Media(media) => self.media(part, media, content),
            PartBody::Opaque(json) => match self.origin {
                Origin::Own => content.raw(json.bytes()),
                Origin::Foreign => self.losses.lose(Feature::ServerTools),
            },
            PartBody::Reasoning(_) => self.losses.lose(Feature::Reasoning),
            // Calls and results have their own place in a turn.
            PartBody::ToolCall(_) | PartBody::ToolResult(_) => {}
        }
    }

    /// Writes what stands beside any part's own fields.
    pub(super) fn marks(&mut self, part: &Part<'_>, object: &mut ObjectWriter<'_>) {
        self.cache(part.cache.as_ref(), object);
        self.extras(&part.extras, object);
    }

    fn media(&mut self, part: &Part<'_>, media: &Media<'_>, content: &mut ArrayWriter<'_>) {
        match (media.kind, &media.source) {
            (_, MediaSource::PlainText(_)) => {
                let mut object = content.object();
                object.string("type", "text");
                object.string("text", &media.plain_text().unwrap_or_default());
                self.marks(part, &mut object);
            }
            (MediaKind::Image, MediaSource::Base64(_) | MediaSource::Url(_)) => {
                let mut object = content.object();
                object.string("type", "image_url");
                let mut image = object.object("image_url");
                write_url(media, "image/png", image.key("url"));
                image.maybe_string("detail", media.detail.as_deref());
                drop(image);
                self.marks(part, &mut object);
            }
            (MediaKind::Audio, MediaSource::Base64(data)) => {
                let mut object = content.object();
                object.string("type", "input_audio");
                if media.media_type.is_none() && self.origin == Origin::Own {
                    // Mistral's form names no format.
                    object.string("input_audio", data);
                } else {
                    let mut audio = object.object("input_audio");
                    audio.string("data", data);
                    audio.string("format", audio_format(media.media_type.as_deref()));
                }
                self.marks(part, &mut object);
            }
            (MediaKind::Document, MediaSource::Base64(_) | MediaSource::Url(_))
                if self.quirks.documents == DocumentPart::DocumentUrl =>
            {
                self.own_url(MediaKind::Document, part, media, content);
            }
            (MediaKind::Document, MediaSource::Base64(_)) => {
                let media_type = media.media_type.as_deref().unwrap_or("application/pdf");
                let mut object = content.object();
                object.string("type", "file");
                let mut file = object.object("file");
                file.string("filename", media.name.as_deref().unwrap_or(file_name(media_type)));
                write_url(media, media_type, file.key("file_data"));
                drop(file);
                self.marks(part, &mut object);
            }
            // Files in another provider's store are not OpenAI's.
            (MediaKind::Document, MediaSource::File(id))
                if matches!(self.dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
                    && self.quirks.documents == DocumentPart::File =>
            {
                let mut object = content.object();
                object.string("type", "file");
                let mut file = object.object("file");
                file.string("file_id", id);
                file.maybe_string("filename", media.name.as_deref().filter(|_| self.origin == Origin::Own));
                drop(file);
                self.marks(part, &mut object);
            }
            (kind, _) if self.origin == Origin::Own => self.own_url(kind, part, media, content),
            (MediaKind::Video, _) => self.losses.lose(Feature::Video),
            (_, MediaSource::Url(_)) => self.losses.lose(Feature::MediaUrl),
            (_, MediaSource::File(_)) => self.losses.lose(Feature::MediaFile),
        }
    }

    /// Writes forms that compatible providers added.
    fn own_url(&mut self, kind: MediaKind, part: &Part<'_>, media: &Media<'_>, content: &mut ArrayWriter<'_>) {
        if matches!(media.source, MediaSource::File(_)) {
            return self.losses.lose(Feature::MediaFile);
        }
        let mut object = content.object();
        match kind {
            MediaKind::Video => {
                object.string("type", "video_url");
                write_url(media, "video/mp4", object.object("video_url").key("url"));
            }
            MediaKind::Document => {
                object.string("type", "document_url");
                write_url(media, "application/pdf", object.key("document_url"));
                object.maybe_string("document_name", media.name.as_deref());
            }
            MediaKind::Audio => {
                object.string("type", "input_audio");
                write_url(media, "audio/wav", object.key("input_audio"));
            }
            MediaKind::Image => {
                object.string("type", "image_url");
                write_url(media, "image/png", object.object("image_url").key("url"));
            }
        }
        self.marks(part, &mut object);
    }
}

/// Appends a URL, or a data URI of `media_type` unless the medium tells its own.
pub(in super::super) fn write_url(media: &Media<'_>, media_type: &str, out: &mut Vec<u8>) {
    match &media.source {
        MediaSource::Base64(data) => {
            let media_type = media.media_type.as_deref().unwrap_or(media_type);
            write_string(out, &format!("data:{media_type};base64,{data}"));
        }
        MediaSource::Url(url) | MediaSource::File(url) | MediaSource::PlainText(url) => write_string(out, url),
    }
}
