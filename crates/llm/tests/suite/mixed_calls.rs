//! Calls and texts whose pieces a provider mixes: clients whose dialect cannot mix them get one after the other, whole;
//! and the citations of long texts.

use serde_json::{Value, json};
use tidegate_llm::model::{Citation, Event, PartBody, Stop, StopReason, StreamStart};
use tidegate_llm::{Dialect, Frame, TranslatedEnd};

use crate::pairs::{check, reply, translate};

/// Dialects in which nothing comes between the pieces of a call.
const ONE_BY_ONE: [Dialect; 4] =
    [Dialect::Anthropic, Dialect::BedrockConverse, Dialect::Cohere, Dialect::OpenAiResponses];

fn call(call: u32, id: &'static str) -> Event<'static> {
    Event::ToolCall { choice: 0, call, id: id.into(), name: "f".into(), signature: None }
}

fn piece(call: u32, json: &'static str) -> Event<'static> {
    Event::Arguments { choice: 0, call, json: json.into() }
}

fn text(text: impl Into<String>) -> Event<'static> {
    Event::Text { choice: 0, text: text.into().into() }
}

fn stop(reason: StopReason) -> Event<'static> {
    Event::Stop { choice: 0, stop: Stop { reason, native: "".into(), sequence: None } }
}

/// `events` as a stream of `dialect`.
fn written(dialect: Dialect, events: &[Event<'_>]) -> Vec<u8> {
    let mut writer = dialect.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    check(dialect, &out).unwrap_or_else(|fault| panic!("{dialect}: {fault}: {}", String::from_utf8_lossy(&out)));
    out
}

#[test]
fn no_argument_is_lost_where_text_and_other_calls_come_between() {
    const END: Event<'static> = Event::PartEnd { choice: 0 };
    let called = || stop(StopReason::ToolCalls);
    let streams = [
        vec![
            call(0, "a"),
            piece(0, "{\"x\""),
            text("so"),
            piece(0, ":1}"),
            call(1, "b"),
            piece(1, "{\"y\":2}"),
            called(),
        ],
        vec![call(0, "a"), text("so"), piece(0, "{\"x\":1}"), call(1, "b"), piece(1, "{\"y\":2}"), called()],
        vec![
            call(0, "a"),
            piece(0, "{\"x\""),
            call(1, "b"),
            piece(1, "{\"y"),
            END,
            piece(0, ":1}"),
            piece(1, "\":2}"),
            text("so"),
        ],
        vec![
            call(0, "a"),
            piece(0, "{"),
            call(1, "b"),
            text("so"),
            piece(1, "{\"y\":2}"),
            piece(0, "\"x\":1}"),
            called(),
        ],
    ];
    for (dialect, events) in Dialect::ALL.into_iter().flat_map(|dialect| streams.iter().map(move |one| (dialect, one)))
    {
        let stream = written(dialect, events);
        let told = translate(dialect, Dialect::OpenAiChat, [stream.as_slice()]);
        assert_eq!(told.end, TranslatedEnd::Complete);
        let (mut arguments, mut words) = (Vec::new(), String::new());
        for part in &told.answer.choices[0].parts {
            match &part.body {
                PartBody::ToolCall(call) => arguments.push(call.arguments.replace(' ', "")),
                PartBody::Text { text, .. } => words.push_str(text),
                _ => {}
            }
        }
        assert_eq!(
            (arguments, words.as_str()),
            (vec!["{\"x\":1}".into(), "{\"y\":2}".into()], "so"),
            "{dialect}: {events:?}"
        );
    }
}

/// Where the citations point that come of a stream of `dialect` that tells so much text and cites its beginning.
fn span_after(dialect: Dialect, length: usize) -> Option<(u64, u64)> {
    let cited = Citation { url: Some("https://a.example".into()), span: Some((0, 4)), ..Citation::default() };
    let words = "word ".repeat(length / 5);
    let events = [text(words), Event::Citation { choice: 0, citation: Box::new(cited) }, stop(StopReason::End)];
    let told = translate(dialect, Dialect::OpenAiChat, [written(dialect, &events).as_slice()]);
    let cited = told.answer.choices[0].parts.iter().find_map(|part| match &part.body {
        PartBody::Text { citations, .. } => citations.first().cloned(),
        _ => None,
    });
    let cited = cited.unwrap_or_else(|| panic!("{dialect}: no citation of {length} bytes"));
    assert_eq!(cited.url.as_deref(), Some("https://a.example"));
    cited.span.filter(|(start, end)| start < end)
}

#[test]
fn citations_of_a_text_too_long_to_be_kept_have_no_span() {
    for dialect in [Dialect::Gemini, Dialect::Cohere] {
        assert_eq!(span_after(dialect, 1000), Some((0, 4)), "{dialect}");
        assert_eq!(span_after(dialect, 2 << 20), None, "{dialect}");
    }
}

/// What a stream of `dialect` has told when a call is open and `events` have come.
fn told_beside_an_open_call(dialect: Dialect, events: &[Event<'_>]) -> String {
    let mut writer = dialect.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    [call(0, "a"), piece(0, "{")].iter().for_each(|event| writer.write(event, &mut out));
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn a_call_that_never_ends_does_not_keep_all_else_waiting() {
    let long = || text("word".repeat(1 << 19));
    let many: Vec<_> = (0..20_000).map(|_| text("word")).collect();
    for dialect in ONE_BY_ONE {
        assert!(!told_beside_an_open_call(dialect, &[text("word")]).contains("word"), "{dialect}");
        assert!(told_beside_an_open_call(dialect, &[long()]).contains("word"), "{dialect}");
        assert!(told_beside_an_open_call(dialect, &many).contains("word"), "{dialect}");
        let stopped = [text("word"), stop(StopReason::ToolCalls)];
        assert!(told_beside_an_open_call(dialect, &stopped).contains("word"), "{dialect}");
    }
}

#[test]
fn what_no_longer_waits_is_not_counted() {
    let round = |number| [piece(number, "}"), call(number + 1, "b"), piece(number + 1, "{"), text("x".repeat(1 << 17))];
    let mut events: Vec<_> = (0..32).flat_map(round).collect();
    events.push(text("word"));
    for dialect in ONE_BY_ONE {
        assert!(!told_beside_an_open_call(dialect, &events).contains("word"), "{dialect}");
    }
}

#[test]
fn arguments_go_to_the_block_that_anthropics_events_number() {
    let event = |index: u64, kind: &str, rest: Value| {
        let mut event = json!({"type": kind, "index": index});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        event.to_string()
    };
    let start = |index, id: &str| {
        event(index, "content_block_start", json!({"content_block": {"type": "tool_use", "id": id, "name": "f"}}))
    };
    let piece = |index, text: &str| event(index, "content_block_delta", json!({"delta": {"partial_json": text}}));
    let stop = |index| event(index, "content_block_stop", json!({}));
    let events = [
        start(0, "a"),
        start(1, "b"),
        piece(0, "{\"c\""),
        piece(1, "{\"d\""),
        piece(0, ":1}"),
        stop(0),
        piece(1, ":2}"),
        stop(1),
    ];
    let mut reader = Dialect::Anthropic.stream_reader();
    let mut told = [String::new(), String::new()];
    for data in &events {
        let frame = Frame { name: b"", data: data.as_bytes(), is_exception: false };
        reader.read(frame, &mut |event| {
            if let Event::Arguments { call, json, .. } = event {
                told[call as usize].push_str(&json);
            }
        });
    }
    assert_eq!(told, [r#"{"c":1}"#, r#"{"d":2}"#]);
}
