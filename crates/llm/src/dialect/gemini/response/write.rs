//! A whole answer, written.

use std::borrow::Cow;

use crate::dialect::gemini::grounding::{self, Grounded};
use crate::dialect::gemini::media;
use crate::dialect::gemini::request::write_call;
use crate::dialect::gemini::{logprobs, signature, stop, usage};
use crate::dialect::{Dialect, Origin, Reply};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Choice, Feature, Losses, Part, PartBody, Reasoning, Response, Signature};

/// What only writers of answers keep under this name: a prompt that was blocked.
const FEEDBACK: &str = "promptFeedback";

pub(in crate::dialect::gemini) fn write(response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
    let origin = Origin::of(response.dialect, Dialect::Gemini);
    let is_own = origin == Origin::Own;
    let mut out = Vec::with_capacity(1024);
    let mut body = ObjectWriter::new(&mut out);
    if !(is_own && is_blocked_prompt(response)) {
        let mut candidates = body.array("candidates");
        for choice in &response.choices {
            write_choice(&mut candidates.object(), choice, origin, losses);
        }
    }
    if let Some(counts) = &response.usage {
        let mut metadata = body.object("usageMetadata");
        usage::write(&mut metadata, counts, is_own.then_some(&response.extras));
        metadata.maybe_string("serviceTier", response.service_tier.as_deref().map(usage::tier));
    }
    body.string("modelVersion", response.model.as_deref().unwrap_or(&reply.model));
    body.string("responseId", if response.id.is_empty() { &reply.id } else { &response.id });
    if is_own {
        let extras = response.extras.iter().filter(|(key, _)| !key.starts_with(usage::EXTRAS));
        extras.for_each(|(key, value)| body.raw(key, value.bytes()));
    }
    drop(body);
    out
}

/// Gemini then gives no candidate at all.
fn is_blocked_prompt(response: &Response<'_>) -> bool {
    let feedback = response.extras.get(FEEDBACK).and_then(|feedback| feedback.raw().get("blockReason"));
    feedback.is_some() && response.choices.iter().all(|choice| choice.parts.is_empty())
}

fn write_choice(candidate: &mut ObjectWriter<'_>, choice: &Choice<'_>, origin: Origin, losses: &mut Losses) {
    let is_own = origin == Origin::Own;
    let mut content = candidate.object("content");
    content.string("role", "model");
    if !choice.parts.is_empty() {
        let mut parts = content.array("parts");
        choice.parts.iter().for_each(|part| write_part(&mut parts, part, origin, losses));
    }
    drop(content);
    match &choice.stop {
        Some(told) => stop::write(candidate, told, origin),
        None if is_own => {}
        None => candidate.string("finishReason", stop::END),
    }
    candidate.number("index", u64::from(choice.index));
    let has = |key| is_own && choice.extras.get(key).is_some();
    if !has("groundingMetadata") && !has("citationMetadata") {
        grounding::write(candidate, &cited(&choice.parts));
    }
    if let Some(told) = choice.logprobs.as_ref().filter(|_| !has("logprobsResult")) {
        logprobs::write(candidate, told);
    }
    if is_own {
        choice.extras.iter().for_each(|(key, value)| candidate.raw(key, value.bytes()));
    }
}

fn cited<'p>(parts: &'p [Part<'_>]) -> Vec<Grounded<'p, 'p>> {
    let mut cited = Vec::new();
    let mut before = 0;
    for (part, at) in parts.iter().zip(0..) {
        if let PartBody::Text { text, citations, .. } = &part.body {
            cited.extend(citations.iter().map(|citation| Grounded { citation, text, before, part: at }));
            before += text.chars().count() as u64;
        }
    }
    cited
}

/// Writes a part of an answer, in one part or two.
pub(in crate::dialect::gemini) fn write_part(
    parts: &mut ArrayWriter<'_>,
    part: &Part<'_>,
    origin: Origin,
    losses: &mut Losses,
) {
    match &part.body {
        PartBody::Text { text, signature, .. } => {
            let mut object = parts.object();
            write_text(&mut object, text, signature.as_ref());
            write_extras(part, origin, &mut object);
        }
        PartBody::Media(medium) => {
            let mut json = Vec::new();
            let mut object = ObjectWriter::new(&mut json);
            let is_written = media::write(&mut object, medium, origin, losses);
            write_extras(part, origin, &mut object);
            drop(object);
            if is_written {
                parts.raw(&json);
            }
        }
        PartBody::ToolCall(call) => {
            let mut object = parts.object();
            write_call(&mut object, call);
            object.maybe_string("thoughtSignature", call.signature.as_ref().map(signature::write).as_deref());
            write_extras(part, origin, &mut object);
        }
        PartBody::Reasoning(reasoning) => {
            let Reasoning { text, signature, encrypted, .. } = reasoning;
            if !text.is_empty() || signature.is_some() || (origin == Origin::Own && encrypted.is_none()) {
                let mut object = parts.object();
                write_reasoning(&mut object, text, signature.as_ref().map(Proof::Signature));
                write_extras(part, origin, &mut object);
            }
            if let Some(encrypted) = encrypted {
                write_reasoning(&mut parts.object(), "", Some(Proof::Encrypted(encrypted)));
            }
        }
        PartBody::Refusal(text) => {
            losses.lose(Feature::Refusal);
            write_text(&mut parts.object(), text, None);
        }
        PartBody::Opaque(json) if origin == Origin::Own => parts.raw(json.bytes()),
        PartBody::Opaque(_) | PartBody::ToolResult(_) => losses.lose(Feature::ServerTools),
    }
}

fn write_extras(part: &Part<'_>, origin: Origin, object: &mut ObjectWriter<'_>) {
    if origin == Origin::Own {
        part.extras.iter().for_each(|(key, value)| object.raw(key, value.bytes()));
    }
}

/// Writes the members of a text.
pub(in crate::dialect::gemini) fn write_text(part: &mut ObjectWriter<'_>, text: &str, proof: Option<&Signature<'_>>) {
    part.string("text", text);
    part.maybe_string("thoughtSignature", proof.map(signature::write).as_deref());
}

/// What proves or holds a thought.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialect::gemini) enum Proof<'s> {
    Signature(&'s Signature<'s>),
    /// A thought that only its provider can read. It has no text, not even an empty one, and is told by that.
    Encrypted(&'s Signature<'s>),
}

/// Writes the members of a thought.
pub(in crate::dialect::gemini) fn write_reasoning(part: &mut ObjectWriter<'_>, text: &str, proof: Option<Proof<'_>>) {
    let proof: Option<Cow<'_, str>> = match proof {
        None => {
            part.string("text", text);
            None
        }
        Some(Proof::Signature(proof)) => {
            part.string("text", text);
            Some(signature::write(proof))
        }
        Some(Proof::Encrypted(proof)) => Some(signature::write(proof)),
    };
    part.boolean("thought", true);
    part.maybe_string("thoughtSignature", proof.as_deref());
}
