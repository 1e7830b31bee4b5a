//! A whole answer, written.

use super::{OBJECT, logprobs};
use crate::dialect::{Reply, chat};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Choice, Feature, Losses, PartBody, Response};

/// Writes an answer, and tells what is no text.
pub(in crate::dialect::client) fn write_response(
    response: &Response<'_>,
    reply: &Reply,
    losses: &mut Losses,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    body.string("id", if response.id.is_empty() { &reply.id } else { response.id.as_ref() });
    body.string("object", OBJECT);
    body.number("created", response.created.unwrap_or(reply.created));
    body.string("model", response.model.as_deref().unwrap_or(&reply.model));
    let mut choices = body.array("choices");
    response.choices.iter().for_each(|choice| write_choice(choice, &mut choices, losses));
    drop(choices);
    if let Some(counts) = &response.usage {
        chat::write_usage(counts, &mut body.object("usage"));
    }
    drop(body);
    out
}

fn write_choice(choice: &Choice<'_>, choices: &mut ArrayWriter<'_>, losses: &mut Losses) {
    let mut object = choices.object();
    object.string("text", &text_of(choice, losses));
    object.number("index", u64::from(choice.index));
    logprobs::write(choice.logprobs.as_ref(), &mut 0, &mut object);
    object.string("finish_reason", choice.stop.as_ref().map_or("stop", chat::stop_word));
}

fn text_of(choice: &Choice<'_>, losses: &mut Losses) -> String {
    let mut joined = String::new();
    for part in &choice.parts {
        match &part.body {
            PartBody::Text { text, citations, .. } => {
                joined.push_str(text);
                losses.lose_some(Feature::Citations, citations.first());
            }
            PartBody::Refusal(text) => joined.push_str(text),
            PartBody::Reasoning(thought) if thought.text.is_empty() => losses.lose(Feature::ReasoningSignature),
            PartBody::Reasoning(_) => losses.lose(Feature::Reasoning),
            PartBody::Media(_) => losses.lose(Feature::MediaOutput),
            // No tools were offered.
            PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Opaque(_) => losses.lose(Feature::ServerTools),
        }
    }
    joined
}
