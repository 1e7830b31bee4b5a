//! Whole answers.

use tidegate_llm::model::{Feature, Response, StopReason};
use tidegate_llm::{AnswerError, Dialect, Renames, TranslatedAnswer, translate_response};

use super::facts::{AnswerFacts, thoughts};
use super::recorded::exchanges;
use super::{Faults, others, raw, reply};

#[test]
fn every_recorded_answer_tells_the_same_in_every_dialect_and_back() {
    let mut faults = Faults::default();
    for exchange in exchanges() {
        let Some(body) = &exchange.answer else { continue };
        for to in others(exchange.dialect) {
            round_trip(&mut faults, &exchange.name, (exchange.dialect, to), body);
        }
    }
    faults.none();
}

/// Translates an answer's `body` and back and notes what it does not tell any more. A body that is no answer is passed
/// over.
pub fn round_trip(faults: &mut Faults, name: &str, (from, to): (Dialect, Dialect), body: &[u8]) {
    let Some(answer) = from.read_response(raw(body)).ok().filter(|answer| !answer.choices.is_empty()) else { return };
    let name = format!("{name}: {from} to {to}");
    let facts = |answer: &Response<'_>| AnswerFacts::of(answer, &[from, to]);
    let TranslatedAnswer { body: there, losses, .. } =
        translate_response(from, to, raw(body), &reply(), &Renames::default()).unwrap();
    let translated = to.read_response(raw(&there)).unwrap();
    let told = facts(&translated);
    faults.compare(|| name.clone(), &facts(&answer).in_the_words_of(&told), &told);
    if to.carries().contains(&Feature::Reasoning) && !losses.lost(Feature::Reasoning) {
        let thoughts = |answer: &Response<'_>| thoughts(&answer.choices[0].parts);
        faults.compare(|| format!("{name}, thoughts"), &thoughts(&answer), &thoughts(&translated));
    }
    let back = match translate_response(to, from, raw(&there), &reply(), &Renames::default()) {
        Ok(back) => back.body,
        // Some dialects have one word for a call that went wrong and for a provider that gave up.
        Err(AnswerError::Failed(_)) if is_malformed(&answer) => return,
        Err(error) => panic!("{name} and back: {error:?}"),
    };
    let told = facts(&from.read_response(raw(&back)).unwrap());
    faults.compare(|| format!("{name} and back"), &facts(&answer).in_the_words_of(&told), &told);
}

fn is_malformed(answer: &Response<'_>) -> bool {
    let stops = || answer.choices.iter().filter_map(|choice| choice.stop.as_ref());
    stops().any(|stop| stop.reason == StopReason::Malformed)
}
