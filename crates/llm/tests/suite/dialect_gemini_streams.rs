//! Gemini's streams, in both of their framings.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_llm::model::{Citation, Event, Json, Stop, StopReason, TokenCounts};
use tidegate_llm::{ApiError, Dialect, ErrorKind, Renames, Reply, StreamForm, StreamTranslator, TranslatedEnd};

use crate::grammar;

fn reply(stream_form: StreamForm) -> Reply {
    Reply { id: "r".into(), model: "m".into(), stream_form, ..Reply::default() }
}

fn written(events: &[Event<'_>], form: StreamForm) -> Vec<u8> {
    let mut writer = Dialect::Gemini.stream_writer(reply(form));
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    out
}

fn chunks(events: &[Event<'_>]) -> Vec<Value> {
    let out = written(events, StreamForm::JsonArray);
    grammar::gemini::check_array(&out).unwrap();
    grammar::gemini::check(&written(events, StreamForm::Sse)).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn call(number: u32) -> Event<'static> {
    Event::ToolCall { choice: 0, call: number, id: format!("c{number}").into(), name: "f".into(), signature: None }
}

fn arguments(number: u32, json: &'static str) -> Event<'static> {
    Event::Arguments { choice: 0, call: number, json: json.into() }
}

fn stop(reason: StopReason) -> Event<'static> {
    Event::Stop { choice: 0, stop: Stop { reason, native: "tool_use".into(), sequence: None } }
}

#[test]
fn calls_leave_whole_however_their_arguments_come() {
    let told = [
        call(0),
        arguments(0, "{\"a\""),
        call(1),
        arguments(1, "{}"),
        arguments(0, ":1}"),
        stop(StopReason::ToolCalls),
    ];
    let chunks = chunks(&told);
    let parts = &chunks[0]["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["functionCall"], json!({"id": "c0", "name": "f", "args": {"a": 1}}));
    assert_eq!(parts[1]["functionCall"], json!({"id": "c1", "name": "f", "args": {}}));
    assert_eq!(chunks[1]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(chunks.len(), 2);
}

#[test]
fn a_call_leaves_as_soon_as_its_part_ends() {
    let mut writer = Dialect::Gemini.stream_writer(reply(StreamForm::Sse));
    let mut out = Vec::new();
    [call(0), arguments(0, "{}")].iter().for_each(|event| writer.write(event, &mut out));
    assert!(out.is_empty());
    writer.write(&Event::PartEnd { choice: 0 }, &mut out);
    assert!(!out.is_empty());
}

#[test]
fn many_open_calls_are_found_at_once() {
    const CALLS: u32 = 50_000;
    let begun = (0..CALLS).map(call);
    let pieces = (0..CALLS).map(|number| arguments(number, "{"));
    let rests = (0..CALLS).map(|number| arguments(number, "}"));
    let told: Vec<_> = begun.chain(pieces).chain(rests).collect();
    let chunks: Vec<Value> = serde_json::from_slice(&written(&told, StreamForm::JsonArray)).unwrap();
    assert_eq!(chunks[0]["candidates"][0]["content"]["parts"].as_array().unwrap().len(), CALLS as usize);
}

#[test]
fn the_last_chunk_has_the_counts_the_reason_and_the_sources() {
    let usage = TokenCounts { input: 3, output: 5, reasoning: 2, ..TokenCounts::default() };
    let citation = Citation { url: Some("https://x".into()), span: Some((0, 2)), ..Citation::default() };
    let text = |text: &'static str| Event::Text { choice: 0, text: text.into() };
    let told = [
        text("ä"),
        text("b"),
        Event::Citation { choice: 0, citation: Box::new(citation) },
        stop(StopReason::Length),
        Event::Usage(usage),
    ];
    let chunks = chunks(&told);
    let last = chunks.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 3);
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 8);
    let segment = &last["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!(*segment, json!({"startIndex": 0, "endIndex": 3, "text": "äb"}));
}

#[test]
fn a_failed_stream_ends_with_googles_error() {
    for (form, end) in [(StreamForm::Sse, "\r\n\r\n"), (StreamForm::JsonArray, "]")] {
        let mut writer = Dialect::Gemini.stream_writer(reply(form));
        let mut out = Vec::new();
        writer.write(&Event::Text { choice: 0, text: "x".into() }, &mut out);
        writer.write(&Event::Error(ApiError::new(ErrorKind::Overloaded, "busy")), &mut out);
        let text = String::from_utf8(out).unwrap();
        let error = text[text.find("{\"error\"").unwrap()..].strip_suffix(end).unwrap();
        let error: Value = serde_json::from_str(error).unwrap();
        assert_eq!(error, json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}));
    }
}

const TOLD: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a]\"}é"}]}}],"responseId":"r","modelVersion":"m"}"#;
const ENDED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#;

/// What a client of Gemini reads of a provider's stream, and how it ended.
fn translated<'c>(pieces: impl IntoIterator<Item = &'c [u8]>) -> (String, TranslatedEnd) {
    let reply = reply(StreamForm::Sse);
    let mut translator = StreamTranslator::new(Dialect::Gemini, Dialect::Gemini, reply, Renames::default());
    let mut out = Vec::new();
    for piece in pieces {
        translator.push(piece, &mut out, &mut |_| {}).unwrap();
    }
    let end = translator.end(&mut out);
    (String::from_utf8(out).unwrap(), end)
}

#[test]
fn an_array_tells_what_events_tell() {
    let events = format!("data: {TOLD}\r\n\r\ndata: {ENDED}\r\n\r\n");
    let array = format!("[{TOLD}\n,\r\n{ENDED}\n]");
    let told = translated([events.as_bytes()]);
    assert_eq!(told.1, TranslatedEnd::Complete);
    assert_eq!(translated([array.as_bytes()]), told);
}

#[test]
fn a_stream_without_a_finish_reason_is_cut() {
    let array = format!("[{TOLD}");
    assert_eq!(translated([array.as_bytes()]).1, TranslatedEnd::Cut);
    let inside = format!("[{TOLD},{}", &ENDED[..40]);
    assert_eq!(translated([inside.as_bytes()]).1, TranslatedEnd::Cut);
}

#[test]
fn an_error_inside_a_stream_is_told() {
    let array = format!("[{TOLD},{{\"error\":{{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}}}]");
    assert_eq!(translated([array.as_bytes()]).1, TranslatedEnd::Failed("busy".to_owned()));
}

#[test]
fn a_blocked_prompt_ends_its_stream() {
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n";
    let (text, end) = translated([blocked.as_bytes()]);
    assert_eq!(end, TranslatedEnd::Complete);
    assert!(text.contains(r#""finishReason":"SAFETY""#), "{text}");
}

proptest! {
    #[test]
    fn cutting_an_array_changes_nothing(size in 1usize..40) {
        let array = format!(" \n[{TOLD}\n,\r\n{ENDED}\n]");
        prop_assert_eq!(translated(array.as_bytes().chunks(size)), translated([array.as_bytes()]));
    }
}

#[test]
fn the_end_of_another_part_is_not_that_of_a_call_whose_arguments_are_to_come() {
    const END: Event<'static> = Event::PartEnd { choice: 0 };
    let reasoning = || Event::Reasoning { choice: 0, text: "so".into(), is_summary: false };
    let opaque = || Event::Opaque { choice: 0, json: Json::owned(br#"{"text":"c"}"#.to_vec()) };
    for other in [reasoning(), opaque()] {
        let text = Event::Text { choice: 0, text: "b".into() };
        let chunks = chunks(&[call(0), other, END, text, arguments(0, "{\"a\":1}"), stop(StopReason::ToolCalls)]);
        let parts = chunks.iter().filter_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array()).flatten();
        let calls: Vec<_> = parts.filter_map(|part| part.get("functionCall")).collect();
        assert_eq!(calls, [&json!({"id": "c0", "name": "f", "args": {"a": 1}})]);
    }
}
