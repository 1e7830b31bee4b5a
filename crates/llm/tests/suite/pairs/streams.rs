//! Streams.

use tidegate_llm::TranslatedEnd;

use super::facts::AnswerFacts;
use super::recorded::{exchanges, others};
use super::{Faults, check, translate};

#[test]
fn every_recorded_stream_tells_the_same_in_every_dialect_and_back() {
    let mut faults = Faults::default();
    for exchange in exchanges() {
        let Some(stream) = &exchange.stream else { continue };
        let from = exchange.dialect;
        for to in others(from) {
            let name = || format!("{}: {from} to {to}", exchange.name);
            let there = translate(from, to, [stream.as_slice()]);
            if there.end != TranslatedEnd::Complete {
                continue;
            }
            if let Err(error) = check(to, &there.written) {
                faults.note(format!("{}: {error}", name()));
            }
            let back = translate(to, from, [there.written.as_slice()]);
            faults.compare(|| name() + ", the end", &there.end, &back.end);
            let facts = |answer: &_| AnswerFacts::of(answer, &[from, to]);
            let told = facts(&back.answer);
            faults.compare(name, &facts(&there.answer).in_the_words_of(&told), &told);
            if let Err(error) = check(from, &back.written) {
                faults.note(format!("{} and back: {error}", name()));
            }
            let again = translate(from, from, [back.written.as_slice()]);
            let told = facts(&again.answer);
            faults.compare(|| name() + " and back", &facts(&there.answer).in_the_words_of(&told), &told);
        }
    }
    faults.none();
}

#[test]
fn a_recorded_stream_that_fails_or_breaks_off_does_so_in_every_dialect() {
    for exchange in exchanges() {
        let Some(stream) = &exchange.stream else { continue };
        let own = translate(exchange.dialect, exchange.dialect, [stream.as_slice()]).end;
        for to in others(exchange.dialect) {
            let there = translate(exchange.dialect, to, [stream.as_slice()]);
            assert_eq!(there.end, own, "{} to {to}", exchange.name);
            if there.end != TranslatedEnd::Complete {
                let client = translate(to, to, [there.written.as_slice()]).end;
                assert_ne!(client, TranslatedEnd::Complete, "{} to {to}", exchange.name);
            }
        }
    }
}
