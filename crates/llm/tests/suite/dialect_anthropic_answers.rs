//! Answers in Anthropic's dialect, whole and streamed: how those of other providers are told to its clients.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Choice, Citation, Event, Feature, Fold, Json, Losses, Part, PartBody, Reasoning, Response, Signature, Stop,
    StopReason, StreamStart, TokenCounts, ToolCall,
};
use tidegate_llm::{ApiError, Dialect, ErrorKind, Frame, Raw, Reply};

use super::grammar::anthropic as grammar;

/// An answer of OpenAI's dialect that holds `parts`.
fn answer(parts: Vec<Part<'static>>, reason: StopReason) -> Response<'static> {
    let stop = Some(Stop { reason, native: "?".into(), sequence: None });
    let mut response = Response::new(Dialect::OpenAiChat);
    response.id = "chatcmpl-1".into();
    response.model = Some("gpt".into());
    response.choices.push(Choice { parts, stop, ..Choice::default() });
    response
}

fn write(response: &Response<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = Dialect::Anthropic.write_response(response, &Reply::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn call(signature: Option<Signature<'static>>) -> Part<'static> {
    PartBody::ToolCall(ToolCall { id: "t".into(), name: "f".into(), arguments: r#"{"x":1}"#.into(), signature }).into()
}

fn signed_by(origin: Dialect) -> Option<Signature<'static>> {
    Some(Signature { origin, value: "sig".into() })
}

#[test]
fn an_answer_has_all_that_sdks_reach_for() {
    let mut response = answer(vec![Part::text("hi")], StopReason::End);
    response.usage = Some(TokenCounts { input: 10, cache_read: 4, output: 2, ..TokenCounts::default() });
    let (body, losses) = write(&response);
    let expected = json!({
        "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 2},
    });
    assert_eq!(body, expected);
    assert!(losses.is_empty());
}

#[test]
fn a_whole_answer_names_the_model_that_was_called() {
    let reply = Reply { model: "called".into(), ..Reply::default() };
    let answer = answer(Vec::new(), StopReason::End);
    let body = Dialect::Anthropic.write_response(&answer, &reply, &mut Losses::default());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["model"], "called");
}

#[test]
fn an_answer_that_says_nothing_has_one_empty_text() {
    assert_eq!(write(&answer(Vec::new(), StopReason::End)).0["content"], json!([{"type": "text", "text": ""}]));
}

#[test]
fn stop_reasons_follow_the_table() {
    for (reason, word) in [
        (StopReason::End, "end_turn"),
        (StopReason::StopSequence, "stop_sequence"),
        (StopReason::Length, "max_tokens"),
        (StopReason::ContextFull, "model_context_window_exceeded"),
        (StopReason::ToolCalls, "tool_use"),
        (StopReason::ContentFilter, "refusal"),
        (StopReason::Refusal, "refusal"),
        (StopReason::Pause, "pause_turn"),
        (StopReason::Other, "end_turn"),
    ] {
        assert_eq!(write(&answer(vec![Part::text("hi")], reason)).0["stop_reason"], word);
    }
    assert_eq!(write(&answer(vec![call(None)], StopReason::End)).0["stop_reason"], "tool_use");
}

#[test]
fn thoughts_and_signatures_of_others_come_with_their_origin() {
    let thought = Reasoning { text: "hm".into(), signature: signed_by(Dialect::Gemini), ..Reasoning::default() };
    let hidden = Reasoning { encrypted: signed_by(Dialect::OpenAiResponses), ..Reasoning::default() };
    let bodies = [PartBody::Reasoning(thought), PartBody::Reasoning(hidden)];
    let mut parts: Vec<Part<'_>> = bodies.into_iter().map(Part::from).collect();
    parts.push(call(signed_by(Dialect::Gemini)));
    let (body, _) = write(&answer(parts, StopReason::ToolCalls));
    assert_eq!(
        body["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "tg:gemini-generate:sig"},
            {"type": "redacted_thinking", "data": "tg:openai-responses:sig"},
            {"type": "thinking", "thinking": "", "signature": "tg:gemini-generate:sig"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
        ])
    );
    let text = body.to_string();
    let again = Dialect::Anthropic.read_response(Raw::new(text.as_bytes()).unwrap()).unwrap();
    let PartBody::Reasoning(thought) = &again.choices[0].parts[0].body else { panic!() };
    assert_eq!(thought.signature, signed_by(Dialect::Gemini));
}

#[test]
fn a_web_citation_of_another_dialect_names_its_page() {
    let citation = Citation { url: Some("https://x".into()), title: Some("X".into()), ..Citation::default() };
    let text = PartBody::Text { text: "hi".into(), citations: vec![citation], signature: None };
    let (body, _) = write(&answer(vec![text.into()], StopReason::End));
    let written = &body["content"][0]["citations"][0];
    assert_eq!((&written["type"], &written["url"]), (&json!("web_search_result_location"), &json!("https://x")));
}

#[test]
fn what_a_message_has_no_words_for_is_told() {
    let mut response = answer(vec![PartBody::Refusal("no".into()).into()], StopReason::End);
    response.choices[0].logprobs = Some(Json::owned(b"{}".to_vec()));
    response.choices.push(Choice { index: 1, ..Choice::default() });
    let (body, losses) = write(&response);
    assert_eq!((&body["content"][0]["text"], &body["stop_reason"]), (&json!("no"), &json!("refusal")));
    let lost: Vec<_> = losses.features().collect();
    assert_eq!(lost, [Feature::Logprobs, Feature::Choices, Feature::Refusal]);
}

#[test]
fn usage_is_read_with_cached_input_within() {
    let body = json!({"content": [], "usage": {
        "input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4},
    }});
    let text = body.to_string();
    let usage = Dialect::Anthropic.read_response(Raw::new(text.as_bytes()).unwrap()).unwrap().usage.unwrap();
    assert_eq!((usage.input, usage.cache_write, usage.cache_write_1h, usage.cache_read), (15, 5, 4, 7));
    assert_eq!((usage.uncached_input(), usage.total()), (3, 17));
}

#[test]
fn half_an_answer_is_none() {
    let whole = json!({"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}).to_string();
    for length in 1..whole.len() {
        assert!(Dialect::Anthropic.read_response(Raw::new(&whole.as_bytes()[..length]).unwrap()).is_err());
    }
}

/// The stream that tells `events`.
fn stream(events: &[Event<'static>]) -> Vec<u8> {
    let mut writer = Dialect::Anthropic.stream_writer(Reply { model: "m".into(), ..Reply::default() });
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart { id: "id".into(), ..StreamStart::default() }), &mut out);
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    out
}

/// The events read from one of this dialect's streams.
fn read(stream: &[u8]) -> Vec<Value> {
    grammar::check(stream).unwrap();
    grammar::events(stream).unwrap().into_iter().map(|(_, data)| data).collect()
}

fn fold(stream: &[u8]) -> Response<'static> {
    let mut fold = Fold::new(Dialect::Anthropic);
    let mut reader = Dialect::Anthropic.stream_reader();
    for (name, data) in grammar::events(stream).unwrap() {
        let data = data.to_string();
        let frame = Frame { name: name.as_bytes(), data: data.as_bytes(), is_exception: false };
        reader.read(frame, &mut |event| fold.add(&event));
    }
    fold.into_response()
}

fn tool_call(call: u32, name: &'static str) -> Event<'static> {
    Event::ToolCall { choice: 0, call, id: name.into(), name: name.into(), signature: None }
}

fn arguments(call: u32, json: &'static str) -> Event<'static> {
    Event::Arguments { choice: 0, call, json: json.into() }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: text.into() }
}

#[test]
fn a_stream_tells_stop_and_usage_once_before_its_end() {
    let stop = Stop { reason: StopReason::Length, native: "length".into(), sequence: None };
    let usage = Event::Usage(TokenCounts { input: 9, cache_read: 4, output: 2, ..TokenCounts::default() });
    let events = read(&stream(&[text("hi"), Event::Stop { choice: 0, stop }, usage]));
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(events[4]["delta"], json!({"stop_reason": "max_tokens", "stop_sequence": null}));
    assert_eq!(events[4]["usage"]["input_tokens"], 5);
    assert_eq!(events[4]["usage"]["cache_read_input_tokens"], 4);
}

#[test]
fn a_stream_that_tells_nothing_is_whole_all_the_same() {
    assert_eq!(read(&stream(&[])).len(), 3);
}

#[test]
fn calls_that_follow_each_other_leave_at_once() {
    let mut writer = Dialect::Anthropic.stream_writer(Reply::default());
    let mut out = Vec::new();
    for event in [tool_call(0, "f"), arguments(0, "{\"a\":\"}\"}"), tool_call(1, "g"), arguments(1, "{")] {
        let before = out.len();
        writer.write(&event, &mut out);
        assert!(out.len() > before);
    }
}

#[test]
fn mixed_arguments_of_several_calls_are_put_in_order() {
    let stream = stream(&[
        tool_call(0, "f"),
        tool_call(1, "g"),
        arguments(1, "{\"b\""),
        arguments(0, "{\"a\""),
        arguments(1, ":2}"),
        arguments(0, ":1}"),
        text("done"),
    ]);
    grammar::check(&stream).unwrap();
    let told = fold(&stream);
    let calls: Vec<_> = told.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.body {
            PartBody::ToolCall(call) => Some((call.name.as_ref(), call.arguments.as_ref())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("f", "{\"a\":1}"), ("g", "{\"b\":2}")]);
    assert_eq!(told.choices[0].stop.as_ref().unwrap().reason, StopReason::ToolCalls);
}

#[test]
fn a_signature_closes_the_thought_it_signs_and_a_call_is_signed_by_an_empty_one() {
    let thought = || Event::Reasoning { choice: 0, text: "hm".into(), is_summary: false };
    let signature = Signature { origin: Dialect::Gemini, value: "s".into() };
    let call =
        Event::ToolCall { choice: 0, call: 0, id: "t".into(), name: "f".into(), signature: Some(signature.clone()) };
    let stream = stream(&[thought(), Event::Signature { choice: 0, signature: signature.clone() }, thought(), call]);
    grammar::check(&stream).unwrap();
    let told = fold(&stream);
    let signatures: Vec<_> = told.choices[0]
        .parts
        .iter()
        .map(|part| match &part.body {
            PartBody::Reasoning(thought) => Some((thought.text.as_ref(), thought.signature.clone())),
            _ => None,
        })
        .collect();
    let signed = Some(signature);
    assert_eq!(signatures, [Some(("hm", signed.clone())), Some(("hm", None)), Some(("", signed)), None]);
}

#[test]
fn an_error_inside_a_stream_is_an_error_event() {
    let mut writer = Dialect::Anthropic.stream_writer(Reply::default());
    let mut out = Vec::new();
    writer.write(&Event::Error(ApiError::new(ErrorKind::Overloaded, "busy")), &mut out);
    let expected = json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
    assert_eq!(grammar::events(&out).unwrap(), [("error".to_owned(), expected)]);
}

/// Usage, errors and ends that a stream's events are read as.
fn told(frames: &[Value]) -> Vec<Event<'static>> {
    let mut kept = Vec::new();
    let mut reader = Dialect::Anthropic.stream_reader();
    for frame in frames {
        let data: &'static [u8] = frame.to_string().leak().as_bytes();
        reader.read(Frame { name: b"", data, is_exception: false }, &mut |event| match event {
            Event::Error(error) => kept.push(Event::Error(ApiError::new(error.kind, error.message.into_owned()))),
            Event::Usage(usage) => kept.push(Event::Usage(usage)),
            Event::End => kept.push(Event::End),
            _ => {}
        });
    }
    kept
}

#[test]
fn counts_that_a_later_report_leaves_out_are_kept() {
    let start = json!({"type": "message_start", "message": {
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1}}});
    let delta = json!({"type": "message_delta", "delta": {}, "usage": {"input_tokens": 3, "output_tokens": 8}});
    let Some(Event::Usage(usage)) = told(&[start, delta]).pop() else { panic!() };
    assert_eq!((usage.input, usage.output), (103, 8));
}

#[test]
fn pings_and_unknown_events_tell_nothing_and_errors_do() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let events = told(&[json!({"type": "ping"}), json!({"type": "novelty"}), json!([]), error]);
    assert_eq!(events, [Event::Error(ApiError::new(ErrorKind::Overloaded, "Overloaded"))]);
}
