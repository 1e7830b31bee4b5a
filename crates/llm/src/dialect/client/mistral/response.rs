//! A whole answer, written: content and calls, and nothing beside them.

use std::borrow::Cow;

use crate::dialect::{Dialect, Reply, chat};
use crate::json::ObjectWriter;
use crate::model::{Feature, Losses, Part, PartBody, Reasoning, Response};

/// Writes an answer, and tells what Mistral's SDKs have no place for.
pub(in crate::dialect::client) fn write_response(
    response: &Response<'_>,
    reply: &Reply,
    losses: &mut Losses,
) -> Vec<u8> {
    chat::write_answer(response, reply, &mut |parts, message| {
        write_content(parts, message);
        chat::write_calls(parts, message);
        parts.iter().for_each(|part| lose(part, losses));
    })
}

/// `content`: null, a string, or a list where there are thoughts.
fn write_content(parts: &[&Part<'_>], message: &mut ObjectWriter<'_>) {
    let mut texts = parts.iter().filter_map(|part| text_of(part)).peekable();
    if parts.iter().any(|part| shown_thought(part).is_some()) {
        let mut content = message.array("content");
        for part in parts {
            if let Some(thought) = shown_thought(part) {
                chat::write_thinking(&thought.text, proof_of(thought).as_deref(), &mut content);
            } else if let Some(text) = text_of(part) {
                let mut object = content.object();
                object.string("type", "text");
                object.string("text", text);
            }
        }
    } else if texts.peek().is_some() {
        message.string("content", &texts.collect::<String>());
    } else {
        message.null("content");
    }
}

fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.body {
        PartBody::Text { text, .. } | PartBody::Refusal(text) => Some(text),
        _ => None,
    }
}

fn shown_thought<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Reasoning<'a>> {
    match &part.body {
        PartBody::Reasoning(thought) if chat::is_call_signature(thought) => None,
        PartBody::Reasoning(thought) if thought.text.is_empty() && thought.signature.is_none() => None,
        PartBody::Reasoning(thought) => Some(thought),
        _ => None,
    }
}

fn proof_of<'p>(thought: &'p Reasoning<'_>) -> Option<Cow<'p, str>> {
    Some(thought.signature.as_ref()?.written(Dialect::OpenAiChat))
}

fn lose(part: &Part<'_>, losses: &mut Losses) {
    match &part.body {
        PartBody::Text { citations, .. } => losses.lose_some(Feature::Citations, citations.first()),
        PartBody::Reasoning(thought) => losses.lose_some(Feature::ReasoningSignature, thought.encrypted.as_ref()),
        PartBody::Media(_) => losses.lose(Feature::MediaOutput),
        PartBody::Refusal(_) | PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Opaque(_) => {}
    }
}
