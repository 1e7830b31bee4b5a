//! A request's body: Chat's, put into the envelope.
//!
//! Invariant: messages are asked for in Chat's form and streams in increments, for nothing else is read.

use super::MULTIMODAL_MODELS;
use crate::dialect::chat::write_thinking_switch;
use crate::dialect::{Dialect, Quirks};
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, unescape};
use crate::model::{Feature, Losses, Part, PartBody, Request};

/// How Chat is written for the envelope.
const QUIRKS: Quirks = Quirks { max_tokens_field: "max_tokens", developer_role: false, ..Quirks::OF_OPENAI };

/// Writes a request's body.
pub(super) fn write(request: &Request<'_>, _quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
    let chat = Dialect::OpenAiChat.write_request(&plain(request, losses), &QUIRKS, losses);
    let is_multimodal =
        request.model.as_deref().is_some_and(|model| MULTIMODAL_MODELS.iter().any(|piece| model.contains(piece)));
    let form = if is_multimodal { Form::List } else { Form::Text };
    let mut out = Vec::with_capacity(chat.len() + 256);
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let members = || Raw::new(&chat).into_iter().flat_map(Raw::members);
    let mut input = body.object("input");
    let mut messages = input.array("messages");
    for (_, list) in members().filter(|(key, _)| *key == b"messages") {
        list.elements().for_each(|message| write_message(message, form, &mut messages.object(), losses));
    }
    drop(messages);
    drop(input);
    let mut parameters = body.object("parameters");
    parameters.string("result_format", "message");
    if request.stream {
        parameters.boolean("incremental_output", true);
    }
    for (key, value) in members() {
        match key {
            b"model" | b"messages" | b"stream" | b"stream_options" => {}
            _ => parameters.raw(&unescape(key), value.bytes),
        }
    }
    if let Some(wanted) = &request.reasoning {
        write_thinking_switch(wanted, &mut parameters);
    }
    drop(parameters);
    drop(body);
    out
}

/// The request without what DashScope has no words for, as if it had come in Chat: so it may use what compatible
/// providers have added.
fn plain<'a>(request: &Request<'a>, losses: &mut Losses) -> Request<'a> {
    let mut plain = Request { dialect: Dialect::OpenAiChat, reasoning: None, ..request.clone() };
    lose(&mut plain.logit_bias, Feature::LogitBias, losses);
    lose(&mut plain.frequency_penalty, Feature::FrequencyPenalty, losses);
    lose(&mut plain.end_user, Feature::EndUser, losses);
    lose(&mut plain.metadata, Feature::Metadata, losses);
    lose(&mut plain.service_tier, Feature::ServiceTier, losses);
    lose(&mut plain.prompt_cache_key, Feature::PromptCacheKey, losses);
    lose(&mut plain.verbosity, Feature::Verbosity, losses);
    for turn in &mut plain.turns {
        lose(&mut turn.name, Feature::TurnName, losses);
        turn.parts.retain_mut(|part| {
            lose(&mut part.cache, Feature::CacheControl, losses);
            keep_part(&mut part.body, losses)
        });
    }
    plain.tools.iter_mut().for_each(|tool| lose(&mut tool.cache, Feature::CacheControl, losses));
    plain
}

/// `true` if `body` has a place in a message; a refusal becomes text.
fn keep_part(body: &mut PartBody<'_>, losses: &mut Losses) -> bool {
    match body {
        PartBody::Opaque(_) => {
            losses.lose(Feature::ServerTools);
            return false;
        }
        PartBody::Refusal(text) => {
            losses.lose(Feature::Refusal);
            *body = Part::text(std::mem::take(text)).body;
        }
        PartBody::Media(media) => lose(&mut media.detail, Feature::ImageDetail, losses),
        PartBody::ToolResult(result) => result.content.retain_mut(|part| keep_part(&mut part.body, losses)),
        PartBody::Text { .. } | PartBody::ToolCall(_) | PartBody::Reasoning(_) => {}
    }
    true
}

fn lose<T>(field: &mut Option<T>, feature: Feature, losses: &mut Losses) {
    losses.lose_some(feature, field.take().as_ref());
}

/// How the model reads content.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    List,
}

fn write_message(message: Raw<'_>, form: Form, object: &mut ObjectWriter<'_>, losses: &mut Losses) {
    for (key, value) in message.members() {
        match (key, form) {
            (b"content", Form::Text) if value.kind == Kind::Array => {
                object.string("content", &joined_text(value, losses));
            }
            (b"content", Form::Text) if value.is_null() => object.string("content", ""),
            (b"content", Form::List) => write_list(value, &mut object.array("content"), losses),
            _ => object.raw(&unescape(key), value.bytes),
        }
    }
}

fn joined_text(content: Raw<'_>, losses: &mut Losses) -> String {
    let mut pieces = Vec::new();
    for part in content.elements() {
        match Piece::read(part) {
            Piece::Text(text) => pieces.extend(text.text()),
            Piece::Image(_) => losses.lose(Feature::Image),
            Piece::Video(_) => losses.lose(Feature::Video),
            Piece::Audio(_) => losses.lose(Feature::Audio),
            Piece::Unknown => losses.lose(Feature::Document),
        }
    }
    pieces.join("\n")
}

fn write_list(content: Raw<'_>, list: &mut ArrayWriter<'_>, losses: &mut Losses) {
    if content.kind == Kind::String {
        return list.object().raw("text", content.bytes);
    }
    for part in content.elements() {
        match Piece::read(part) {
            Piece::Text(text) => list.object().raw("text", text.bytes),
            Piece::Image(url) => list.object().raw("image", url.bytes),
            Piece::Video(url) => list.object().raw("video", url.bytes),
            Piece::Audio(audio) => write_audio(audio, list),
            Piece::Unknown => losses.lose(Feature::Document),
        }
    }
}

/// Sound is named by URL; bytes become one.
fn write_audio(audio: Raw<'_>, list: &mut ArrayWriter<'_>) {
    let member = |name| audio.first(name).and_then(Raw::text);
    match member("data") {
        None => list.object().raw("audio", audio.bytes),
        Some(data) => {
            let format = member("format").unwrap_or("wav".into());
            list.object().string("audio", &format!("data:audio/{format};base64,{data}"));
        }
    }
}

/// A part of Chat's content.
enum Piece<'a> {
    Text(Raw<'a>),
    Image(Raw<'a>),
    Video(Raw<'a>),
    /// An object with `data`, or a URL.
    Audio(Raw<'a>),
    Unknown,
}

impl<'a> Piece<'a> {
    fn read(part: Raw<'a>) -> Self {
        for (key, value) in part.members() {
            let url = || value.first("url").unwrap_or(value);
            match key {
                b"text" | b"refusal" if value.kind == Kind::String => return Piece::Text(value),
                b"image_url" => return Piece::Image(url()),
                b"video_url" => return Piece::Video(url()),
                b"input_audio" => return Piece::Audio(value),
                _ => {}
            }
        }
        Piece::Unknown
    }
}
