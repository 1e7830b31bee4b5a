//! OpenAI Responses' streams: by example, and over every recorded one.

use serde_json::Value;
use tidegate_llm::model::{
    Event, Fold, Json, PartBody, Response, Signature, Stop, StopReason, StreamStart, TokenCounts,
};
use tidegate_llm::{Dialect, Frame, Renames, Reply, StreamTranslator, TranslatedEnd};

use crate::golden;
use crate::grammar::responses::check;

const DIALECT: Dialect = Dialect::OpenAiResponses;
const CHOICE: u32 = 0;

fn reply() -> Reply {
    Reply { id: "resp_1".into(), model: "m".into(), created: 1, include_usage: true, ..Reply::default() }
}

/// The data of every event of `stream`.
fn data(stream: &str) -> impl Iterator<Item = &str> {
    stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start)
}

/// Reads `stream`, and gives the answer it tells, whether it ended, and what is written of its events.
fn through(stream: &str) -> (Response<'static>, usize, Vec<u8>) {
    let (mut reader, mut writer) = (DIALECT.stream_reader(), DIALECT.stream_writer(reply()));
    let (mut fold, mut ends, mut out) = (Fold::new(DIALECT), 0, Vec::new());
    for data in data(stream) {
        reader.read(Frame { name: b"", data: data.as_bytes(), is_exception: false }, &mut |event| {
            ends += usize::from(event == Event::End);
            fold.add(&event);
            writer.write(&event, &mut out);
        });
    }
    writer.finish(&mut out);
    (fold.into_response(), ends, out)
}

fn written(events: &[Event<'_>]) -> String {
    let mut writer = DIALECT.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart { id: "x".into(), ..StreamStart::default() }), &mut out);
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    check(&out).unwrap();
    String::from_utf8(out).unwrap()
}

fn kinds(stream: &str) -> Vec<&str> {
    stream.lines().filter_map(|line| line.strip_prefix("event: response.")).collect()
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: CHOICE, text: text.into() }
}

fn call(call: u32) -> Event<'static> {
    Event::ToolCall { choice: CHOICE, call, id: format!("call_{call}").into(), name: "f".into(), signature: None }
}

fn arguments(call: u32, json: &str) -> Event<'_> {
    Event::Arguments { choice: CHOICE, call, json: json.into() }
}

#[test]
fn a_text_is_told_in_pieces_and_then_whole_four_times() {
    let stream = written(&[
        text("Hel"),
        text("lo"),
        Event::Usage(TokenCounts { input: 3, output: 2, ..TokenCounts::default() }),
    ]);
    assert_eq!(
        kinds(&stream),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let last: Value = serde_json::from_str(data(&stream).last().unwrap()).unwrap();
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(last["response"]["usage"]["total_tokens"], 5);
}

#[test]
fn calls_whose_arguments_come_mixed_are_each_told_whole() {
    let stream =
        written(&[text("a"), call(0), arguments(0, "{\"a\":"), call(1), arguments(1, "{}"), arguments(0, "1}")]);
    let (answer, ends, _) = through(&stream);
    let calls: Vec<&str> = answer.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.body {
            PartBody::ToolCall(call) => Some(call.arguments.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!((calls.as_slice(), ends), (["{\"a\":1}", "{}"].as_slice(), 1));
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::ToolCalls);
}

/// What a stream is told to be when so much of it has been written: its events' kinds after the beginning.
fn kinds_while_open(events: &[Event<'_>]) -> Vec<String> {
    let mut writer = DIALECT.stream_writer(reply());
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    kinds(std::str::from_utf8(&out).unwrap()).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_call_is_done_when_its_arguments_are_and_not_when_the_stream_is() {
    let call_told = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ];
    let told = kinds_while_open(&[call(0), arguments(0, "{\"a\":"), arguments(0, "1}")]);
    assert_eq!(told, call_told);
    let told = kinds_while_open(&[call(0), arguments(0, "{\"a\":"), arguments(0, "1}"), call(1)]);
    assert_eq!(told[call_told.len()..], ["output_item.added"]);
}

#[test]
fn a_call_without_arguments_is_done_when_the_answer_stops() {
    let stop = Stop { reason: StopReason::ToolCalls, native: "".into(), sequence: None };
    let told = kinds_while_open(&[call(0), Event::Stop { choice: CHOICE, stop }]);
    assert_eq!(told, ["output_item.added", "function_call_arguments.done", "output_item.done"]);
}

#[test]
fn a_call_that_begins_within_another_waits_for_its_end() {
    let told = kinds_while_open(&[call(0), arguments(0, "{\"a\":"), call(1), arguments(1, "{}"), text("so")]);
    assert_eq!(told, ["output_item.added", "function_call_arguments.delta"]);
}

#[test]
fn another_dialects_signature_comes_back_as_it_was() {
    let signature = Signature { origin: Dialect::Anthropic, value: "sig".into() };
    let stream = written(&[
        Event::Reasoning { choice: CHOICE, text: "hm".into(), is_summary: false },
        Event::Signature { choice: CHOICE, signature: signature.clone() },
        Event::PartEnd { choice: CHOICE },
        Event::EncryptedReasoning {
            choice: CHOICE,
            id: None,
            data: Signature { value: "secret".into(), ..signature.clone() },
        },
        text("a"),
    ]);
    let (answer, _, _) = through(&stream);
    let parts: Vec<_> = answer.choices[0].parts.iter().map(|part| part.body.clone()).collect();
    let [PartBody::Reasoning(signed), PartBody::Reasoning(secret), PartBody::Text { .. }] = parts.as_slice() else {
        unreachable!("{parts:?}")
    };
    assert_eq!((signed.text.as_ref(), signed.signature.as_ref()), ("hm", Some(&signature)));
    assert_eq!(secret.encrypted.as_ref().unwrap().value, "secret");
}

#[test]
fn a_signature_of_a_call_stands_before_it() {
    let signature = Signature { origin: Dialect::Gemini, value: "sig".into() };
    let Event::ToolCall { choice, call, id, name, .. } = call(0) else { unreachable!() };
    let stream = written(&[Event::ToolCall { choice, call, id, name, signature: Some(signature.clone()) }]);
    let (answer, _, _) = through(&stream);
    let PartBody::Reasoning(proof) = &answer.choices[0].parts[0].body else { unreachable!("{answer:?}") };
    assert_eq!((proof.text.as_ref(), proof.signature.as_ref()), ("", Some(&signature)));
    assert!(matches!(answer.choices[0].parts[1].body, PartBody::ToolCall(_)));
}

#[test]
fn log_probabilities_follow_their_text() {
    let logprobs =
        Json::owned(br#"{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]}"#.to_vec());
    let stream = written(&[text("a"), Event::Logprobs { choice: CHOICE, logprobs: logprobs.clone() }]);
    let (answer, _, _) = through(&stream);
    assert_eq!(answer.choices[0].logprobs, Some(logprobs));
}

#[test]
fn log_probabilities_within_a_call_cost_it_no_argument() {
    let logprobs =
        Json::owned(br#"{"content":[{"token":"{","logprob":-0.5,"bytes":[123],"top_logprobs":[]}]}"#.to_vec());
    let stream =
        written(&[call(0), arguments(0, "{\"a\":"), Event::Logprobs { choice: CHOICE, logprobs }, arguments(0, "1}")]);
    let (answer, _, _) = through(&stream);
    let [part] = answer.choices[0].parts.as_slice() else { unreachable!("{answer:?}") };
    assert!(matches!(&part.body, PartBody::ToolCall(call) if call.arguments == "{\"a\":1}"), "{part:?}");
}

#[test]
fn a_failed_answer_is_an_error() {
    let mut reader = DIALECT.stream_reader();
    let failed = br#"{"type":"response.failed","response":{"id":"r","status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#;
    let mut message = String::new();
    reader.read(Frame { name: b"", data: failed, is_exception: false }, &mut |event| match event {
        Event::Error(error) => message = error.message.into_owned(),
        other => assert!(matches!(other, Event::Start(_)), "{other:?}"),
    });
    assert_eq!(message, "slow");
    assert!(!reader.may_end());
}

#[test]
fn a_hundred_thousand_pieces_are_told_in_time_that_grows_with_their_number() {
    let events: Vec<Event<'_>> = (0..100_000).map(|_| text("ab ")).collect();
    let mut writer = DIALECT.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    let began = std::time::Instant::now();
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    assert!(began.elapsed().as_secs() < 10);
}

#[test]
fn every_recorded_stream_is_written_as_it_was() {
    for exchange in golden::exchanges("openai-responses") {
        let Some(stream) = &exchange.stream else { continue };
        let (answer, ends, out) = through(stream);
        assert_eq!(ends, 1, "{}", exchange.name);
        check(&out).unwrap_or_else(|fault| unreachable!("{}: {fault}", exchange.name));
        let (again, _, _) = through(std::str::from_utf8(&out).unwrap());
        assert_eq!(without_names(again), without_names(answer), "{}", exchange.name);
    }
}

/// Items are named before their names are told to a writer, and the final tier is told at the end alone.
fn without_names(mut answer: Response<'static>) -> Response<'static> {
    for part in answer.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let PartBody::Reasoning(reasoning) = &mut part.body {
            reasoning.id = None;
        }
    }
    answer.service_tier = None;
    answer
}

#[test]
fn a_recorded_stream_tells_what_its_last_event_holds() {
    for exchange in golden::exchanges("openai-responses") {
        let Some(stream) = &exchange.stream else { continue };
        let last = data(stream).filter(|data| *data != "[DONE]").last().unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        let body = last["response"].to_string();
        let whole = DIALECT.read_response(tidegate_llm::Raw::new(body.as_bytes()).unwrap()).unwrap();
        let (told, _, _) = through(stream);
        assert_eq!(texts(&told), texts(&whole), "{}", exchange.name);
        assert_eq!(told.usage, whole.usage, "{}", exchange.name);
        let reason = |answer: &Response<'_>| answer.choices[0].stop.as_ref().map(|stop| stop.reason);
        assert_eq!(reason(&told), reason(&whole), "{}", exchange.name);
    }
}

/// What is told, sorted, for items may be done in another order than they began; of encrypted thoughts only that they
/// are there, for each event encrypts them anew.
fn texts(answer: &Response<'_>) -> Vec<String> {
    let text = |body: &PartBody<'_>| match body {
        PartBody::Text { text, citations, .. } => format!("{text} {}", citations.len()),
        PartBody::Refusal(text) => text.to_string(),
        PartBody::Reasoning(thought) => format!("{} {}", thought.text, thought.encrypted.is_some()),
        PartBody::ToolCall(call) => format!("{}({})", call.name, call.arguments),
        other => format!("{other:?}"),
    };
    let texts = answer.choices[0].parts.iter().map(|part| text(&part.body));
    let mut texts: Vec<String> = texts.filter(|text| text != " false").collect();
    texts.sort();
    texts
}

#[test]
fn every_recorded_stream_of_other_dialects_becomes_a_valid_one() {
    for (api, provider) in [
        ("openai-chat", Dialect::OpenAiChat),
        ("anthropic-messages", Dialect::Anthropic),
        ("gemini-generate", Dialect::Gemini),
    ] {
        for exchange in golden::exchanges(api) {
            let Some(stream) = &exchange.stream else { continue };
            let mut out = Vec::new();
            let mut translator = StreamTranslator::new(provider, DIALECT, reply(), Renames::default());
            translator.push(stream.as_bytes(), &mut out, &mut |_| {}).unwrap();
            if translator.end(&mut out) == TranslatedEnd::Complete {
                check(&out).unwrap_or_else(|fault| unreachable!("{}: {fault}", exchange.name));
            }
        }
    }
}
