//! A whole answer, read.

use crate::dialect::gemini::grounding::{self, Pointer};
use crate::dialect::gemini::{logprobs, part, stop, usage};
use crate::dialect::{Dialect, ReadError};
use crate::json::Raw;
use crate::model::{Choice, Part, PartBody, Response};

use super::{Candidate, visible_text};

pub(in crate::dialect::gemini) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let mut response = Response::new(Dialect::Gemini);
    let mut blocked = None;
    let mut usage_extras = Vec::new();
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"candidates" => {
                let candidates = part::elements(value).map(Candidate::read);
                response.choices = candidates.zip(0..).map(|(candidate, at)| read_choice(candidate, at)).collect();
            }
            b"responseId" => response.id = value.text().unwrap_or_default(),
            b"modelVersion" => response.model = value.text(),
            b"usageMetadata" => {
                let report = usage::read(value);
                response.usage = Some(report.counts);
                response.service_tier = report.service_tier;
                usage_extras = report.extras;
            }
            _ => {
                if key == b"promptFeedback" {
                    blocked = stop::read_block(value);
                }
                response.extras.keep(key, value);
            }
        }
    }
    response.extras.0.extend(usage_extras);
    if !response.choices.is_empty() {
        return Ok(response);
    }
    let Some(stop) = blocked else {
        return Err(ReadError::new("the answer has neither candidates nor a reason why the prompt was blocked"));
    };
    response.choices.push(Choice { stop: Some(stop), ..Choice::default() });
    Ok(response)
}

fn read_choice(candidate: Candidate<'_>, at: u32) -> Choice<'_> {
    let has_calls = candidate.has_calls();
    let Candidate { index, mut parts, finish_reason, grounding, citations, logprobs, extras } = candidate;
    if grounding.is_some() || citations.is_some() {
        let texts: Vec<_> = parts.iter().map(visible_text).collect();
        let pointers = grounding::read(grounding, citations, &texts);
        cite(&mut parts, pointers);
    }
    Choice {
        index: index.unwrap_or(at),
        parts,
        stop: finish_reason.and_then(|reason| stop::read(reason, has_calls)),
        logprobs: logprobs.map(logprobs::read),
        extras,
    }
}

/// Gives each visible text its citations.
fn cite<'a>(parts: &mut Vec<Part<'a>>, pointers: Vec<Pointer<'a>>) {
    let mut without_text = Vec::new();
    for Pointer { part, citation } in pointers {
        match parts.get_mut(part).map(|part| &mut part.body) {
            Some(PartBody::Text { citations, .. }) => citations.push(citation),
            _ => without_text.push(citation),
        }
    }
    if !without_text.is_empty() {
        parts.push(PartBody::Text { text: Default::default(), citations: without_text, signature: None }.into());
    }
}
