//! A whole answer, read and written. Cohere gives one answer to a request and does not name the model.

use super::message::Message;
use super::write::{write_call, write_citations, write_text, write_thought};
use super::{stop, usage};
use crate::dialect::{Dialect, ReadError, Reply};
use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{Choice, Feature, Losses, Part, PartBody, Response};

/// Reads an answer.
///
/// # Errors
/// If it has no message: it is then an error that came with status 200, whose text is told, or nothing known.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let mut response = Response::new(Dialect::Cohere);
    let mut choice = Choice::default();
    let mut message = None;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"id" => response.id = value.text().unwrap_or_default(),
            b"message" => message = Some(value),
            b"finish_reason" => choice.stop = value.text().map(stop::read),
            b"usage" => response.usage = Some(usage::read(value)),
            _ => response.extras.keep(key, value),
        }
    }
    let Some(told) = message.filter(|message| message.is_object()) else {
        let text = message.and_then(Raw::text);
        return Err(ReadError(text.map_or_else(|| "no message in response".to_owned(), |text| text.into_owned())));
    };
    (choice.parts, choice.extras) = Message::read(told).into_parts();
    response.choices.push(choice);
    Ok(response)
}

/// Writes an answer.
pub(super) fn write(response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    let id = if response.id.is_empty() { &reply.id } else { response.id.as_ref() };
    body.string("id", id);
    if response.choices.len() > 1 {
        losses.lose(Feature::Choices);
    }
    let is_own = response.dialect == Dialect::Cohere;
    let first = response.choices.first();
    let mut message = body.object("message");
    message.string("role", "assistant");
    if let Some(choice) = first {
        write_message(&choice.parts, &mut message, losses);
        losses.lose_some(Feature::Logprobs, choice.logprobs.as_ref());
        if is_own {
            choice.extras.iter().for_each(|(key, value)| message.raw(key, value.bytes()));
        }
    }
    drop(message);
    let stop = first.and_then(|choice| choice.stop.as_ref());
    let calls = first.is_some_and(|choice| choice.parts.iter().any(is_call));
    body.string("finish_reason", stop.map_or(if calls { "TOOL_CALL" } else { "COMPLETE" }, stop::word));
    if let Some(counts) = &response.usage {
        usage::write(counts, &mut body.object("usage"));
    }
    if is_own {
        response.extras.iter().for_each(|(key, value)| body.raw(key, value.bytes()));
    }
    drop(body);
    out
}

fn is_call(part: &Part<'_>) -> bool {
    matches!(part.body, PartBody::ToolCall(_))
}

/// Text is content also beside calls: a stream cannot tell in time that it is their plan, and says it there.
fn write_message(parts: &[Part<'_>], message: &mut ObjectWriter<'_>, losses: &mut Losses) {
    let has_calls = parts.iter().any(is_call);
    let is_content = |part: &&Part<'_>| match &part.body {
        PartBody::ToolCall(_) | PartBody::ToolResult(_) => false,
        PartBody::Text { .. }
        | PartBody::Media(_)
        | PartBody::Reasoning(_)
        | PartBody::Refusal(_)
        | PartBody::Opaque(_) => true,
    };
    if parts.iter().any(|part| is_content(&part)) {
        let mut content = message.array("content");
        parts.iter().filter(is_content).for_each(|part| write_part(part, &mut content, losses));
    }
    if has_calls {
        let mut calls = message.array("tool_calls");
        for part in parts {
            if let PartBody::ToolCall(call) = &part.body {
                losses.lose_some(Feature::ReasoningSignature, call.signature.as_ref());
                write_call(call, &mut calls.object());
            }
        }
    }
    write_citations(parts, message);
}

fn write_part(part: &Part<'_>, content: &mut ArrayWriter<'_>, losses: &mut Losses) {
    match &part.body {
        PartBody::Text { text, .. } => write_text(text, content),
        PartBody::Refusal(text) => {
            losses.lose(Feature::Refusal);
            write_text(text, content);
        }
        PartBody::Reasoning(thought) => {
            let proof = thought.signature.as_ref().or(thought.encrypted.as_ref());
            losses.lose_some(Feature::ReasoningSignature, proof);
            if !thought.text.is_empty() {
                write_thought(&thought.text, content);
            }
        }
        PartBody::Media(_) => losses.lose(Feature::MediaOutput),
        // Those of other dialects have been taken out.
        PartBody::Opaque(json) => content.raw(json.bytes()),
        PartBody::ToolCall(_) | PartBody::ToolResult(_) => {}
    }
}
