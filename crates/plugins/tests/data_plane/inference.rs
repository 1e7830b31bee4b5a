//! LLM requests through a data plane, with the simulator as their provider.

mod credentials;
mod embedder;
mod errors;
mod long_answers;
mod mapped;
mod metering;
mod mistral;
mod odd_answers;
mod passing;
mod rewriting;
mod same_dialect;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::Running;

use super::fixture::{Gateway, PATIENCE, Response, log_entries};

const CHAT: &str = "/v1/chat/completions";
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

/// A gateway in front of a simulated provider, with a log of what became of each request.
struct Inference {
    gateway: Gateway,
    provider: Running,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Inference {
    fn start() -> Self {
        Self::with(json!({}))
    }

    /// With `proxy` laid over the configuration of `ai-proxy`.
    fn with(proxy: Value) -> Self {
        let provider = simulator::spawn(simulator::Options::embedded()).expect("a provider");
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("entries.log");
        let endpoint = format!("http://{}{CHAT}", provider.addr);
        let mut ai_proxy = json!({
            "provider": "openai-compatible", "auth": {"header": {"Authorization": "Bearer provider-key"}},
            "override": {"endpoint": endpoint}, "logging": {"summaries": true},
        });
        overlay(&mut ai_proxy, proxy);
        let plugins = json!({"ai-proxy": ai_proxy, "file-logger": {"path": log}});
        let gateway = Gateway::with_plugins(plugins);
        Self { gateway, provider, log, _folder: folder }
    }

    /// A streamed chat, with the simulator directed by `simulate`.
    fn stream(&self, simulate: &str) -> Response {
        self.gateway.post(CHAT, &[("x-simulate", simulate)], &chat(true))
    }

    fn open_stream(&self, simulate: &str) -> TcpStream {
        self.gateway.open("POST", CHAT, &[("x-simulate", simulate)], &chat(true).to_string())
    }

    fn ask(&self, simulate: &str) -> Response {
        self.gateway.post(CHAT, &[("x-simulate", simulate)], &chat(false))
    }

    /// What the provider itself answers, without a gateway.
    fn straight(&self, path: &str, method: &str, headers: &str, body: &str) -> String {
        straight(self.provider.addr, path, method, headers, body)
    }

    /// The provider's journal, once `holds` is true of it.
    fn journal(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let text = self.straight("/__simulator/requests", "GET", "", "");
            let journal: Value = serde_json::from_str(&text).expect("JSON");
            if holds(&journal) {
                return journal;
            }
            assert!(begun.elapsed() < PATIENCE, "{journal:#}");
            std::thread::yield_now();
        }
    }

    /// What was logged of the first request.
    fn entry(&self) -> Value {
        log_entries(&self.log, 1).remove(0)
    }
}

fn straight(address: SocketAddr, path: &str, method: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(body.as_bytes()).expect("a body");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.split_once("\r\n\r\n").expect("a head").1.to_owned()
}

fn overlay(onto: &mut Value, over: Value) {
    match (onto, over) {
        (Value::Object(onto), Value::Object(over)) => {
            for (key, value) in over {
                overlay(onto.entry(key).or_insert(Value::Null), value);
            }
        }
        (onto, over) => *onto = over,
    }
}

fn chat(stream: bool) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Say something nice."}], "stream": stream})
}

/// Reads until `text` has arrived.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 1024];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let length = stream.read(&mut piece).expect("more");
        assert!(length > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// The events of a stream without what differs from call to call.
fn normal(events: &str) -> String {
    let kept = events.lines().map(|line| match line.strip_prefix("data: {") {
        Some(rest) => {
            let mut event: Value = serde_json::from_str(&format!("{{{rest}")).expect("JSON");
            event["id"] = Value::Null;
            event["created"] = Value::Null;
            // Where usage is asked for, the chunks without it say so.
            if event["usage"].is_null() {
                event["usage"] = Value::Null;
            }
            event.to_string()
        }
        None => line.to_owned(),
    });
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stream_passes_byte_for_byte() {
    const EVENTS: &str = ": a comment\r\n\r\nid: 1\r\ndata: {\"choices\" : [ {\"index\":0,\"delta\":{\"content\":\"\\u00e9t\u{e9}\"}} ]}\r\n\
        \r\n\n\ndata: {\"x\":1,\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\nleft over";
    let answer = format!("{STREAM_HEAD}Content-Length: {}\r\n\r\n{EVENTS}", EVENTS.len());
    let endpoint = format!("http://{}{CHAT}", provider_that_says(&answer, Then::Close));
    for include_usage in [true, false] {
        let inference = Inference::with(json!({"override": {"endpoint": endpoint}}));
        let mut request = chat(true);
        request["stream_options"] = json!({"include_usage": include_usage});
        let response = inference.gateway.post(CHAT, &[], &request);
        assert_eq!((response.status, &*response.body), (200, EVENTS));
        assert_eq!(inference.entry()["outcome"], "complete");
    }
}

#[test]
fn a_usage_chunk_that_only_the_gateway_asked_for_is_not_shown_but_counted() {
    let inference = Inference::start();
    let through = inference.stream("tokens=20");
    let straight = inference.straight(CHAT, "POST", "x-simulate: tokens=20\r\n", &chat(true).to_string());
    assert_eq!(normal(&through.body), normal(&straight));
    let entry = inference.entry();
    assert_eq!(entry["llm_usage"]["completion"], 20, "{entry:#}");
    assert_eq!(entry["outcome"], "complete");
}

#[test]
fn a_stream_without_usage_is_counted_by_the_gateway_and_marked() {
    let inference = Inference::start();
    assert_eq!(inference.stream("tokens=20,no-usage").status, 200);
    let entry = inference.entry();
    assert_eq!(entry["llm_usage"]["estimated"], true, "{entry:#}");
}

#[test]
fn a_cut_stream_ends_in_an_error_event_and_is_logged_as_cut() {
    let inference = Inference::start();
    let response = inference.stream("tokens=20,cut=5,flush");
    assert_eq!(response.status, 200);
    let last = response.body.trim_end().rsplit("\n\n").next().expect("an event");
    assert!(last.contains("stream_interrupted"), "{}", response.body);
    assert!(!response.body.contains("[DONE]"), "{}", response.body);
    assert_eq!(inference.entry()["outcome"], "upstream_cut");
}

#[test]
fn what_breaks_before_the_first_piece_is_an_error_and_not_a_stream() {
    let silent = format!("{STREAM_HEAD}\r\n");
    let torn = format!("{STREAM_HEAD}Content-Length: 100\r\n\r\n");
    let empty = format!("{STREAM_HEAD}Content-Length: 0\r\n\r\n");
    let long = format!("{STREAM_HEAD}\r\ndata: {{\"choices\":[]}}\n\n");
    let rows = [
        ("", json!({"timeout": 200}), Then::Wait, 504, "504"),
        (&*silent, json!({"timeout": 200}), Then::Wait, 504, "504"),
        (&*silent, json!({"max_stream_duration_ms": 100}), Then::Wait, 504, "max_stream_duration_ms exceeded"),
        (&*long, json!({"max_response_bytes": 10}), Then::Wait, 502, "max_response_bytes exceeded"),
        (&*torn, json!({}), Then::Close, 500, "500"),
        (&*empty, json!({}), Then::Close, 500, "500"),
    ];
    for (answer, proxy, then, status, text) in rows {
        let mut proxy = proxy;
        proxy["override"] = json!({"endpoint": format!("http://{}{CHAT}", provider_that_says(answer, then))});
        let inference = Inference::with(proxy);
        let response = inference.stream("");
        assert_eq!(response.status, status, "{answer}");
        assert!(response.body.contains(text) && !response.body.contains("data:"), "{answer}: {}", response.body);
        assert_eq!(inference.entry().get("llm_usage"), None, "{answer}");
    }
}

/// What a provider does when it has said its word.
#[derive(Clone, Copy)]
enum Then {
    Wait,
    Close,
}

/// A provider that answers every request with `answer`.
fn provider_that_says(answer: &str, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            read_until(&mut stream, "\"stream\":true");
            stream.write_all(answer.as_bytes()).expect("an answer");
            if let Then::Wait = then {
                // Until the gateway leaves.
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    });
    address
}

#[test]
fn the_limit_of_answers_does_not_hide_why_a_provider_refused() {
    let inference = Inference::with(json!({"max_response_bytes": 10}));
    for status in [429, 500, 503] {
        let response = inference.stream(&format!("status={status},error-message=full"));
        assert_eq!(response.status, status);
        assert!(response.body.contains("full"), "{}", response.body);
    }
    assert_eq!(inference.stream("status=400").status, 502);
}

#[test]
fn logs_tell_where_the_provider_was_called() {
    let provider = simulator::spawn(simulator::Options::embedded()).expect("a provider");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("entries.log");
    let format = json!({"host": "$upstream_host", "uri": "$upstream_uri", "node": "$balancer_ip"});
    let endpoint = format!("http://{}/of/the/provider?version=1", provider.addr);
    let gateway = Gateway::with_plugins(json!({
        "ai-proxy": {"provider": "openai", "auth": {}, "override": {"endpoint": endpoint}},
        "file-logger": {"path": log, "log_format": format},
    }));
    gateway.post("/the/client/s", &[], &chat(false));
    let entry = &log_entries(&log, 1)[0];
    assert_eq!(
        (&entry["host"], &entry["uri"], &entry["node"]),
        (&json!("127.0.0.1"), &json!("/of/the/provider"), &json!("ai-proxy-openai"))
    );
}

#[test]
fn a_stream_that_grows_too_long_is_broken_off_by_the_gateway() {
    let inference = Inference::with(json!({"max_response_bytes": 2000}));
    let response = inference.stream("tokens=500,tps=100,flush");
    assert!(response.body.contains("max_response_bytes exceeded"), "{}", response.body);
    assert_eq!(inference.entry()["outcome"], "limit_exceeded");
    inference.journal(|journal| journal["aborted"] == 1);
}

#[test]
fn a_stream_is_broken_off_in_time_even_while_the_provider_is_silent() {
    let inference = Inference::with(json!({"max_stream_duration_ms": 300}));
    let begun = Instant::now();
    let response = inference.stream("tokens=20,hang=3,flush");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(response.body.contains("max_stream_duration_ms exceeded"), "{}", response.body);
    assert_eq!(inference.entry()["outcome"], "limit_exceeded");
    inference.journal(|journal| journal["aborted"] == 1);
}

#[test]
fn a_client_that_leaves_ends_the_providers_work_at_once() {
    let inference = Inference::start();
    for (simulate, awaited) in [("tokens=1000,tps=20", "data: "), ("hang", "")] {
        let mut stream = inference.open_stream(simulate);
        if awaited.is_empty() {
            inference.journal(|journal| journal["received"] == 2);
        } else {
            read_until(&mut stream, awaited);
        }
        drop(stream);
        inference.journal(|journal| journal["received"] == journal["aborted"]);
    }
    let entry = inference.entry();
    assert_eq!(entry["outcome"], "client_gone");
    assert_eq!(entry["llm_usage"]["estimated"], true, "{entry:#}");
}

#[test]
fn a_client_that_leaves_at_the_end_marker_has_had_everything() {
    let inference = Inference::start();
    // The provider never closes the body after its end marker.
    let mut stream = inference.open_stream("tokens=3,hang=7,flush");
    read_until(&mut stream, "[DONE]");
    drop(stream);
    assert_eq!(inference.entry()["outcome"], "complete");
    inference.journal(|journal| journal["aborted"] == 1);
}

#[test]
fn refusals_pass_with_their_status_and_headers_and_cost_nothing() {
    for (status, wait) in [(429, Some("7")), (503, Some("7")), (400, None), (401, None)] {
        for stream in [true, false] {
            let inference = Inference::start();
            let simulate = format!("status={status}{}", if wait.is_some() { ",retry-after=7" } else { "" });
            let response = inference.gateway.post(CHAT, &[("x-simulate", &simulate)], &chat(stream));
            assert_eq!(response.status, status);
            assert_eq!(response.header("retry-after").as_deref(), wait);
            assert!(response.body.contains("error"), "{}", response.body);
            let entry = inference.entry();
            assert_eq!(entry.get("llm_usage"), None, "{entry:#}");
        }
    }
}

#[test]
fn a_streamed_refusal_passes_unobserved() {
    const EVENTS: &str = "data: {\"error\":{\"message\":\"no such model\"}}\n\n";
    let head = STREAM_HEAD.replace("200 OK", "400 Bad Request");
    let answer = format!("{head}Content-Length: {}\r\n\r\n{EVENTS}", EVENTS.len());
    let endpoint = format!("http://{}{CHAT}", provider_that_says(&answer, Then::Close));
    let inference = Inference::with(json!({"override": {"endpoint": endpoint}}));
    let response = inference.stream("");
    assert_eq!((response.status, &*response.body), (400, EVENTS));
    let entry = inference.entry();
    assert_eq!((&entry["outcome"], entry.get("llm_usage")), (&json!("complete"), None), "{entry:#}");
}

#[test]
fn an_encoded_stream_passes_as_it_is() {
    let inference = Inference::start();
    let response = inference.stream("tokens=5,no-done,header=content-encoding:br");
    assert_eq!(response.status, 200);
    assert!(!response.body.contains("stream_interrupted"), "{}", response.body);
    assert_eq!(inference.entry()["outcome"], "complete");
}

#[test]
fn an_answer_that_is_not_json_passes_as_it_is() {
    let inference = Inference::start();
    let response = inference.ask("malformed");
    assert_eq!(response.status, 200);
    assert!(serde_json::from_str::<Value>(&response.body).is_err(), "{}", response.body);
}

#[test]
fn a_whole_answer_that_breaks_is_an_error() {
    let rows = [
        ("hang", json!({"timeout": 200}), 504),
        ("cut", json!({}), 500),
        ("close", json!({}), 500),
        ("tokens=100", json!({"max_response_bytes": 50}), 502),
    ];
    for (simulate, proxy, status) in rows {
        let inference = Inference::with(proxy);
        assert_eq!(inference.ask(simulate).status, status, "{simulate}");
    }
}

#[test]
fn a_long_prompt_is_let_go_and_still_counted() {
    let inference = Inference::start();
    let mut request = chat(true);
    request["messages"][0]["content"] = "The quick brown fox jumps. ".repeat(4000).into();
    let response = inference.gateway.post(CHAT, &[("x-simulate", "tokens=3,no-usage")], &request);
    assert_eq!(response.status, 200);
    let usage = &inference.entry()["llm_usage"];
    let prompt = usage["prompt"].as_u64().expect("a count");
    assert!((23_000..26_000).contains(&prompt), "{usage}");
}

#[test]
fn a_consumers_credentials_never_reach_the_provider() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJrZXkiOiJqYWNrIn0.wrong";
    let provider = simulator::spawn(simulator::Options::embedded()).expect("a provider");
    let plugins = json!({
        "key-auth": {"anonymous_consumer": "jack", "query": "secret"},
        "jwt-auth": {"anonymous_consumer": "jack", "header": "x-token"},
        "ai-proxy": {
            "provider": "openai-compatible", "override": {"endpoint": format!("http://{}", provider.addr)},
            "auth": {"header": {"Authorization": "Bearer provider-key", "apikey": "provider's own"}},
        },
    });
    let consumer = json!({"username": "jack", "plugins": {"key-auth": {"key": "consumer-key"}}});
    let gateway = Gateway::with_plugins_and(plugins, &[("/apisix/consumers/jack", consumer)]);
    let cookie = format!("a=1; jwt={token}; b=2");
    let rows: [(&str, &[(&str, &str)]); 3] = [
        ("/echo", &[("apikey", "consumer-key"), ("x-token", token)]),
        ("/echo?secret=consumer-key&a=1&jwt=consumer-token", &[]),
        ("/echo?a=1", &[("Cookie", &cookie), ("apikey", "consumer-key")]),
    ];
    for (path, headers) in rows {
        let response = gateway.post(path, headers, &json!({"anything": 1}));
        assert_eq!(response.status, 200, "{}", response.body);
        for secret in ["consumer-key", "consumer-token", token] {
            assert!(!response.body.contains(secret), "{}", response.body);
        }
        let seen: Value = serde_json::from_str(&response.body).expect("JSON");
        assert_eq!(seen["headers"]["authorization"], "Bearer provider-key");
        assert_eq!(seen["headers"]["apikey"], "provider's own");
    }
}
