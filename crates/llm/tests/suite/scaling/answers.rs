//! Whole answers, as each dialect's own writer tells them, from each dialect to every other and to itself.

use tidegate_llm::model::{Choice, Losses, Part, PartBody, Reasoning, Response, Stop, StopReason};
use tidegate_llm::{Renames, translate_response};

use super::{HUNDRED_THOUSAND, LINE, Sizes, TEN_MB, assert_every_pair};
use crate::features::call;
use crate::pairs::{raw, reply};

/// Asks that the translation of an answer with so many of the parts that `tell` gives takes time in proportion.
fn assert_answers(name: &str, sizes: Sizes, tell: impl Fn(usize) -> Vec<Part<'static>>) {
    let made = |from, size| {
        let mut answer = Response::new(from);
        let stop = Stop { reason: StopReason::End, native: "".into(), sequence: None };
        answer.choices.push(Choice { parts: tell(size), stop: Some(stop), ..Choice::default() });
        from.write_response(&answer, &reply(), &mut Losses::default())
    };
    assert_every_pair(name, sizes, made, |(from, to), body: &Vec<u8>| {
        translate_response(from, to, raw(body), &reply(), &Renames::default()).unwrap()
    });
}

#[test]
fn a_text_of_10_mb() {
    assert_answers("a text", TEN_MB, |bytes| vec![Part::text(LINE.repeat(bytes / LINE.len()))]);
}

#[test]
fn many_texts() {
    assert_answers("texts", HUNDRED_THOUSAND, |texts| (0..texts).map(|_| Part::text("A text.")).collect());
}

#[test]
fn many_calls_in_one_answer() {
    assert_answers("calls", HUNDRED_THOUSAND, |calls| {
        let numbered = |number| {
            let mut made = call("");
            if let PartBody::ToolCall(call) = &mut made.body {
                call.id = format!("call_{number}").into();
            }
            made
        };
        (0..calls).map(numbered).collect()
    });
}

#[test]
fn thoughts_and_texts_by_turns() {
    assert_answers("by turns", HUNDRED_THOUSAND, |parts| {
        let thought = || Reasoning { text: "I think.".into(), ..Reasoning::default() };
        let part = |number: usize| match number.is_multiple_of(2) {
            true => PartBody::Reasoning(thought()).into(),
            false => Part::text("A text."),
        };
        (0..parts).map(part).collect()
    });
}
