//! Requests.

use tidegate_llm::model::{Feature, Request, ToolChoice};
use tidegate_llm::{Dialect, PathFacts, TranslateError, translate_request};

use super::facts::RequestFacts;
use super::recorded::exchanges;
use super::{Faults, others, raw, to};

/// OpenAI Responses refuses to be held to fewer output tokens.
const LEAST_OF_RESPONSES: u64 = 16;

#[test]
fn every_recorded_request_asks_the_same_in_every_dialect_and_back() {
    let mut faults = Faults::default();
    for exchange in exchanges() {
        let Some(body) = &exchange.request else { continue };
        for other in others(exchange.dialect) {
            let path = PathFacts { model: Some("a-model"), stream: exchange.stream.is_some(), betas: None };
            round_trip(&mut faults, &exchange.name, (exchange.dialect, other), body, path);
        }
    }
    faults.none();
}

/// Translates a request's `body` and back and notes what it does not ask any more. A body that is no request, that asks
/// nothing, or that refers to what another provider keeps, is passed over.
pub fn round_trip(
    faults: &mut Faults,
    name: &str,
    (from, other): (Dialect, Dialect),
    body: &[u8],
    path: PathFacts<'_>,
) {
    let Ok(request) = from.read_request(raw(body)) else { return };
    if RequestFacts::of(&request).is_empty() {
        return;
    }
    let name = format!("{name}: {from} to {other}");
    let there = match translate_request(from, &to(other), raw(body), path) {
        Err(TranslateError::NotFound(_)) => return,
        translated => translated.unwrap(),
    };
    let Ok(translated) = other.read_request(raw(&there.body)) else {
        return faults.note(format!("{name}: it cannot be read"));
    };
    compare(faults, &name, &request, &translated);
    if !there.losses.lost(Feature::MaxTokens) && request.max_tokens.is_some() {
        let least = if other == Dialect::OpenAiResponses { LEAST_OF_RESPONSES } else { 0 };
        let wanted = request.max_tokens.map(|most| most.max(least));
        faults.compare(|| format!("{name}, max_tokens"), &wanted, &translated.max_tokens);
    }
    if !there.losses.lost(Feature::StopSequences) {
        faults.compare(|| format!("{name}, stop"), &request.stop_sequences, &translated.stop_sequences);
    }
    let back = translate_request(other, &to(from), raw(&there.body), path).unwrap();
    match from.read_request(raw(&back.body)) {
        Ok(again) => compare(faults, &format!("{name} and back"), &request, &again),
        Err(error) => faults.note(format!("{name} and back: {error}")),
    }
}

fn compare(faults: &mut Faults, name: &str, before: &Request<'_>, after: &Request<'_>) {
    let chosen = &before.tool_choice;
    let after = RequestFacts::of(after);
    let before = RequestFacts::of(before).in_the_words_of(&after);
    faults.compare(|| format!("{name}, instructions"), &before.instructions, &after.instructions);
    faults.compare(|| format!("{name}, what is said"), &before.said, &after.said);
    faults.compare(|| format!("{name}, calls"), &before.calls, &after.calls);
    faults.compare(|| format!("{name}, results"), &before.results, &after.results);
    match chosen {
        // Some dialects can only be told what is allowed by leaving out the rest.
        Some(ToolChoice::Function(_) | ToolChoice::Allowed { .. } | ToolChoice::None)
            if after.tools.len() < before.tools.len() =>
        {
            let known = after.tools.iter().all(|name| before.tools.contains(name));
            faults.compare(|| format!("{name}, tools"), &known, &true);
        }
        _ => faults.compare(|| format!("{name}, tools"), &before.tools, &after.tools),
    }
}
