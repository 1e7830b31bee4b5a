//! `logprobsResult` and OpenAI's `logprobs` object, which the model holds.

use crate::json::{ArrayWriter, ObjectWriter, Raw, write_number};
use crate::model::Json;

/// OpenAI's object for what Gemini tells.
pub(super) fn read(result: Raw<'_>) -> Json<'static> {
    let (mut chosen, mut alternatives) = (None, None);
    for (key, value) in result.members() {
        match key {
            b"chosenCandidates" => chosen = Some(value.elements()),
            b"topCandidates" => alternatives = Some(value.elements()),
            _ => {}
        }
    }
    let mut out = Vec::with_capacity(result.bytes.len());
    let mut object = ObjectWriter::new(&mut out);
    let mut content = object.array("content");
    for token in chosen.into_iter().flatten() {
        let position = alternatives.as_mut().and_then(Iterator::next);
        let mut written = content.object();
        write_token(&mut written, token);
        let mut top = written.array("top_logprobs");
        let candidates = position.and_then(|position| position.get("candidates"));
        for candidate in candidates.into_iter().flat_map(Raw::elements) {
            write_token(&mut top.object(), candidate);
        }
    }
    drop(content);
    drop(object);
    Json::owned(out)
}

fn write_token(written: &mut ObjectWriter<'_>, token: Raw<'_>) {
    let (mut text, mut probability) = (None, None);
    for (key, value) in token.members() {
        match key {
            b"token" => text = value.text(),
            b"logProbability" => probability = Some(value.bytes),
            _ => {}
        }
    }
    let text = text.unwrap_or_default();
    written.string("token", &text);
    // A probability of one, whose logarithm is zero, is left out.
    written.raw("logprob", probability.unwrap_or(b"0"));
    let mut bytes = written.array("bytes");
    text.bytes().for_each(|byte| write_number(bytes.element(), u64::from(byte)));
}

/// Writes OpenAI's object as `logprobsResult`.
pub(super) fn write(candidate: &mut ObjectWriter<'_>, logprobs: &Json<'_>) {
    let Some(content) = logprobs.raw().get("content") else { return };
    let mut result = candidate.object("logprobsResult");
    let mut chosen = result.array("chosenCandidates");
    content.elements().for_each(|token| write_candidate(&mut chosen, token));
    drop(chosen);
    let mut positions = result.array("topCandidates");
    for token in content.elements() {
        let mut position = positions.object();
        let mut candidates = position.array("candidates");
        let alternatives = token.get("top_logprobs");
        alternatives.into_iter().flat_map(Raw::elements).for_each(|token| write_candidate(&mut candidates, token));
    }
}

fn write_candidate(candidates: &mut ArrayWriter<'_>, token: Raw<'_>) {
    let mut candidate = candidates.object();
    for (key, value) in token.members() {
        match key {
            b"token" => candidate.raw("token", value.bytes),
            b"logprob" => candidate.raw("logProbability", value.bytes),
            _ => {}
        }
    }
}
