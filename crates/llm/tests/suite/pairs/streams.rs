//! Streams.

use tidegate_llm::model::Response;
use tidegate_llm::{Dialect, TranslatedEnd};

use super::facts::AnswerFacts;
use super::recorded::exchanges;
use super::{Faults, check, others, translate};

#[test]
fn every_recorded_stream_tells_the_same_in_every_dialect_and_back() {
    let mut faults = Faults::default();
    for exchange in exchanges() {
        let Some(stream) = &exchange.stream else { continue };
        for to in others(exchange.dialect) {
            round_trip(&mut faults, &exchange.name, (exchange.dialect, to), stream);
        }
    }
    faults.none();
}

/// Translates a stream and back and notes what it does not tell any more, and where it leaves the dialect's grammar. A
/// stream that does not end well is passed over.
pub fn round_trip(faults: &mut Faults, name: &str, (from, to): (Dialect, Dialect), stream: &[u8]) {
    let name = format!("{name}: {from} to {to}");
    let there = translate(from, to, [stream]);
    if there.end != TranslatedEnd::Complete {
        return;
    }
    if let Err(error) = check(to, &there.written) {
        faults.note(format!("{name}: {error}"));
    }
    let facts = |answer: &Response<'_>| AnswerFacts::of(answer, &[from, to]);
    let back = translate(to, from, [there.written.as_slice()]);
    faults.compare(|| format!("{name}, the end"), &there.end, &back.end);
    let told = facts(&back.answer);
    faults.compare(|| name.clone(), &facts(&there.answer).in_the_words_of(&told), &told);
    if let Err(error) = check(from, &back.written) {
        faults.note(format!("{name} and back: {error}"));
    }
    let again = translate(from, from, [back.written.as_slice()]);
    let told = facts(&again.answer);
    faults.compare(|| format!("{name} and back"), &facts(&there.answer).in_the_words_of(&told), &told);
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
