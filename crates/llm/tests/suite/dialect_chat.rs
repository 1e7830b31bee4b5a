//! OpenAI Chat, by example.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Event, Feature, Fold, Losses, MediaKind, MediaSource, Part, PartBody, ReasoningRequest, Request, Response,
    ResponseFormat, Role, StopReason, ToolBody, Turn,
};
use tidegate_llm::{
    Dialect, Frame, PathFacts, Quirks, Raw, Renames, Reply, Target, translate_request, translate_response,
};

use crate::features::{call, having, json as raw_json, media, result, tool};
use crate::grammar;

const CHAT: Dialect = Dialect::OpenAiChat;

fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

/// A question that came in another dialect.
fn question() -> Request<'static> {
    let turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
    Request { model: Some("m".into()), turns, ..Request::new(Dialect::Anthropic) }
}

fn write(request: &Request<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = CHAT.write_request(request, &Quirks::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn answer(body: &Value) -> Response<'static> {
    let text: &'static [u8] = Box::leak(body.to_string().into_bytes().into_boxed_slice());
    CHAT.read_response(raw(text)).unwrap()
}

fn choice(message: Value) -> Value {
    json!({"id": "a", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
}

/// The answer that `chunks` tell, and whether it may end there.
fn streamed(chunks: &[Value]) -> (Response<'static>, bool) {
    let mut reader = CHAT.stream_reader();
    let mut fold = Fold::new(CHAT);
    for chunk in chunks {
        let data = chunk.to_string();
        let frame = Frame { name: b"", data: data.as_bytes(), is_exception: false };
        reader.read(frame, &mut |event| fold.add(&event));
    }
    (fold.into_response(), reader.may_end())
}

fn delta(delta: Value) -> Value {
    json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn written(events: &[Event<'_>], include_usage: bool) -> String {
    let mut writer = CHAT.stream_writer(Reply { id: "made-up".into(), include_usage, ..Reply::default() });
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    writer.finish(&mut out);
    grammar::chat::check(&out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_dialect_loses_exactly_what_it_has_no_words_for() {
    for feature in Feature::ALL {
        let Some(request) = having(question(), *feature, CHAT) else { continue };
        let (_, losses) = write(&request);
        assert_eq!(losses.lost(*feature), !CHAT.carries().contains(feature), "{feature}");
        assert_eq!(losses.features().filter(|lost| lost != feature).count(), 0, "{feature}: {losses}");
    }
}

#[test]
fn results_come_before_what_their_turn_says_and_their_pictures_after() {
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![call("a"), call("b")]));
    let mut seen = result("a", "seen");
    if let PartBody::ToolResult(seen) = &mut seen.body {
        seen.content.push(media(MediaKind::Image, MediaSource::Base64("AA==".into())));
    }
    let results = vec![Part::text("and now?"), seen, result("b", "done")];
    request.turns.push(Turn::new(Role::User, results));
    let (body, _) = write(&request);
    let messages: Vec<&str> =
        body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(messages, ["user", "assistant", "tool", "tool", "user", "user"]);
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "a", "content": "seen"}));
    assert_eq!(body["messages"][4]["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
    assert_eq!(body["messages"][5]["content"], "and now?");
}

#[test]
fn a_schema_that_answers_follow_becomes_strict_and_any_other_stays_as_it_is() {
    for (strict, required) in [(Some(true), json!(["a"])), (None, Value::Null)] {
        let mut request = question();
        let schema = raw_json(json!({"type": "object", "properties": {"a": {"type": "string"}}}));
        request.response_format = Some(ResponseFormat::JsonSchema { name: None, description: None, schema, strict });
        let (body, _) = write(&request);
        let format = &body["response_format"]["json_schema"];
        assert_eq!((&format["name"], &format["strict"]), (&json!("structured_output"), &json!(strict)));
        assert_eq!(format["schema"]["required"], required);
    }
}

#[test]
fn a_strict_function_whose_arguments_may_be_absent_is_not_strict_here() {
    for (required, is_strict) in [(json!(["a", "b"]), true), (json!(["a"]), false)] {
        let parameters = json!({"type": "object", "properties": {"a": {}, "b": {}}, "required": required});
        let mut request = question();
        let mut function = tool("f");
        let ToolBody::Function(told) = &mut function.body else { panic!("no function") };
        (told.strict, told.parameters) = (Some(true), Some(raw_json(parameters)));
        request.tools.push(function);
        let (body, losses) = write(&request);
        let function = &body["tools"][0]["function"];
        assert_eq!((&function["strict"], &function["parameters"]["required"]), (&json!(is_strict), &required));
        assert_eq!(losses.lost(Feature::StrictTools), !is_strict);
    }
}

#[test]
fn budgets_become_efforts() {
    let of = |budget, enabled| {
        let mut request = question();
        request.reasoning = Some(ReasoningRequest { budget_tokens: budget, enabled, ..ReasoningRequest::default() });
        write(&request).0.get("reasoning_effort").cloned()
    };
    assert_eq!(of(Some(4096), Some(true)), Some(json!("high")));
    assert_eq!(of(Some(100), Some(true)), Some(json!("minimal")));
    assert_eq!(of(None, Some(true)), Some(json!("medium")));
    assert_eq!(of(None, Some(false)), None);
}

#[test]
fn what_is_no_conversation_is_refused_in_apisix_words() {
    let refused = |body: Value| CHAT.read_request(raw(body.to_string().as_bytes())).unwrap_err().to_string();
    assert_eq!(refused(json!({})), "missing messages");
    assert_eq!(refused(json!({"messages": []})), "missing messages");
    assert_eq!(refused(json!({"messages": [{"role": "user"}, 5]})), "invalid message at index 2");
    assert_eq!(refused(json!({"messages": [{"role": "user", "content": 5}]})), "invalid message content at index 1");
}

#[test]
fn reasoning_goes_back_to_the_field_it_came_from_through_a_client_of_another_dialect() {
    for field in ["reasoning_content", "reasoning"] {
        let told = choice(json!({"role": "assistant", "content": "yes", field: "hm"})).to_string();
        let reply = Reply::default();
        let seen = translate_response(CHAT, Dialect::Anthropic, raw(told.as_bytes()), &reply, &Renames::default())
            .unwrap()
            .body;
        let seen: Value = serde_json::from_slice(&seen).unwrap();
        let next = json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": seen["content"]},
            {"role": "user", "content": "why"},
        ]})
        .to_string();
        let target = Target { dialect: CHAT.into(), quirks: Quirks::default(), losses: Default::default() };
        let sent = translate_request(Dialect::Anthropic, &target, raw(next.as_bytes()), PathFacts::default()).unwrap();
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(sent["messages"][1][field], "hm", "{sent}");
        assert_eq!(sent["messages"][1]["content"], "yes");
    }
}

#[test]
fn a_filtered_answer_of_azure_has_no_message() {
    let body = json!({"choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {}}]});
    let choice = &answer(&body).choices[0];
    assert!(choice.parts.is_empty());
    assert_eq!(choice.stop.as_ref().unwrap().reason, StopReason::ContentFilter);
}

#[test]
fn sources_listed_beside_the_choices_are_citations() {
    let mut body = choice(json!({"content": "x"}));
    body["citations"] = json!(["https://a", "https://b"]);
    let PartBody::Text { citations, .. } = &answer(&body).choices[0].parts[0].body else { panic!() };
    assert_eq!(citations.len(), 2);
    let mut chunk = delta(json!({"content": "x"}));
    chunk["citations"] = json!(["https://a", "https://b"]);
    let (told, _) = streamed(&[chunk.clone(), chunk]);
    let PartBody::Text { citations, .. } = &told.choices[0].parts[0].body else { panic!() };
    assert_eq!(citations.len(), 2);
}

#[test]
fn an_error_with_status_200_is_no_answer() {
    let body = json!({"error": {"message": "overloaded", "code": 503}}).to_string();
    assert_eq!(CHAT.read_response(raw(body.as_bytes())).unwrap_err().to_string(), "overloaded");
}

#[test]
fn who_counts_beside_is_counted_in() {
    let usage = |usage: Value| {
        let mut body = choice(json!({"content": "x"}));
        body["usage"] = usage;
        answer(&body).usage.unwrap()
    };
    let xai = usage(json!({"prompt_tokens": 213, "completion_tokens": 2, "total_tokens": 413,
        "completion_tokens_details": {"reasoning_tokens": 198}}));
    assert_eq!((xai.output, xai.reasoning, xai.total()), (200, 198, 413));
    let gemini = usage(json!({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}));
    assert_eq!((gemini.output, gemini.reasoning), (74, 62));
    let mistral = usage(json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
        "prompt_audio_seconds": 5, "prompt_tokens_details": {"audio_tokens": 375}}));
    assert_eq!((mistral.input, mistral.audio_input, mistral.output), (386, 375, 15));
}

#[test]
fn an_empty_text_erases_nothing() {
    let call = |call: Value| delta(json!({"tool_calls": [call]}));
    let (answer, _) = streamed(&[
        call(json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}})),
        call(json!({"index": 0, "id": "", "function": {"name": "", "arguments": "{\"a\""}})),
        call(json!({"index": 0, "id": null, "function": {"name": null, "arguments": ":1}"}})),
    ]);
    let PartBody::ToolCall(call) = &answer.choices[0].parts[0].body else { panic!() };
    assert_eq!((call.id.as_ref(), call.name.as_ref(), call.arguments.as_ref()), ("c", "f", "{\"a\":1}"));
}

#[test]
fn calls_that_share_an_index_are_told_apart_by_their_identifiers() {
    let call = |id: &str| json!({"index": 0, "id": id, "function": {"name": "f", "arguments": "{}"}});
    let (answer, _) = streamed(&[delta(json!({"tool_calls": [call("a"), call("b")]}))]);
    assert_eq!(answer.choices[0].parts.len(), 2);
}

#[test]
fn a_stream_may_end_once_every_choice_has_a_reason() {
    let stops = |reason: Value| json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
    for untold in [json!(null), json!(""), json!("null")] {
        assert!(!streamed(&[delta(json!({"content": "x"})), stops(untold)]).1);
    }
    assert!(streamed(&[delta(json!({"content": "x"})), stops(json!("stop"))]).1);
    assert!(!streamed(&[]).1);
}

#[test]
fn usage_is_told_last_and_only_if_it_was_asked_for() {
    let events = || {
        let text = Event::Text { choice: 0, text: "x".into() };
        [Event::Start(Default::default()), text, Event::Usage(Default::default())]
    };
    assert!(!written(&events(), false).contains("usage"));
    let told = written(&events(), true);
    let last = told.rsplit("data: ").nth(1).unwrap();
    assert!(last.contains("\"choices\":[],\"usage\":{\"prompt_tokens\":0"), "{last}");
}

#[test]
fn a_call_without_arguments_is_given_an_empty_object() {
    let call = Event::ToolCall { choice: 0, call: 0, id: "c".into(), name: "f".into(), signature: None };
    let told = written(&[Event::Start(Default::default()), call], false);
    assert!(told.contains(r#""arguments":"{}""#));
    assert!(told.contains(r#""finish_reason":"tool_calls""#));
}
