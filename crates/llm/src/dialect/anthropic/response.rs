//! Whole answers.

use crate::dialect::anthropic::block::{self, write_extras};
use crate::dialect::anthropic::stop::{self, Content};
use crate::dialect::anthropic::usage;
use crate::dialect::placed::{Cites, place};
use crate::dialect::{Dialect, Origin, ReadError, Reply};
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw};
use crate::model::{
    Choice, Feature, Losses, Part, PartBody, Reasoning, Response, Signature, StopReason, Text, ToolCall,
};

/// # Errors
/// If the answer has no content.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let mut response = Response::new(Dialect::Anthropic);
    let mut choice = Choice::default();
    let (mut has_content, mut stop_reason, mut stop_sequence) = (false, None, None);
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" | b"role" => {}
            b"id" => response.id = value.text().unwrap_or_default(),
            b"model" => response.model = value.text(),
            b"content" => {
                has_content = value.kind == Kind::Array;
                choice.parts = block::read_all(value).unwrap_or_default();
                place(&mut choice.parts, Cites::Blocks);
            }
            b"stop_reason" => stop_reason = value.text(),
            b"stop_sequence" => stop_sequence = Some(value),
            b"usage" => {
                let mut reported = usage::Reported::default();
                reported.take(value);
                response.usage = Some(reported.counts());
                response.service_tier = usage::tier(value);
                // It tells more than the model knows: tools' requests, iterations, places.
                response.extras.keep(key, value);
            }
            _ => response.extras.keep(key, value),
        }
    }
    if !has_content {
        return Err(ReadError::new("an answer without content"));
    }
    choice.stop = stop_reason.map(|reason| stop::read(reason, stop_sequence));
    response.choices.push(choice);
    Ok(response)
}

pub(super) fn write(response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    let origin = Origin::of(response.dialect, Dialect::Anthropic);
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    body.string("id", if response.id.is_empty() { &reply.id } else { &response.id });
    body.string("type", "message");
    body.string("role", "assistant");
    // As in APISIX: the model that was called, by which the client can call it again.
    let model = Some(&*reply.model).filter(|model| origin == Origin::Foreign && !model.is_empty());
    body.string("model", model.or(response.model.as_deref()).unwrap_or_default());
    if response.choices.len() > 1 {
        losses.lose(Feature::Choices);
    }
    let choice = response.choices.first();
    let content = write_content(choice, origin, losses, &mut body);
    write_stop(choice, origin, content, &mut body);
    if origin == Origin::Own {
        response.extras.iter().for_each(|(name, value)| body.raw(name, value.bytes()));
    }
    // What was read as this dialect's has all of it above; what was folded from a stream has not.
    if origin == Origin::Foreign || response.extras.get("usage").is_none() {
        let counts = response.usage.unwrap_or_default();
        usage::write(&counts, response.service_tier.as_deref(), &mut body.object("usage"));
    }
    drop(body);
    out
}

fn write_content(
    choice: Option<&Choice<'_>>,
    origin: Origin,
    losses: &mut Losses,
    body: &mut ObjectWriter<'_>,
) -> Content {
    let mut answer = Answer { origin, losses, content: Content::default() };
    let mut blocks = body.array("content");
    if let Some(choice) = choice {
        choice.parts.iter().for_each(|part| answer.write_part(part, &mut blocks));
        answer.losses.lose_some(Feature::Logprobs, choice.logprobs.as_ref());
    }
    if blocks.is_empty() && origin == Origin::Foreign {
        // Clients reach for the first block.
        drop(block::write_text(blocks.element(), ""));
    }
    answer.content
}

fn write_stop(choice: Option<&Choice<'_>>, origin: Origin, content: Content, body: &mut ObjectWriter<'_>) {
    match choice.and_then(|choice| choice.stop.as_ref()) {
        None => {
            match origin {
                Origin::Own => body.null("stop_reason"),
                // SDKs act on the reason.
                Origin::Foreign => body.string("stop_reason", stop::word(StopReason::End, content)),
            }
            body.null("stop_sequence");
        }
        Some(stop) => {
            let word = match origin {
                Origin::Own => stop.native.as_ref(),
                Origin::Foreign => stop::word(stop.reason, content),
            };
            body.string("stop_reason", word);
            match &stop.sequence {
                Some(sequence) => body.string("stop_sequence", sequence),
                None => body.null("stop_sequence"),
            }
        }
    }
}

/// Writes an answer's blocks.
struct Answer<'l> {
    origin: Origin,
    losses: &'l mut Losses,
    content: Content,
}

impl Answer<'_> {
    fn write_part(&mut self, part: &Part<'_>, blocks: &mut ArrayWriter<'_>) {
        match &part.body {
            PartBody::Text { text, citations, signature } => {
                if !text.is_empty() || !citations.is_empty() || self.origin == Origin::Own {
                    let mut block = block::write_text(blocks.element(), text);
                    if !citations.is_empty() {
                        let mut array = block.array("citations");
                        citations.iter().for_each(|citation| block::write_citation(array.element(), citation));
                    }
                    write_extras(&mut block, part, self.origin);
                }
                write_proof(signature.as_ref(), blocks);
            }
            PartBody::Refusal(text) => {
                self.losses.lose(Feature::Refusal);
                self.content.has_refusal = true;
                drop(block::write_text(blocks.element(), text));
            }
            PartBody::Reasoning(reasoning) => self.write_reasoning(part, reasoning, blocks),
            PartBody::ToolCall(call) => self.write_call(part, call, blocks),
            PartBody::Opaque(json) if self.origin == Origin::Own => blocks.raw(json.bytes()),
            PartBody::Opaque(_) => self.losses.lose(Feature::ServerTools),
            PartBody::Media(_) | PartBody::ToolResult(_) => self.losses.lose(Feature::MediaOutput),
        }
    }

    fn write_call(&mut self, part: &Part<'_>, call: &ToolCall<'_>, blocks: &mut ArrayWriter<'_>) {
        self.content.has_calls = true;
        write_proof(call.signature.as_ref(), blocks);
        write_extras(&mut block::write_tool_use(blocks.element(), call), part, self.origin);
    }

    fn write_reasoning(&mut self, part: &Part<'_>, reasoning: &Reasoning<'_>, blocks: &mut ArrayWriter<'_>) {
        let written = |proof: &Option<Signature<'_>>| proof.as_ref().map(|proof| carried(proof));
        let (signature, encrypted) = (written(&reasoning.signature), written(&reasoning.encrypted));
        match (reasoning.text.is_empty(), signature, encrypted) {
            (true, None, Some(data)) => {
                write_extras(&mut block::write_redacted(blocks.element(), &data), part, self.origin);
            }
            (_, None, Some(data)) => {
                write_extras(&mut block::write_thinking(blocks.element(), &reasoning.text, &data), part, self.origin);
            }
            (_, signature, encrypted) => {
                let signature = signature.unwrap_or_default();
                let text = &reasoning.text;
                write_extras(&mut block::write_thinking(blocks.element(), text, &signature), part, self.origin);
                if let Some(data) = encrypted {
                    drop(block::write_redacted(blocks.element(), &data));
                }
            }
        }
    }
}

fn carried(proof: &Signature<'_>) -> Text<'static> {
    proof.written(Dialect::Anthropic).into_owned().into()
}

/// A signature of a block that has no field for it travels as a thought without text.
fn write_proof(proof: Option<&Signature<'_>>, blocks: &mut ArrayWriter<'_>) {
    if let Some(proof) = proof {
        drop(block::write_thinking(blocks.element(), "", &carried(proof)));
    }
}
