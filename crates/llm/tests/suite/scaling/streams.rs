//! Streams, as each dialect's own writer tells them, from each dialect to every other and to itself.

use tidegate_llm::model::{Event, StreamStart};
use tidegate_llm::{Dialect, Renames, StreamTranslator};

use super::{HUNDRED_THOUSAND, LINE, Sizes, TEN_MB, TEN_THOUSAND, assert_every_pair};
use crate::pairs::reply;

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

/// Asks that the translation of a stream with so many of what `tell` says takes time in proportion if it comes
/// in chunks of `chunk` bytes.
fn assert_streams(name: &str, sizes: Sizes, chunk: usize, tell: impl Fn(usize, &mut dyn FnMut(Event<'_>))) {
    let made = |from, size| stream(from, |write| tell(size, write));
    assert_every_pair(name, sizes, made, |(from, to), stream: &Vec<u8>| {
        let (mut translator, mut written) = (StreamTranslator::new(from, to, reply(), Renames::default()), Vec::new());
        stream.chunks(chunk).for_each(|chunk| translator.push(chunk, &mut written, &mut |_| {}).unwrap());
        (translator.end(&mut written), written)
    });
}

#[test]
fn a_hundred_thousand_pieces_of_text() {
    assert_streams("text", HUNDRED_THOUSAND, 4096, |pieces, write| {
        (0..pieces).for_each(|_| write(Event::Text { choice: CHOICE, text: "piece ".into() }));
    });
}

#[test]
fn many_pieces_of_reasoning() {
    assert_streams("reasoning", HUNDRED_THOUSAND, 4096, |pieces, write| {
        let piece = || Event::Reasoning { choice: CHOICE, text: "piece ".into(), is_summary: false };
        (0..pieces).for_each(|_| write(piece()));
    });
}

#[test]
fn text_and_reasoning_by_turns() {
    assert_streams("by turns", TEN_THOUSAND, 4096, |pieces, write| {
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
    assert_streams("arguments", HUNDRED_THOUSAND, 4096, |pieces, write| {
        write(begin_call(0));
        write(arguments(0, "{\"text\":\""));
        (0..pieces).for_each(|_| write(arguments(0, "piece ")));
        write(arguments(0, "\"}"));
    });
}

#[test]
fn many_calls() {
    assert_streams("calls", HUNDRED_THOUSAND, 4096, |events, write| {
        for call in (0..).take(events / 3) {
            write(begin_call(call));
            write(arguments(call, "{}"));
            write(Event::PartEnd { choice: CHOICE });
        }
    });
}

#[test]
fn calls_whose_arguments_come_mixed() {
    assert_streams("mixed calls", TEN_THOUSAND, 4096, |calls, write| {
        (0..).take(calls).for_each(|call| write(begin_call(call)));
        for piece in ["{\"a\":", "1", "}"] {
            (0..).take(calls).for_each(|call| write(arguments(call, piece)));
        }
    });
}

#[test]
fn calls_that_are_never_whole_amid_text() {
    assert_streams("calls amid text", TEN_THOUSAND, 4096, |calls, write| {
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
    assert_streams("one event", TEN_MB, 4096, |bytes, write| {
        write(Event::Text { choice: CHOICE, text: LINE.repeat(bytes / LINE.len()).into() });
    });
}

#[test]
fn one_event_that_comes_byte_by_byte() {
    assert_streams("bytes", Sizes { next: 200_000, others: 200_000 }, 1, |bytes, write| {
        write(Event::Text { choice: CHOICE, text: "A line.\n".repeat(bytes / 8).into() });
    });
}
