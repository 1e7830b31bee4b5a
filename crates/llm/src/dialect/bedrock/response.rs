//! Whole answers.

use super::{block, media, stop, usage};
use crate::dialect::placed::{Cites, place};
use crate::dialect::{Dialect, Origin, ReadError, Reply};
use crate::json::{ArrayWriter, ObjectWriter, Raw};
use crate::model::{
    Choice, Citation, Feature, Losses, MediaKind, Part, PartBody, Reasoning, Response, Stop, StopReason,
};

/// Reads a body. `metrics`, `trace` and their like are kept.
///
/// # Errors
/// If it is no object or has no message.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let mut response = Response::new(Dialect::BedrockConverse);
    let mut choice = Choice::default();
    let mut has_message = false;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"output" => {
                for (key, value) in value.get("message").into_iter().flat_map(Raw::members) {
                    has_message = true;
                    match key {
                        b"role" => {}
                        b"content" => {
                            choice.parts = block::read_all(value);
                            place(&mut choice.parts, Cites::Blocks);
                        }
                        _ => choice.extras.keep(key, value),
                    }
                }
            }
            b"stopReason" => choice.stop = value.text().map(stop::read),
            b"usage" => response.usage = Some(usage::read(value)),
            b"serviceTier" => response.service_tier = value.get("type").and_then(Raw::text),
            _ => response.extras.keep(key, value),
        }
    }
    if !has_message && choice.stop.is_none() {
        return Err(ReadError::new("the answer has no output.message"));
    }
    response.choices.push(choice);
    Ok(response)
}

/// Writes a body. `metrics` is part of the shape; where the provider tells no latency it is 0.
pub(super) fn write(response: &Response<'_>, _reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    let origin = Origin::of(response.dialect, Dialect::BedrockConverse);
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    if response.choices.len() > 1 {
        losses.lose(Feature::Choices);
    }
    let empty = Choice::default();
    let choice = response.choices.first().unwrap_or(&empty);
    losses.lose_some(Feature::Logprobs, choice.logprobs.as_ref());
    let mut output = body.object("output");
    let mut message = output.object("message");
    message.string("role", "assistant");
    let mut content = message.array("content");
    choice.parts.iter().for_each(|part| write_part(part, origin, losses, &mut content));
    drop(content);
    if origin == Origin::Own {
        choice.extras.iter().for_each(|(name, value)| message.raw(name, value.bytes()));
    }
    drop(message);
    drop(output);
    let ended = Stop { reason: StopReason::End, native: Default::default(), sequence: None };
    let mut reason = choice.stop.clone().unwrap_or(ended);
    let calls = choice.parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)));
    if calls && origin == Origin::Foreign && matches!(reason.reason, StopReason::End | StopReason::Other) {
        reason.reason = StopReason::ToolCalls;
    }
    body.string("stopReason", stop::word(&reason));
    usage::write(&response.usage.unwrap_or_default(), &mut body.object("usage"));
    if let Some(tier) = &response.service_tier {
        body.object("serviceTier").string("type", tier);
    }
    match origin {
        Origin::Own => response.extras.iter().for_each(|(name, value)| body.raw(name, value.bytes())),
        Origin::Foreign => body.object("metrics").number("latencyMs", 0),
    }
    drop(body);
    out
}

fn write_part(part: &Part<'_>, origin: Origin, losses: &mut Losses, content: &mut ArrayWriter<'_>) {
    match &part.body {
        PartBody::Text { text, citations, signature } => {
            let cite = |text: Option<&str>, content: &mut ArrayWriter<'_>| {
                let mut block = content.object();
                let mut cited = block.object("citationsContent");
                block::write_with_citations(text, citations, &mut cited);
                block::write_extras(part, origin, &mut cited);
            };
            let is_own = origin == Origin::Own && !citations.is_empty();
            if is_own || citations.iter().any(is_asked_for) {
                cite(Some(text), content);
            } else if !citations.is_empty() {
                // A client that has not asked for sources looks for its text where text always is.
                if !text.is_empty() {
                    content.object().string("text", text);
                }
                cite(None, content);
            } else if !text.is_empty() {
                content.object().string("text", text);
            }
            if let Some(signature) = signature {
                block::write_thought("", Some(&signature.written(Dialect::BedrockConverse)), content);
            }
        }
        PartBody::Refusal(text) => {
            losses.lose(Feature::Refusal);
            content.object().string("text", text);
        }
        PartBody::Reasoning(reasoning) => write_reasoning(reasoning, content),
        PartBody::ToolCall(call) => {
            if let Some(signature) = &call.signature {
                block::write_thought("", Some(&signature.written(Dialect::BedrockConverse)), content);
            }
            let mut block = content.object();
            let mut call_block = block.object("toolUse");
            block::write_tool_use(call, &mut call_block);
            block::write_extras(part, origin, &mut call_block);
        }
        PartBody::Media(media) => match media::lost_with(media) {
            Some(lost) => losses.lose(lost),
            None => {
                let name = (media.kind == MediaKind::Document)
                    .then(|| media::DocumentNames::default().fit(media.name.as_deref()));
                let mut block = content.object();
                let mut inside = block.object(media::block_name(media.kind));
                media::write(media, name.as_deref(), None, &mut inside);
                block::write_extras(part, origin, &mut inside);
            }
        },
        PartBody::Opaque(json) if origin == Origin::Own => content.raw(json.bytes()),
        PartBody::Opaque(_) | PartBody::ToolResult(_) => losses.lose(Feature::ServerTools),
    }
}

/// Sources of documents come only to those who ask for them, in Anthropic's dialect as in this one.
fn is_asked_for(citation: &Citation<'_>) -> bool {
    let names = |key: &str| citation.native.as_ref().is_some_and(|native| native.raw().first(key).is_some());
    citation.url.is_none() && (names("cited_text") || names("location") || names("sourceContent"))
}

/// Thoughts and what proves them, for the next turn.
fn write_reasoning(reasoning: &Reasoning<'_>, content: &mut ArrayWriter<'_>) {
    let signature = reasoning.signature.as_ref().map(|signature| signature.written(Dialect::BedrockConverse));
    if signature.is_some() || !reasoning.text.is_empty() {
        block::write_thought(&reasoning.text, signature.as_deref(), content);
    }
    if let Some(encrypted) = &reasoning.encrypted {
        block::write_redacted(encrypted, &mut content.object().object("reasoningContent"));
    }
}
