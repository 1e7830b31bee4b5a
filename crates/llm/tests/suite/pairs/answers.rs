//! Whole answers.

use tidegate_llm::model::{Feature, Response};
use tidegate_llm::{Renames, translate_response};

use super::facts::{AnswerFacts, thoughts};
use super::recorded::{exchanges, others};
use super::{Faults, raw, reply};

#[test]
fn every_recorded_answer_tells_the_same_in_every_dialect_and_back() {
    let mut faults = Faults::default();
    for exchange in exchanges() {
        let Some(body) = &exchange.answer else { continue };
        let from = exchange.dialect;
        let Ok(answer) = from.read_response(raw(body)) else { continue };
        if answer.choices.is_empty() {
            continue;
        }
        for to in others(from) {
            let (there, losses) = translate_response(from, to, raw(body), &reply(), &Renames::default()).unwrap();
            let translated = to.read_response(raw(&there)).unwrap();
            let facts = |answer: &_| AnswerFacts::of(answer, &[from, to]);
            let name = || format!("{}: {from} to {to}", exchange.name);
            let before = facts(&answer).in_the_words_of(&facts(&translated));
            faults.compare(name, &before, &facts(&translated));
            if to.carries().contains(&Feature::Reasoning) && !losses.lost(Feature::Reasoning) {
                let thoughts = |answer: &Response<'_>| thoughts(&answer.choices[0].parts);
                faults.compare(|| name() + ", thoughts", &thoughts(&answer), &thoughts(&translated));
            }
            let (back, _) = translate_response(to, from, raw(&there), &reply(), &Renames::default()).unwrap();
            let again = facts(&from.read_response(raw(&back)).unwrap());
            faults.compare(|| name() + " and back", &facts(&answer).in_the_words_of(&again), &again);
        }
    }
    faults.none();
}
