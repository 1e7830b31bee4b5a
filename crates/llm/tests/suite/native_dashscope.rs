//! DashScope's own form, by example and by its recorded exchanges.

use serde_json::{Value, json};
use tidegate_llm::{ProviderDialect, TranslatedEnd};

use crate::golden::exchanges;
use crate::native::{answered, asked, streamed};

const DASHSCOPE: ProviderDialect = ProviderDialect::DashScope;

#[test]
fn a_conversation_is_asked_in_the_envelope() {
    let (body, losses) = asked(
        DASHSCOPE,
        &json!({
        "model": "qwen-plus", "stream": true, "max_completion_tokens": 9, "top_p": 0.9, "stop": ["x"],
        "reasoning_effort": "low", "user": "u",
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]}),
    );
    assert_eq!(losses, "user");
    assert_eq!(body["model"], "qwen-plus");
    let messages = &body["input"]["messages"];
    assert_eq!(messages[0], json!({"role": "system", "content": "be brief"}));
    assert_eq!(messages[1], json!({"role": "user", "content": "hi"}));
    assert_eq!((&messages[2]["content"], &messages[2]["tool_calls"][0]["id"]), (&json!(""), &json!("c1")));
    assert_eq!(messages[3]["tool_call_id"], "c1");
    let parameters = &body["parameters"];
    for (name, expected) in [
        ("result_format", json!("message")),
        ("incremental_output", json!(true)),
        ("max_tokens", json!(9)),
        ("top_p", json!(0.9)),
        ("enable_thinking", json!(true)),
        ("thinking_budget", json!(1024)),
    ] {
        assert_eq!(parameters[name], expected, "{name}");
    }
    assert_eq!(parameters["tools"][0]["function"]["name"], "look");
    assert_eq!((parameters.get("stream"), parameters.get("messages")), (None, None));
}

#[test]
fn models_that_see_read_lists() {
    let (body, losses) = asked(
        DASHSCOPE,
        &json!({"model": "qwen-vl-max", "messages": [
        {"role": "system", "content": "look"},
        {"role": "user", "content": [
            {"type": "text", "text": "what"},
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}]}]}),
    );
    assert_eq!(losses, "");
    assert_eq!(
        body["input"]["messages"],
        json!([
        {"role": "system", "content": [{"text": "look"}]},
        {"role": "user", "content": [
            {"text": "what"}, {"image": "https://x/y.png"}, {"audio": "data:audio/wav;base64,QUJD"}]}])
    );
}

#[test]
fn results_calls_and_thoughts_have_their_places_in_either_form_of_content() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA=="}});
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}});
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}, picture, file, {"type": "text", "text": "b"}]},
        {"role": "assistant", "reasoning_content": "hm", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x"}, picture]}]);
    let call = json!([{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]);
    let thought = |content: Value| {
        json!({
            "role": "assistant", "reasoning_content": "hm", "content": content, "tool_calls": call,
        })
    };
    let (text, list) = (json!({"text": "x"}), json!({"image": "data:image/gif;base64,AA=="}));
    for (model, asked_for, lost) in [
        (
            "qwen-plus",
            json!([
            {"role": "user", "content": "a\nb"}, thought(json!("")),
            {"role": "tool", "tool_call_id": "c1", "name": "look", "content": "x"}]),
            ["image", "document"].as_slice(),
        ),
        (
            "qwen-vl-max",
            json!([
            {"role": "user", "content": [{"text": "a"}, list, {"text": "b"}]}, thought(json!([])),
            {"role": "tool", "tool_call_id": "c1", "name": "look", "content": [text, list]}]),
            &["document"],
        ),
    ] {
        let (body, losses) = asked(DASHSCOPE, &json!({"model": model, "messages": messages}));
        assert_eq!(body["input"]["messages"], asked_for, "{model}");
        assert!(lost.iter().all(|name| losses.contains(name)), "{model}: {losses}");
        assert_eq!(losses.contains("image"), lost.contains(&"image"), "{model}: {losses}");
    }
}

fn event(output: &Value, usage: &Value) -> String {
    let data = json!({"output": output, "usage": usage, "request_id": "r1"});
    format!("id:1\nevent:result\n:HTTP_STATUS/200\ndata:{data}\n\n")
}

fn piece(message: Value, reason: &str) -> String {
    let usage = json!({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 2}});
    event(&json!({"choices": [{"message": message, "finish_reason": reason}]}), &usage)
}

#[test]
fn a_stream_of_thoughts_text_and_calls_is_read_in_any_pieces() {
    let call = |id: &str, name: &str, arguments: &str| {
        json!({"role": "assistant", "content": "", "tool_calls": [
            {"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
    };
    let stream = [
        piece(json!({"role": "assistant", "content": "", "reasoning_content": "hm"}), "null"),
        piece(json!({"role": "assistant", "content": [{"text": "he"}]}), "null"),
        piece(json!({"role": "assistant", "content": "llo"}), "null"),
        piece(call("c1", "look", "{\"at\""), "null"),
        piece(call("", "", ":1}"), "tool_calls"),
    ]
    .concat();
    for size in [1, 50, stream.len()] {
        let told = streamed(DASHSCOPE, stream.as_bytes().chunks(size));
        assert_eq!((told.text.as_str(), told.reasoning.as_str()), ("hello", "hm"));
        assert_eq!(told.calls, [("look".to_owned(), "{\"at\":1}".to_owned())]);
        assert_eq!((told.finish_reason.as_deref(), told.end), (Some("tool_calls"), TranslatedEnd::Complete));
        assert_eq!(told.usage["prompt_tokens_details"]["cached_tokens"], 2);
        assert_eq!(told.usage["total_tokens"], 8);
    }
}

#[test]
fn a_stream_that_breaks_off_or_fails_is_no_whole_answer() {
    let piece = piece(json!({"role": "assistant", "content": "x"}), "null");
    assert_eq!(streamed(DASHSCOPE, [piece.as_bytes()]).end, TranslatedEnd::Cut);
    let error = "id:2\nevent:error\n:HTTP_STATUS/400\ndata:{\"code\":\"InvalidParameter\",\"message\":\"no\"}\n\n";
    let failed = streamed(DASHSCOPE, [piece.as_bytes(), error.as_bytes()]);
    assert_eq!(failed.end, TranslatedEnd::Failed("no".to_owned()));
}

/// Answers that are no errors and have a form that is asked for.
fn is_good(body: &Value) -> bool {
    body["output"]["choices"].is_array()
}

fn text_of(content: &Value) -> String {
    match content {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_owned(),
    }
}

#[test]
fn recorded_answers_are_read_whole() {
    for exchange in exchanges("dashscope-generation").into_iter().filter(|exchange| is_good(&exchange.body)) {
        let told = answered(DASHSCOPE, &exchange.body);
        let (message, said) = (&told["choices"][0]["message"], &exchange.body["output"]["choices"][0]["message"]);
        assert_eq!(message["content"].as_str().unwrap_or_default(), text_of(&said["content"]), "{}", exchange.name);
        let thinking = |message: &Value| message["reasoning_content"].as_str().unwrap_or_default().to_owned();
        assert_eq!(thinking(message), thinking(said), "{}", exchange.name);
        let count = |list: &Value| list.as_array().map_or(0, Vec::len);
        assert_eq!(count(&message["tool_calls"]), count(&said["tool_calls"]), "{}", exchange.name);
        let usage = &exchange.body["usage"];
        assert_eq!(told["usage"]["completion_tokens"], usage["output_tokens"], "{}", exchange.name);
        assert_eq!(told["id"], exchange.body["request_id"], "{}", exchange.name);
    }
}

#[test]
fn recorded_streams_of_increments_are_read_whole() {
    for exchange in exchanges("dashscope-generation") {
        let is_asked = exchange.request["parameters"]["incremental_output"] == true;
        let Some(stream) = exchange.stream.filter(|stream| is_asked && stream.contains("\"finish_reason\"")) else {
            continue;
        };
        let events: Vec<Value> = stream
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let text: String = events
            .iter()
            .map(|event| match event["output"]["text"].as_str() {
                Some(text) => text.to_owned(),
                None => text_of(&event["output"]["choices"][0]["message"]["content"]),
            })
            .collect();
        let told = streamed(DASHSCOPE, stream.as_bytes().chunks(100));
        if let Some(failure) = events.last().and_then(|event| event["message"].as_str()) {
            assert_eq!(told.end, TranslatedEnd::Failed(failure.to_owned()), "{}", exchange.name);
            continue;
        }
        assert_eq!(told.end, TranslatedEnd::Complete, "{}", exchange.name);
        assert_eq!(told.text, text, "{}", exchange.name);
        let usage = &events.last().unwrap()["usage"];
        assert_eq!(told.usage["completion_tokens"], usage["output_tokens"], "{}", exchange.name);
    }
}
