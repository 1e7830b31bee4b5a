//! The OpenAI dialects: chat, Responses, embeddings, models.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::*;

fn chat(extra: Value) -> String {
    let mut body = json!({"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body.to_string()
}

fn weather() -> Value {
    json!([
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}, "days": {"type": "integer"}},
            "required": ["city", "unit"]}}},
        {"type": "function", "function": {"name": "get_time", "parameters": {}}},
    ])
}

fn deltas(answer: &Answer, choice: u64) -> Vec<Value> {
    let choices = answer.data().into_iter().flat_map(|chunk| chunk["choices"].as_array().unwrap().clone());
    choices.filter(|c| c["index"] == choice).map(|c| c["delta"].clone()).collect()
}

fn streamed_text(answer: &Answer, choice: u64) -> String {
    deltas(answer, choice).iter().filter_map(|delta| delta["content"].as_str()).collect()
}

#[test]
fn a_newcomer_is_greeted_by_the_simulator() {
    let answer = post(&simulator(), CHAT, "", &chat(json!({})));
    let body = answer.json();
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("Hello from Tidegate's simulator! You said: \"hi\"."), "{text}");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn a_stream_says_the_same_as_a_whole_answer_one_token_per_chunk() {
    let simulator = simulator();
    let whole = post(&simulator, CHAT, "", &chat(json!({}))).json();
    let stream = post(&simulator, CHAT, "", &chat(json!({"stream": true})));
    assert_eq!(streamed_text(&stream, 0), whole["choices"][0]["message"]["content"]);
    let tokens = deltas(&stream, 0)
        .iter()
        .filter(|delta| delta["content"].as_str().is_some_and(|text| !text.is_empty()))
        .count();
    assert_eq!(whole["usage"]["completion_tokens"], tokens);
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
    assert!(stream.complete);
}

#[test]
fn usage_adds_up() {
    let usage = post(&simulator(), CHAT, "tokens=7,cached=3,reasoning=5", &chat(json!({}))).json()["usage"].clone();
    // Two messages: 4 + ceil(9 / 4) and 4 + ceil(2 / 4).
    assert_eq!([&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]], [12, 12, 24]);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 5);
}

#[test]
fn a_stream_tells_usage_only_when_asked() {
    let simulator = simulator();
    let silent = post(&simulator, CHAT, "", &chat(json!({"stream": true})));
    assert!(silent.data().iter().all(|chunk| chunk.get("usage").is_none()));

    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let told = post(&simulator, CHAT, "tokens=3", &chat(asked.clone())).data();
    let (last, others) = told.split_last().unwrap();
    assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 3);

    let scripted = post(&simulator, CHAT, "no-usage", &chat(asked)).data();
    assert!(scripted.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn an_answer_stops_at_the_limit() {
    for limit in ["max_tokens", "max_completion_tokens"] {
        let body = post(&simulator(), CHAT, "", &chat(json!({limit: 2}))).json();
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        assert_eq!(body["usage"]["completion_tokens"], 2);
        assert_eq!(body["choices"][0]["message"]["content"], "Hello from");
    }
}

#[test]
fn several_choices_are_streamed_side_by_side() {
    let answer = post(&simulator(), CHAT, "tokens=4", &chat(json!({"stream": true, "n": 2})));
    assert_eq!(streamed_text(&answer, 0).split(' ').count(), 4);
    assert_eq!(streamed_text(&answer, 1).split(' ').count(), 4);
    let order: Vec<u64> = answer.data().iter().map(|chunk| chunk["choices"][0]["index"].as_u64().unwrap()).collect();
    assert_eq!(order, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}

#[test]
fn tools_are_called_when_the_request_wants_it() {
    for (said, choice, simulate, called) in [
        ("hi", json!("auto"), "", vec![]),
        ("please call get_time", json!("auto"), "", vec!["get_time"]),
        ("please call get_time", json!("none"), "", vec![]),
        ("hi", json!("required"), "", vec!["get_weather"]),
        ("hi", json!({"type": "function", "function": {"name": "get_time"}}), "", vec!["get_time"]),
        ("hi", json!("auto"), "tool=get_time,tool=get_weather", vec!["get_time", "get_weather"]),
    ] {
        let extra = json!({"tools": weather(), "tool_choice": choice, "messages": [{"role": "user", "content": said}]});
        let body = post(&simulator(), CHAT, simulate, &chat(extra)).json();
        let calls = body["choices"][0]["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = calls.iter().map(|call| call["function"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, called, "{said} {choice} {simulate}");
        assert_eq!(body["choices"][0]["finish_reason"], if called.is_empty() { "stop" } else { "tool_calls" });
    }
}

#[test]
fn tool_arguments_fit_the_schema_and_come_in_pieces() {
    let answer =
        post(&simulator(), CHAT, "", &chat(json!({"tools": weather(), "tool_choice": "required", "stream": true})));
    let calls: Vec<Value> = deltas(&answer, 0).iter().filter_map(|delta| delta["tool_calls"].get(0).cloned()).collect();
    assert_eq!(calls[0]["function"], json!({"name": "get_weather", "arguments": ""}));
    assert!(calls[0]["id"].as_str().unwrap().starts_with("call_"));
    let arguments: String = calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!(arguments, r#"{"city":"example","unit":"celsius"}"#);
    assert!(calls.len() > 2, "{calls:?}");
}

#[test]
fn a_tool_result_is_answered_in_words() {
    let messages = json!([{"role": "user", "content": "call get_time"}, {"role": "assistant"}, {"role": "tool", "content": "noon"}]);
    let body = post(&simulator(), CHAT, "", &chat(json!({"tools": weather(), "messages": messages}))).json();
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}

#[test]
fn content_parts_are_read_as_text() {
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}]}]);
    let body = post(&simulator(), CHAT, "", &chat(json!({"messages": parts}))).json();
    assert!(body["choices"][0]["message"]["content"].as_str().unwrap().contains("\"look\""));
}

#[test]
fn reasoning_is_shown_when_scripted() {
    let answer = post(&simulator(), CHAT, "reasoning=3,reasoning-text,tokens=1", &chat(json!({"stream": true})));
    let thought: String = deltas(&answer, 0).iter().filter_map(|delta| delta["reasoning_content"].as_str()).collect();
    assert_eq!(thought.split(' ').count(), 3);
}

#[test]
fn mistakes_are_answered_in_openais_words() {
    let simulator = simulator();
    for (path, body, status, kind, code) in [
        (CHAT, "{", 400, "invalid_request_error", Value::Null),
        (CHAT, "{}", 400, "invalid_request_error", Value::Null),
        (CHAT, r#"{"model":"m"}"#, 400, "invalid_request_error", json!("missing_required_parameter")),
        (
            CHAT,
            r#"{"model":"no-such-model","messages":[{"role":"user","content":"hi"}]}"#,
            404,
            "invalid_request_error",
            json!("model_not_found"),
        ),
        (EMBEDDINGS, r#"{"model":"m","input":[]}"#, 400, "invalid_request_error", Value::Null),
        (EMBEDDINGS, r#"{"model":"m","input":"x","encoding_format":"hex"}"#, 400, "invalid_request_error", Value::Null),
        (RESPONSES, r#"{"model":"m"}"#, 400, "invalid_request_error", json!("missing_required_parameter")),
        ("/v1/nothing", "", 404, "invalid_request_error", Value::Null),
    ] {
        let answer = post(&simulator, path, "", body);
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["type"], &error["code"]), (status, &json!(kind), &code), "{path} {body}");
    }
    assert_eq!(request(&simulator, "GET", CHAT, "").status, 405);
}

#[test]
fn a_responses_stream_tells_items_in_order_and_numbers_its_events() {
    let body = r#"{"model":"m","input":"hi","stream":true}"#;
    let events = post(&simulator(), RESPONSES, "tokens=2", body).events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, (name, data)) in events.iter().enumerate() {
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let last: Value = serde_json::from_str(&events.last().unwrap().1).unwrap();
    assert_eq!(last["response"]["usage"]["output_tokens"], 2);
    assert_eq!(last["response"]["status"], "completed");
}

#[test]
fn a_response_can_call_a_function_or_meet_its_limit() {
    let tool = json!({"type": "function", "name": "f", "parameters": {"properties": {"x": {"type": "integer"}}}});
    let body = json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "call f"}]}], "tools": [tool]});
    let answer = post(&simulator(), RESPONSES, "", &body.to_string()).json();
    assert_eq!(
        (&answer["output"][0]["type"], &answer["output"][0]["arguments"]),
        (&json!("function_call"), &json!("{\"x\":1}"))
    );

    let short = post(&simulator(), RESPONSES, "", r#"{"model":"m","input":"hi","max_output_tokens":1}"#).json();
    assert_eq!(short["status"], "incomplete");
    assert_eq!(short["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn an_embedding_is_the_same_in_both_encodings_and_has_length_one() {
    use base64::Engine;
    let simulator = simulator();
    let ask = |format: &str| {
        let body = json!({"model": "m", "input": ["one", "two"], "encoding_format": format, "dimensions": 8});
        post(&simulator, EMBEDDINGS, "", &body.to_string()).json()
    };
    let (floats, packed) = (ask("float"), ask("base64"));
    let floats: Vec<f64> =
        floats["data"][1]["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(packed["data"][1]["embedding"].as_str().unwrap()).unwrap();
    let unpacked: Vec<f64> =
        bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).into()).collect();
    assert_eq!(unpacked.len(), 8);
    assert!(floats.iter().zip(&unpacked).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!((floats.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-6);
    assert_eq!(packed["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
}

#[test]
fn an_older_completion_is_a_text() {
    let simulator = simulator();
    let body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"}).to_string();
    let answer = request(&simulator, "POST", "/v1/completions", &body).json();
    assert_eq!(answer["object"], "text_completion");
    assert!(!answer["choices"][0]["text"].as_str().unwrap().is_empty(), "{answer}");
}

#[test]
fn a_moderation_has_a_result_for_each_input() {
    let simulator = simulator();
    let answer = request(&simulator, "POST", "/v1/moderations", r#"{"input": ["a", "b"]}"#).json();
    assert_eq!(answer["results"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["results"][0]["categories"]["violence"], false);
    assert_eq!(request(&simulator, "POST", "/v1/moderations", "{}").status, 400);
}

#[test]
fn models_are_listed_and_looked_up() {
    let simulator = simulator();
    let listed = request(&simulator, "GET", "/v1/models", "").json();
    assert_eq!((&listed["object"], &listed["data"][0]["id"]), (&json!("list"), &json!("simulated")));
    assert_eq!(request(&simulator, "GET", "/v1/models/any", "").json()["id"], "any");
    assert_eq!(request(&simulator, "GET", "/v1/models/no-such-model", "").status, 404);
}

#[test]
fn the_same_seed_says_the_same_in_another_process() {
    let text = || post(&simulator(), CHAT, "", &chat(json!({}))).json()["choices"].clone();
    assert_eq!(text(), text());
}
