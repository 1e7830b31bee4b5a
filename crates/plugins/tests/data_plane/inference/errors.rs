//! Errors of providers: what clients and logs see of them.

use super::*;

/// `ai-proxy` for a provider that answers every request with `events`.
fn proxy_to_a_stream_of(provider: &str, path: &str, events: &str) -> Value {
    let answer = format!("{STREAM_HEAD}Content-Length: {}\r\n\r\n{events}", events.len());
    let endpoint = format!("http://{}{path}", provider_that_says(&answer, Then::Close));
    json!({"provider": provider, "override": {"endpoint": endpoint}})
}

#[test]
fn an_error_inside_a_stream_passes_unchanged_and_is_not_logged_as_complete() {
    let message = json!([{"role": "user", "content": "hi"}]);
    let chat = json!({"model": "m", "stream": true, "messages": message});
    let responses = json!({"model": "m", "stream": true, "input": "hi"});
    let anthropic = json!({"model": "m", "stream": true, "max_tokens": 5, "messages": message});
    let rows = [
        ("openai-compatible", CHAT, &chat, "data: {\"error\":{\"message\":\"overloaded\"}}\n\ndata: [DONE]\n\n"),
        (
            "openai-compatible",
            "/v1/responses",
            &responses,
            "event: response.created\ndata: {\"type\":\"response.created\"}\n\n\
             event: error\ndata: {\"type\":\"error\",\"message\":\"overloaded\"}\n\n",
        ),
        (
            "openai-compatible",
            "/v1/responses",
            &responses,
            "event: response.failed\n\
             data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"overloaded\"}}}\n\n",
        ),
        (
            "anthropic",
            "/v1/messages",
            &anthropic,
            "event: error\n\
             data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        ),
    ];
    for (provider, path, request, events) in rows {
        let inference = Inference::with(proxy_to_a_stream_of(provider, path, events));
        let response = inference.gateway.post(path, &[], request);
        assert_eq!((response.status, &*response.body), (200, events));
        let entry = inference.entry();
        assert_eq!(entry["outcome"], "provider_error", "{entry:#}");
        assert_eq!(entry["llm_usage"]["stream_error"], "overloaded", "{entry:#}");
    }
}

#[test]
fn an_error_in_the_middle_of_an_answer_is_told_from_its_end() {
    let inference = Inference::start();
    let response = inference.stream("tokens=20,error-event=5,flush");
    assert!(response.body.contains("\"error\""), "{}", response.body);
    assert_eq!(inference.entry()["outcome"], "provider_error");
}

#[test]
fn error_response_stands_for_what_a_provider_says_when_it_is_busy_or_broken() {
    let inference = Inference::with(json!({"_meta": {"error_response": {"error": "try again"}}}));
    for status in [429, 500, 503] {
        let response = inference.ask(&format!("status={status},retry-after=7,header=content-encoding:br"));
        assert_eq!((response.status, &*response.body), (status, "{\"error\":\"try again\"}\n"));
        assert_eq!(response.header("retry-after").as_deref(), Some("7"));
        assert_eq!(response.header("content-encoding"), None);
    }
    assert_ne!(inference.ask("status=400").body, "{\"error\":\"try again\"}\n", "it is the client's to know");
    assert!(inference.ask("").body.contains("choices"));
}

#[test]
fn error_response_stands_for_a_provider_that_cannot_be_reached() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let endpoint = format!("http://{nobody}");
    let inference =
        Inference::with(json!({"override": {"endpoint": endpoint}, "_meta": {"error_response": "try again"}}));
    let response = inference.ask("");
    assert_eq!((response.status, &*response.body), (500, "try again"));
}
