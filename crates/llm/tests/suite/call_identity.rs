//! Which result answers which call, and which name is whose: with identifiers, without, with the same ones, and in
//! conversations of many calls.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_llm::{Dialect, PathFacts, Raw, Renames, translate_request, translate_response};

use crate::pairs::{reply, to};

fn translated(from: Dialect, target: Dialect, body: &Value) -> (Value, Renames) {
    let body = body.to_string();
    let path = PathFacts { model: Some("m"), stream: false, betas: None };
    let translated = translate_request(from, &to(target), Raw::new(body.as_bytes()).unwrap(), path).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.renames)
}

/// A conversation with Gemini, which gives no identifiers, of so many calls of functions whose names are refused
/// elsewhere.
fn many_calls(count: usize) -> Value {
    let calls = (0..count).map(|at| json!({"functionCall": {"name": format!("näme{at}"), "args": {}}}));
    let results = (0..count).map(|at| json!({"functionResponse": {"name": format!("näme{at}"), "response": {}}}));
    json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": calls.collect::<Vec<_>>()},
        {"role": "user", "parts": results.collect::<Vec<_>>()},
    ]})
}

#[test]
fn the_work_grows_with_the_conversation_and_not_with_its_square() {
    let time_of = |count: usize| {
        let body = many_calls(count);
        let once = || {
            let start = Instant::now();
            translated(Dialect::Gemini, Dialect::OpenAiChat, &body);
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap_or(Duration::MAX)
    };
    let (few, many) = (time_of(1000), time_of(16_000));
    assert!(many < few * 64, "1000 calls take {few:?}, 16 times as many {many:?}");
}

#[test]
fn results_without_identifiers_answer_the_calls_of_their_name_in_order() {
    let call = |name: &str, at: u8| json!({"functionCall": {"name": name, "args": {"at": at}}});
    let result = |name: &str, at: u8| json!({"functionResponse": {"name": name, "response": {"at": at}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [call("a", 0), call("b", 1), call("a", 2)]},
        {"role": "user", "parts": [result("b", 1), result("a", 0), result("a", 2)]},
    ]});
    let (sent, _) = translated(Dialect::Gemini, Dialect::OpenAiChat, &body);
    let messages = sent["messages"].as_array().unwrap();
    let calls = messages[1]["tool_calls"].as_array().unwrap();
    for result in &messages[2..] {
        let at = &serde_json::from_str::<Value>(result["content"].as_str().unwrap()).unwrap()["at"];
        let call = calls.iter().find(|call| call["id"] == result["tool_call_id"]).unwrap();
        assert_eq!(call["function"]["arguments"], json!({ "at": at }).to_string());
    }
    assert_eq!(messages.len(), 5);
}

#[test]
fn calls_that_share_an_identifier_are_told_apart_and_each_result_answers_the_last_open_one() {
    let call = |name: &str| {
        json!({"role": "assistant", "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": name, "arguments": "{}"}}]})
    };
    let result = |text: &str| json!({"role": "tool", "tool_call_id": "call_0", "content": text});
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"}, call("first"), result("of first"), call("second"), result("of second"),
    ]});
    let (sent, _) = translated(Dialect::OpenAiChat, Dialect::Anthropic, &body);
    let of = |turn: usize, key: &str| sent["messages"][turn]["content"][0][key].as_str().unwrap();
    assert_eq!((of(1, "id"), of(2, "tool_use_id")), ("call_0", "call_0"));
    assert_eq!(of(3, "id"), of(4, "tool_use_id"));
    assert_ne!(of(3, "id"), "call_0");
    let (sent, _) = translated(Dialect::OpenAiChat, Dialect::Gemini, &body);
    let name = |turn: usize| &sent["contents"][turn]["parts"][0]["functionResponse"]["name"];
    assert_eq!((name(2), name(4)), (&json!("first"), &json!("second")));
}

#[test]
fn calls_of_answers_without_identifiers_are_named_after_the_reply() {
    let body = br#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#;
    let id_in = |answer: &str| {
        let mut reply = reply();
        reply.id = answer.into();
        let raw = Raw::new(body).unwrap();
        let written =
            translate_response(Dialect::Gemini, Dialect::OpenAiChat, raw, &reply, &Renames::default()).unwrap().body;
        let written: Value = serde_json::from_slice(&written).unwrap();
        written["choices"][0]["message"]["tool_calls"][0]["id"].as_str().unwrap().to_owned()
    };
    assert_ne!(id_in("one"), id_in("two"));
}
