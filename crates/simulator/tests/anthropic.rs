//! Anthropic Messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::*;

fn hello(extra: Value) -> String {
    let mut body =
        json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body.to_string()
}

fn names(answer: &Answer) -> Vec<String> {
    answer.events().into_iter().map(|(name, _)| name).collect()
}

fn of(answer: &Answer, name: &str) -> Vec<Value> {
    let events = answer.events().into_iter().filter(|(got, _)| got == name);
    events.map(|(_, data)| serde_json::from_str(&data).unwrap()).collect()
}

#[test]
fn a_message_is_answered_with_text_and_usage() {
    let body = post(&simulator(), MESSAGES, "cached=2", &hello(json!({}))).json();
    assert!(body["content"][0]["text"].as_str().unwrap().starts_with("Hello from Tidegate's simulator!"));
    assert_eq!((&body["type"], &body["stop_reason"]), (&json!("message"), &json!("end_turn")));
    assert_eq!((&body["usage"]["input_tokens"], &body["usage"]["cache_read_input_tokens"]), (&json!(3), &json!(2)));
}

#[test]
fn a_stream_follows_the_grammar() {
    let answer = post(&simulator(), MESSAGES, "tokens=2", &hello(json!({"stream": true})));
    let expected = "message_start content_block_start ping content_block_delta content_block_delta content_block_stop message_delta message_stop";
    assert_eq!(names(&answer).join(" "), expected);
    assert!(answer.events().iter().all(|(name, data)| serde_json::from_str::<Value>(data).unwrap()["type"] == *name));
    let delta = &of(&answer, "message_delta")[0];
    assert_eq!((&delta["delta"]["stop_reason"], &delta["usage"]["output_tokens"]), (&json!("end_turn"), &json!(2)));
}

#[test]
fn thinking_comes_first_and_is_signed() {
    let answer = post(&simulator(), MESSAGES, "reasoning=1,tokens=1", &hello(json!({"stream": true})));
    let kinds: Vec<_> = of(&answer, "content_block_delta").iter().map(|event| event["delta"]["type"].clone()).collect();
    assert_eq!(kinds, ["thinking_delta", "signature_delta", "text_delta"]);
    let starts: Vec<_> = of(&answer, "content_block_start").iter().map(|event| event["index"].clone()).collect();
    assert_eq!(starts, [0, 1]);
}

#[test]
fn tools_are_used_in_pieces_of_json() {
    let tool =
        json!({"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}});
    let forced = json!({"tools": [tool], "tool_choice": {"type": "any"}});
    let whole = post(&simulator(), MESSAGES, "", &hello(forced.clone())).json();
    assert_eq!(whole["content"][0]["input"], json!({"city": "example"}));
    assert_eq!(whole["stop_reason"], "tool_use");

    let mut streamed = forced;
    streamed["stream"] = true.into();
    let answer = post(&simulator(), MESSAGES, "", &hello(streamed));
    let json: String = of(&answer, "content_block_delta")
        .iter()
        .map(|event| event["delta"]["partial_json"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(json, r#"{"city":"example"}"#);
}

#[test]
fn the_limit_is_met_as_max_tokens() {
    let body = post(&simulator(), MESSAGES, "", &hello(json!({"max_tokens": 1}))).json();
    assert_eq!((&body["stop_reason"], &body["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(1)));
}

#[test]
fn tokens_are_counted_without_an_answer() {
    let answer = post(&simulator(), "/v1/messages/count_tokens", "", &hello(json!({"system": "12345678"})));
    assert_eq!(answer.json(), json!({"input_tokens": 11}));
}

#[test]
fn mistakes_are_answered_in_anthropics_words() {
    for (simulate, body, status, kind) in [
        ("", "{".to_owned(), 400, "invalid_request_error"),
        ("", hello(json!({"max_tokens": null})), 400, "invalid_request_error"),
        ("", hello(json!({"model": "no-such-model"})), 404, "not_found_error"),
        ("require-auth", hello(json!({})), 401, "authentication_error"),
        ("status=429,retry-after=3", hello(json!({})), 429, "rate_limit_error"),
        ("status=529", hello(json!({})), 529, "overloaded_error"),
        ("status=500", hello(json!({})), 500, "api_error"),
    ] {
        let answer = post(&simulator(), MESSAGES, simulate, &body);
        assert_eq!((answer.status, &answer.json()["type"]), (status, &json!("error")), "{simulate}");
        assert_eq!(answer.json()["error"]["type"], kind);
        assert_eq!(answer.header("retry-after"), (status == 429).then_some("3"));
    }
}
