//! Streams, as each dialect's own writer tells them, from each dialect to the next.

use tidegate_llm::Dialect;
use tidegate_llm::model::{Event, StreamStart};

use super::{assert_in_proportion, pairs};
use crate::pairs::{reply, translate};

const CHOICE: u32 = 0;

/// The stream in which `from` tells what `tell` says.
fn stream(from: Dialect, tell: impl FnOnce(&mut dyn FnMut(Event<'_>))) -> Vec<u8> {
    let (mut writer, mut out) = (from.stream_writer(reply()), Vec::new());
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    write(Event::Start(StreamStart::default()));
    tell(&mut write);
    writer.finish(&mut out);
    out
}

fn begin_call(call: u32) -> Event<'static> {
    let (id, name) = (format!("call_{call}").into(), "f".into());
    Event::ToolCall { choice: CHOICE, call, id, name, signature: None }
}

fn arguments(call: u32, json: &'static str) -> Event<'static> {
    Event::Arguments { choice: CHOICE, call, json: json.into() }
}

/// Asks that the translation of a stream with `size` of what `tell` says takes time in proportion if it comes in chunks
/// of `chunk` bytes.
fn assert_streams(name: &str, size: usize, chunk: usize, tell: impl Fn(usize, &mut dyn FnMut(Event<'_>))) {
    for (from, other) in pairs() {
        let made = |size| stream(from, |write| tell(size, write));
        assert_in_proportion(&format!("{name}, {from} to {other}"), size, made, |stream: &Vec<u8>| {
            translate(from, other, stream.chunks(chunk))
        });
    }
}

#[test]
fn a_hundred_thousand_pieces_of_text() {
    assert_streams("text", 100_000, 4096, |pieces, write| {
        (0..pieces).for_each(|_| write(Event::Text { choice: CHOICE, text: "piece ".into() }));
    });
}

#[test]
fn many_pieces_of_reasoning() {
    assert_streams("reasoning", 10_000, 4096, |pieces, write| {
        let piece = || Event::Reasoning { choice: CHOICE, text: "piece ".into(), is_summary: false };
        (0..pieces).for_each(|_| write(piece()));
    });
}

#[test]
fn text_and_reasoning_by_turns() {
    assert_streams("by turns", 10_000, 4096, |pieces, write| {
        for number in 0..pieces {
            let text = "piece ".into();
            write(match number % 2 {
                0 => Event::Text { choice: CHOICE, text },
                _ => Event::Reasoning { choice: CHOICE, text, is_summary: number % 4 == 1 },
            });
        }
    });
}

#[test]
fn many_pieces_of_one_call() {
    assert_streams("arguments", 10_000, 4096, |pieces, write| {
        write(begin_call(0));
        write(arguments(0, "{\"text\":\""));
        (0..pieces).for_each(|_| write(arguments(0, "piece ")));
        write(arguments(0, "\"}"));
    });
}

#[test]
fn many_calls() {
    assert_streams("calls", 4_000, 4096, |calls, write| {
        for call in (0..).take(calls) {
            write(begin_call(call));
            write(arguments(call, "{}"));
            write(Event::PartEnd { choice: CHOICE });
        }
    });
}

#[test]
fn calls_whose_arguments_come_mixed() {
    assert_streams("mixed calls", 4_000, 4096, |calls, write| {
        (0..).take(calls).for_each(|call| write(begin_call(call)));
        for piece in ["{\"a\":", "1", "}"] {
            (0..).take(calls).for_each(|call| write(arguments(call, piece)));
        }
    });
}

#[test]
fn calls_that_are_never_whole_amid_text() {
    assert_streams("calls amid text", 4_000, 4096, |calls, write| {
        for call in (0..).take(calls) {
            write(begin_call(call));
            write(arguments(call, "{\"a\":"));
            write(Event::Text { choice: CHOICE, text: "piece ".into() });
        }
    });
}

/// In each framing.
#[test]
fn one_event_of_10_mb() {
    for (from, other) in pairs().step_by(2) {
        let text = |bytes| Event::Text { choice: CHOICE, text: "A line.\n".repeat(bytes / 8).into() };
        let made = |bytes| stream(from, |write| write(text(bytes)));
        assert_in_proportion(&format!("one event, {from} to {other}"), 10_000_000, made, |stream: &Vec<u8>| {
            translate(from, other, stream.chunks(4096))
        });
    }
}

#[test]
fn one_event_that_comes_byte_by_byte() {
    assert_streams("bytes", 200_000, 1, |bytes, write| {
        write(Event::Text { choice: CHOICE, text: "A line.\n".repeat(bytes / 8).into() });
    });
}
