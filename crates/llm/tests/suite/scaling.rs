//! Four times as much to translate takes about four times as long, not sixteen times.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_llm::Dialect;
use tidegate_llm::model::{Event, Losses, Part, PartBody, Request, Role, StreamStart, Turn};

use crate::features::{call, result, tool};
use crate::pairs::{raw, reply, to, translate};

/// More than this for four times the work is more than noise.
const MOST: u32 = 8;

/// Each dialect with another one.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    Dialect::ALL.into_iter().zip(Dialect::ALL.into_iter().cycle().skip(1))
}

/// The shortest of three runs, which is the one that the least else disturbed.
fn shortest(mut work: impl FnMut()) -> Duration {
    let run = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..3).map(|_| run(&mut work)).min().unwrap()
}

/// Asks for the times of 500 and of 2000 pieces, again if something else has disturbed them.
fn assert_in_proportion(name: &str, time: impl Fn(usize) -> Duration) {
    let times: Vec<_> =
        (0..5).map(|_| (time(500), time(2000))).take_while(|(one, four)| *four >= *one * MOST).collect();
    assert!(times.len() < 5, "{name}: {times:?}");
}

/// A conversation of `turns` calls and their results.
fn conversation(from: Dialect, turns: usize) -> Vec<u8> {
    let mut request = Request::new(from);
    request.model = Some("a-model".into());
    request.tools.push(tool("f"));
    request.turns.push(Turn::new(Role::User, vec![Part::text("Go on.")]));
    for number in 0..turns {
        let (mut asked, mut answered) = (call(""), result("", "done"));
        if let (PartBody::ToolCall(call), PartBody::ToolResult(result)) = (&mut asked.body, &mut answered.body) {
            call.id = format!("call_{number}").into();
            result.call_id = call.id.clone();
            result.name = Some("f".into());
        }
        request.turns.push(Turn::new(Role::Assistant, vec![asked]));
        request.turns.push(Turn::new(Role::Tool, vec![answered]));
    }
    from.write_request(&request, &Default::default(), &mut Losses::default())
}

/// A stream of `pieces` of text and, in one call, of arguments.
fn stream(from: Dialect, pieces: usize) -> Vec<u8> {
    let (mut writer, mut out, choice) = (from.stream_writer(reply()), Vec::new(), 0);
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    write(Event::Start(StreamStart::default()));
    (0..pieces).for_each(|_| write(Event::Text { choice, text: "piece ".into() }));
    write(Event::ToolCall { choice, call: 0, id: "call_0".into(), name: "f".into(), signature: None });
    let long = json!({"text": "word ".repeat(pieces)}).to_string();
    long.as_bytes().chunks(5).for_each(|piece| {
        write(Event::Arguments { choice, call: 0, json: String::from_utf8_lossy(piece) });
    });
    writer.finish(&mut out);
    out
}

#[test]
fn requests_take_time_in_proportion() {
    for (from, other) in pairs() {
        let time = |turns| {
            let body = conversation(from, turns);
            let path = tidegate_llm::PathFacts { model: Some("a-model"), stream: false };
            shortest(|| drop(tidegate_llm::translate_request(from, &to(other), raw(&body), path).unwrap()))
        };
        assert_in_proportion(&format!("{from} to {other}"), time);
    }
}

#[test]
fn streams_take_time_in_proportion() {
    for (from, other) in pairs() {
        let time = |pieces| {
            let stream = stream(from, pieces);
            shortest(|| drop(translate(from, other, stream.chunks(4096))))
        };
        assert_in_proportion(&format!("{from} to {other}"), time);
    }
}
