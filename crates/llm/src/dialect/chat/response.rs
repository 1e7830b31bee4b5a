//! A whole answer, read and written.
//!
//! Members of a choice's message that no part can hold are kept in the choice's extras, as one object under
//! [`MESSAGE`]. Invariant: an answer without choices is no answer.

use super::message::{Message, Teller, told};
use super::reasoning::{self, Home};
use super::write::{is_call, write_annotations, write_call, write_signature, write_thinking, write_url};
use super::{citation, stop, usage};
use crate::dialect::{Dialect, ReadError, Reply};
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, unescape};
use crate::model::{
    Choice, Extras, Feature, Json, Losses, Media, MediaKind, MediaSource, Part, PartBody, Reasoning, Response,
    Signature, Stop, StopReason, Text,
};

/// The member of a choice's extras that holds those of its message.
const MESSAGE: &str = "message";

/// Reads an answer.
///
/// # Errors
/// If it has no choices: it is then an error that came with status 200, whose text is told, or nothing known.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let mut response = Response::new(Dialect::OpenAiChat);
    let (mut choices, mut error) = (None, None);
    let (mut nested_usage, mut sources) = (None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"choices" => choices = Some(value),
            b"id" => response.id = value.text().unwrap_or_default(),
            b"model" => response.model = told(value),
            b"created" => response.created = value.count(),
            b"usage" if value.is_object() => response.usage = Some(usage::read(value)),
            b"service_tier" => response.service_tier = told(value),
            b"error" => error = Some(value),
            b"object" => {}
            b"citations" => sources = Some(value),
            b"x_groq" => {
                nested_usage = value.get("usage");
                response.extras.keep(key, value);
            }
            _ => response.extras.keep(key, value),
        }
    }
    let Some(choices) = choices.filter(|choices| choices.elements().next().is_some()) else {
        let message = error.and_then(|error| error.get("message").unwrap_or(error).text());
        return Err(ReadError(message.map_or_else(|| "no choices in response".to_owned(), |text| text.into_owned())));
    };
    for choice in choices.elements() {
        // Moonshot may count here alone.
        nested_usage = nested_usage.or_else(|| choice.get("usage"));
        response.choices.push(read_choice(choice));
    }
    if let (Some(sources), Some(choice)) = (sources, response.choices.first_mut()) {
        attach_sources(sources, choice);
    }
    let nested_usage = nested_usage.filter(|usage| usage.is_object());
    response.usage = response.usage.or_else(|| nested_usage.map(usage::read));
    Ok(response)
}

/// Gives a choice's text the answer's sources, unless annotations tell them.
fn attach_sources<'a>(sources: Raw<'a>, choice: &mut Choice<'a>) {
    let mut texts = choice.parts.iter_mut().filter_map(|part| match &mut part.body {
        PartBody::Text { citations, .. } => Some(citations),
        _ => None,
    });
    if let Some(citations) = texts.next().filter(|citations| citations.is_empty()) {
        citations.extend(citation::read_sources(sources));
    }
}

/// A choice that is plain text, as providers tell it that know Chat's parts but not its messages.
pub(in crate::dialect) fn read_text_choice<'a>(text: Raw<'a>, reason: Option<Raw<'a>>) -> Choice<'a> {
    let parts = text.text().filter(|text| !text.is_empty()).map(Part::text).into_iter().collect();
    Choice { parts, stop: stop::read(reason, None), ..Choice::default() }
}

/// Reads one element of `choices`.
pub(in crate::dialect) fn read_choice(raw: Raw<'_>) -> Choice<'_> {
    let mut choice = Choice::default();
    let (mut message, mut reason, mut sequence) = (None, None, None);
    for (key, value) in raw.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"index" => choice.index = value.count().and_then(|index| index.try_into().ok()).unwrap_or(0),
            b"message" => message = Some(value),
            b"finish_reason" => reason = Some(value),
            b"stop_reason" if value.kind == Kind::String => sequence = Some(value),
            b"logprobs" => choice.logprobs = Some(value.into()).filter(|_| has_tokens(value)),
            // Perplexity repeats the message as if it streamed.
            b"delta" => {}
            _ => choice.extras.keep(key, value),
        }
    }
    // Azure leaves the message of a filtered answer out.
    if let Some(message) = message {
        let mut message = Message::read(message);
        choice.parts = message.take_parts(Teller::Provider);
        keep_message(&message.extras, &mut choice.extras);
    }
    // Snowflake tells `""` at the end of a whole answer.
    let untold = || Some(Stop { reason: StopReason::End, native: reason.and_then(told_nothing)?, sequence: None });
    choice.stop = stop::read(reason, sequence).or_else(untold);
    if let Some(stop) = choice.stop.as_mut().filter(|stop| stop.reason == StopReason::End)
        && choice.parts.iter().any(is_call)
    {
        // So OpenAI itself stops after a call that was forced.
        stop.reason = StopReason::ToolCalls;
    }
    choice
}

/// Snowflake tells the object without its lists.
fn has_tokens(logprobs: Raw<'_>) -> bool {
    logprobs.members().any(|(_, tokens)| tokens.kind == Kind::Array)
}

fn told_nothing(reason: Raw<'_>) -> Option<Text<'_>> {
    reason.text().filter(|text| text.is_empty())
}

fn keep_message<'a>(told: &Extras<'a>, extras: &mut Extras<'a>) {
    if told.is_empty() {
        return;
    }
    let mut json = Vec::new();
    let mut object = ObjectWriter::new(&mut json);
    told.iter().for_each(|(key, value)| object.raw(key, value.bytes()));
    drop(object);
    extras.0.push((MESSAGE.into(), Json::owned(json)));
}

/// Writes an answer. Nothing is lost: what OpenAI has no words for stands in fields that its SDKs pass by.
pub(super) fn write(response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    write_answer(response, reply, &mut |parts, message| write_message(parts, message, losses))
}

/// Writes what a message says beside its role.
type WriteMessage<'w> = &'w mut dyn FnMut(&[&Part<'_>], &mut ObjectWriter<'_>);

/// Writes an answer whose messages are written by `write_message`.
pub(in crate::dialect) fn write_answer(
    response: &Response<'_>,
    reply: &Reply,
    write_message: WriteMessage<'_>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    let id = if response.id.is_empty() { &reply.id } else { response.id.as_ref() };
    body.string("id", id);
    body.string("object", "chat.completion");
    body.number("created", response.created.unwrap_or(reply.created));
    body.string("model", response.model.as_deref().unwrap_or(&reply.model));
    let mut choices = body.array("choices");
    for choice in &response.choices {
        write_choice(choice, response.dialect, &mut choices, write_message);
    }
    drop(choices);
    if let Some(counts) = &response.usage {
        usage::write(counts, &mut body.object("usage"));
    }
    body.maybe_string("service_tier", response.service_tier.as_deref());
    if response.dialect == Dialect::OpenAiChat {
        response.extras.iter().for_each(|(key, value)| body.raw(key, value.bytes()));
    }
    drop(body);
    out
}

fn write_choice(choice: &Choice<'_>, origin: Dialect, choices: &mut ArrayWriter<'_>, write_message: WriteMessage<'_>) {
    let mut object = choices.object();
    object.number("index", u64::from(choice.index));
    let mut message = object.object("message");
    message.string("role", "assistant");
    write_message(&choice.parts.iter().collect::<Vec<_>>(), &mut message);
    let is_own = origin == Dialect::OpenAiChat;
    if let Some(extras) = choice.extras.get(MESSAGE).filter(|_| is_own) {
        extras.raw().members().for_each(|(key, value)| message.raw(&unescape(key), value.bytes));
    }
    drop(message);
    match &choice.logprobs {
        Some(logprobs) => object.raw("logprobs", logprobs.bytes()),
        None => object.null("logprobs"),
    }
    object.string("finish_reason", finish_reason(choice));
    if is_own {
        let sequence = choice.stop.as_ref().and_then(|stop| stop.sequence.as_deref());
        object.maybe_string("stop_reason", sequence);
        let extras = choice.extras.iter().filter(|(key, _)| *key != MESSAGE);
        extras.for_each(|(key, value)| object.raw(key, value.bytes()));
    }
}

/// SDKs want a reason; where the provider tells none the calls decide.
fn finish_reason<'c>(choice: &'c Choice<'_>) -> &'c str {
    match &choice.stop {
        Some(stop) => stop::word(stop),
        None if choice.parts.iter().any(is_call) => "tool_calls",
        None => "stop",
    }
}

fn write_message(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>, losses: &mut Losses) {
    write_text(parts, message);
    let refusals: String = parts.iter().filter_map(|part| refusal(part)).collect();
    match refusals.is_empty() {
        true => message.null("refusal"),
        false => message.string("refusal", &refusals),
    }
    write_reasoning(parts, message);
    write_annotations(parts, message);
    write_media(parts, message, losses);
    write_calls(parts, message);
}

fn refusal<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.body {
        PartBody::Refusal(text) => Some(text),
        _ => None,
    }
}

/// `content`: a string, null, or with Mistral's thoughts an array.
fn write_text(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
    let texts = || {
        parts.iter().filter_map(|part| match &part.body {
            PartBody::Text { text, signature, .. } => Some((text, signature.as_ref())),
            _ => None,
        })
    };
    let is_thinking = |part: &&&Part<'_>| home_of(part) == Some(Home::Thinking);
    if parts.iter().any(|part| is_thinking(&part)) {
        let mut content = message.array("content");
        for part in parts {
            match &part.body {
                PartBody::Reasoning(thought) if is_thinking(&part) => write_thinking(&thought.text, None, &mut content),
                PartBody::Text { text, .. } => {
                    let mut object = content.object();
                    object.string("type", "text");
                    object.string("text", text);
                }
                _ => {}
            }
        }
    } else if texts().next().is_none() {
        message.null("content");
    } else {
        let joined: String = texts().map(|(text, _)| text.as_ref()).collect();
        message.string("content", &joined);
    }
    if let Some(signature) = texts().find_map(|(_, signature)| signature) {
        write_signature(signature, message);
    }
}

fn home_of<'p>(part: &'p Part<'_>) -> Option<Home<'p>> {
    match &part.body {
        PartBody::Reasoning(thought) => Home::of_part(thought),
        _ => None,
    }
}

/// Thoughts as text, and in OpenRouter's form where a signature must come back with them.
fn write_reasoning(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
    let thoughts: Vec<&Reasoning<'_>> = thoughts(parts).collect();
    let text: String = thoughts.iter().map(|thought| thought.text.as_ref()).collect();
    if !text.is_empty() {
        let field = thoughts.iter().find_map(|thought| Home::of_part(thought)).map_or("reasoning_content", Home::field);
        message.string(field, &text);
    }
    if thoughts.iter().any(|thought| reasoning::needs_details(thought)) {
        let mut details = message.array("reasoning_details");
        let mut next = 0;
        thoughts.iter().for_each(|thought| reasoning::write_details(&mut details, thought, &mut next));
    }
}

/// The thoughts that have a field: not Mistral's, and not the signature of the call that follows.
fn thoughts<'p>(parts: &'p [&Part<'_>]) -> impl Iterator<Item = &'p Reasoning<'p>> {
    parts.iter().filter_map(|part| match &part.body {
        PartBody::Reasoning(thought) if Home::of_part(thought) == Some(Home::Thinking) => None,
        PartBody::Reasoning(thought) if is_call_signature(thought) => None,
        PartBody::Reasoning(thought) => Some(thought),
        _ => None,
    })
}

/// `true` for nothing but the signature of the call that follows.
pub(in crate::dialect) fn is_call_signature(thought: &Reasoning<'_>) -> bool {
    thought.text.is_empty() && Home::of_part(thought) == Some(Home::Call)
}

/// Sound in OpenAI's `audio`, pictures in OpenRouter's `images`.
fn write_media(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>, losses: &mut Losses) {
    let media = || {
        parts.iter().filter_map(|part| match &part.body {
            PartBody::Media(media) => Some(media.as_ref()),
            _ => None,
        })
    };
    if let Some((sound, data)) = media().find_map(sound_data) {
        let mut audio = message.object("audio");
        audio.string("id", sound.name.as_deref().unwrap_or("audio"));
        audio.string("data", data);
        audio.string("transcript", "");
        audio.number("expires_at", 0);
    }
    let is_image = |media: &&Media<'_>| media.kind == MediaKind::Image;
    if media().any(|media| !is_image(&media) && sound_data(media).is_none()) {
        losses.lose(Feature::MediaOutput);
    }
    if media().any(|media| is_image(&media)) {
        let mut images = message.array("images");
        for image in media().filter(is_image) {
            let mut object = images.object();
            object.string("type", "image_url");
            write_url(image, "image/png", object.object("image_url").key("url"));
        }
    }
}

fn sound_data<'p>(media: &'p Media<'p>) -> Option<(&'p Media<'p>, &'p str)> {
    match (&media.kind, &media.source) {
        (MediaKind::Audio, MediaSource::Base64(data)) => Some((media, data)),
        _ => None,
    }
}

/// Writes the calls, if there are any.
pub(in crate::dialect) fn write_calls(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
    if !parts.iter().any(|part| is_call(part)) {
        return;
    }
    let mut calls = message.array("tool_calls");
    let mut before: Option<&Signature<'_>> = None;
    for part in parts {
        match &part.body {
            PartBody::ToolCall(call) => write_call(call, before.take(), &mut calls.object()),
            PartBody::Opaque(json) if is_call(part) => calls.raw(json.bytes()),
            PartBody::Reasoning(thought) => {
                before = thought.signature.as_ref().filter(|_| is_call_signature(thought));
            }
            _ => {}
        }
    }
}
