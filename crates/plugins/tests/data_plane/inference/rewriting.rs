//! `ai-request-rewrite`: bodies that a model has rewritten.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::fixture::{Gateway, Response};
use crate::provider::{Provider, gzip};

const REWRITTEN: &str = r#"{"model":"m","messages":[{"role":"user","content":"rewritten"}]}"#;

fn said(text: &str) -> String {
    json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}).to_string()
}

fn plugin(model: &Provider) -> Value {
    json!({
        "prompt": "Rewrite.", "provider": "openai", "auth": {"header": {"Authorization": "Bearer own"}},
        "options": {"model": "small"}, "override": {"endpoint": model.endpoint()}, "max_req_body_size": 1000,
    })
}

fn post(model: &Provider, body: &str) -> Response {
    let gateway = Gateway::with_plugins(json!({"ai-request-rewrite": plugin(model)}));
    gateway.post_text("/", &[("Authorization", "Bearer client"), ("Cookie", "a=b")], body)
}

fn post_bytes(gateway: &Gateway, coding: &str, body: &[u8]) -> Response {
    let length = body.len().to_string();
    let mut stream = gateway.open("POST", "/", &[("Content-Encoding", coding), ("Content-Length", &length)], "");
    stream.write_all(body).expect("a body");
    Response::read(stream)
}

#[test]
fn a_models_text_becomes_the_body_and_the_model_sees_nothing_else_of_the_client() {
    let model = Provider::answering(200, "", &said("twelve bytes"));
    let response = post(&model, "not JSON");
    assert_eq!(response.status, 200);
    assert!(response.body.to_ascii_lowercase().contains("content-length: 12\r\n"), "{}", response.body);
    let asked = model.asked();
    let messages = json!([{"role": "system", "content": "Rewrite."}, {"role": "user", "content": "not JSON"}]);
    assert_eq!((&asked.body["messages"], &asked.body["model"]), (&messages, &json!("small")));
    assert_eq!(asked.body["stream"], false);
    assert_eq!(asked.path, "/v1/chat/completions");
    assert!(asked.head.contains("authorization: bearer own\r\n"), "{}", asked.head);
    assert!(!asked.head.contains("cookie"), "{}", asked.head);
}

#[test]
fn plugins_that_follow_read_the_rewritten_body() {
    let model = Provider::answering(200, "", &said(REWRITTEN));
    let provider = Provider::answering(200, "", &said("hi"));
    let gateway = Gateway::with_plugins(json!({
        "ai-request-rewrite": plugin(&model),
        "ai-proxy": {"provider": "openai", "auth": {}, "override": {"endpoint": provider.endpoint()}},
    }));
    let original = json!({"model": "x", "messages": [{"role": "user", "content": "original"}]});
    assert_eq!(gateway.post("/v1/chat/completions", &[], &original).status, 200);
    assert_eq!(provider.asked().body, serde_json::from_str::<Value>(REWRITTEN).expect("JSON"));
}

#[test]
fn a_body_that_is_missing_or_too_long_is_refused_without_asking_the_model() {
    let model = Provider::answering(200, "", &said("text"));
    for body in ["", &"x".repeat(1001)] {
        let response = post(&model, body);
        assert_eq!(response.status, 400);
        assert!(response.body.contains("<h1>400 Bad Request</h1>"), "{}", response.body);
    }
    assert!(model.is_idle());
}

#[test]
fn coded_bodies_are_shown_as_text_and_coded_answers_are_read() {
    let coded = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let model = Provider::sending(coded, &gzip(&said("twelve bytes")));
    let gateway = Gateway::with_plugins(json!({"ai-request-rewrite": plugin(&model)}));
    let told = post_bytes(&gateway, "gzip", &gzip("not JSON"));
    assert_eq!(told.status, 200);
    let forwarded = told.body.to_ascii_lowercase();
    assert!(forwarded.contains("content-length: 12\r\n") && !forwarded.contains("content-encoding"), "{forwarded}");
    assert_eq!(model.asked().body["messages"][1]["content"], "not JSON");
    for (coding, body, status) in [
        ("gzip", &b"not gzip"[..], 400),
        ("identity", b"\xff", 400),
        ("zstd", b"x", 415),
        ("gzip", &gzip(&"x".repeat(1001)), 400),
    ] {
        assert_eq!(post_bytes(&gateway, coding, body).status, status, "{coding}");
    }
    assert!(model.is_idle());
}

#[test]
fn a_model_that_gives_no_text_fails_the_request() {
    let no_text = r#"{"choices":[]}"#;
    for (status, answer) in
        [(500, said("text")), (201, said("text")), (200, "no JSON".to_owned()), (200, no_text.into())]
    {
        let model = Provider::answering(status, "", &answer);
        let response = post(&model, "body");
        assert_eq!(response.status, 500, "{status} {answer}");
        assert!(response.body.contains("<h1>500 Internal Server Error</h1>"), "{}", response.body);
    }
}

#[test]
fn models_behind_forms_that_no_client_speaks_rewrite_too() {
    let ollama = json!({"model": "small", "message": {"role": "assistant", "content": "twelve bytes"}, "done": true});
    let dashscope = json!({"output": {"choices": [
        {"message": {"role": "assistant", "content": "twelve bytes"}, "finish_reason": "stop"},
    ]}});
    for (provider, answer, path) in [
        ("ollama-native", ollama, "/api/chat"),
        ("dashscope-native", dashscope, "/api/v1/services/aigc/text-generation/generation"),
    ] {
        let model = Provider::answering(200, "", &answer.to_string());
        let mut plugin = plugin(&model);
        plugin["provider"] = provider.into();
        let gateway = Gateway::with_plugins(json!({"ai-request-rewrite": plugin}));
        let response = gateway.post_text("/", &[], "not JSON");
        assert_eq!(response.status, 200, "{provider}: {}", response.body);
        assert!(response.body.to_ascii_lowercase().contains("content-length: 12\r\n"), "{}", response.body);
        let asked = model.asked();
        assert!(asked.path.starts_with(path), "{}", asked.path);
        assert!(asked.body.to_string().contains("not JSON"), "{}", asked.body);
    }
}
