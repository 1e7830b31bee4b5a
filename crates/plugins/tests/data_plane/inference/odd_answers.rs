//! Answers that are coded, typed, checked or ended in ways that a client's dialect knows nothing of.

use serde_json::{Value, json};

use super::{CHAT, STREAM_HEAD, chat};
use crate::fixture::{Gateway, Response, log_entries};
use crate::provider::{Provider, gzip};

const MESSAGES: &str = "/v1/messages";
const ANSWER: &str = r#"{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
const EVENTS: &str = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":11,\
    \"completion_tokens\":7,\"total_tokens\":18}}\n\ndata: [DONE]\n\n";

/// A gateway in front of a provider of OpenAI's dialect.
struct Proxied {
    gateway: Gateway,
    log: tempfile::NamedTempFile,
}

impl Proxied {
    fn to(provider: &Provider, more: Value) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut ai_proxy = json!({
            "provider": "openai", "auth": {"header": {"Authorization": "Bearer own"}},
            "override": {"endpoint": provider.endpoint()}, "logging": {"summaries": true},
        });
        super::overlay(&mut ai_proxy, more);
        let plugins = json!({"ai-proxy": ai_proxy, "file-logger": {"path": log.path()}});
        Self { gateway: Gateway::with_plugins(plugins), log }
    }

    fn ask(&self, path: &str, stream: bool) -> Response {
        let mut body = chat(stream);
        body["max_tokens"] = 5.into();
        self.gateway.post(path, &[], &body)
    }

    fn usage(&self) -> Value {
        log_entries(self.log.path(), 1).remove(0)["llm_usage"].take()
    }

    fn outcome(&self) -> Value {
        log_entries(self.log.path(), 1).remove(0)["outcome"].take()
    }
}

fn provider_of(headers: &str, body: &[u8]) -> Provider {
    Provider::sending(&format!("HTTP/1.1 200 OK\r\n{headers}"), body)
}

#[test]
fn coded_answers_are_translated_and_their_usage_is_read() {
    for (kind, body, stream) in [("application/json", ANSWER, false), ("text/event-stream", EVENTS, true)] {
        let headers = format!("Content-Type: {kind}\r\nContent-Encoding: gzip\r\n");
        let provider = provider_of(&headers, &gzip(body));
        let proxied = Proxied::to(&provider, json!({}));
        let told = proxied.ask(MESSAGES, stream);
        assert_eq!((told.status, told.header("content-encoding")), (200, None), "{}", told.body);
        assert!(told.body.contains("hello") && told.body.contains("end_turn"), "{}", told.body);
        assert_eq!(proxied.usage()["completion"], 7);
    }
}

#[test]
fn coded_answers_pass_as_they_came_and_their_usage_is_read() {
    for (kind, body, stream) in [("application/json", ANSWER, false), ("text/event-stream", EVENTS, true)] {
        let headers = format!("Content-Type: {kind}\r\nContent-Encoding: gzip\r\n");
        let provider = provider_of(&headers, &gzip(body));
        let proxied = Proxied::to(&provider, json!({}));
        let told = proxied.gateway.exchange("POST", CHAT, &chat(stream).to_string());
        assert!(told.windows(gzip(body).len()).any(|window| window == gzip(body)), "{kind}");
        let usage = proxied.usage();
        assert_eq!((&usage["completion"], &usage["estimated"]), (&json!(7), &json!(false)), "{kind}: {usage}");
    }
}

#[test]
fn answers_in_a_coding_that_nobody_undoes_are_estimated() {
    for (kind, stream) in [("application/json", false), ("text/event-stream", true)] {
        let headers = format!("Content-Type: {kind}\r\nContent-Encoding: zstd\r\n");
        let provider = provider_of(&headers, b"zzz");
        let proxied = Proxied::to(&provider, json!({}));
        assert_eq!(proxied.ask(CHAT, stream).body, "zzz");
        let usage = proxied.usage();
        assert_eq!(usage["estimated"], true, "{kind}: {usage}");
        assert!(usage["prompt"].as_u64().is_some_and(|tokens| tokens > 0), "{usage}");
    }
}

#[test]
fn what_is_no_json_is_told_in_the_clients_dialect() {
    for (headers, body) in [
        ("Content-Type: text/html\r\n", "<html>busy</html>"),
        ("Content-Type: application/json\r\n", ""),
        ("Content-Type: application/json\r\n", "{\"choices\":["),
        ("Content-Type: application/json\r\nContent-Encoding: zstd\r\n", "zzz"),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "zzz"),
    ] {
        let provider = provider_of(headers, body.as_bytes());
        let told = Proxied::to(&provider, json!({})).ask(MESSAGES, false);
        let error = json!({"type": "api_error", "message": "the provider's answer is no JSON"});
        let said: Value = serde_json::from_str(&told.body).expect("JSON");
        assert_eq!((told.status, &said["error"]), (502, &error), "{headers} {body}");
    }
}

#[test]
fn a_whole_answer_that_is_cut_is_told_in_the_dialect_of_a_client_who_speaks_another() {
    let cut = || {
        let head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n";
        Provider::closing_after([head.as_bytes(), b"{\"choices\":["].concat())
    };
    let foreign = Proxied::to(&cut(), json!({})).ask(MESSAGES, false);
    let said: Value = serde_json::from_str(&foreign.body).expect("JSON");
    assert_eq!((foreign.status, &said["type"], &said["error"]["type"]), (502, &json!("error"), &json!("api_error")));
    let own = Proxied::to(&cut(), json!({})).ask(CHAT, false);
    assert_eq!(own.status, 500);
    assert!(own.body.contains("<html>"), "as APISIX answers: {}", own.body);
}

#[test]
fn streams_are_told_from_their_type_in_any_case_and_from_what_was_asked_where_there_is_none() {
    let vague = ["Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: application/octet-stream\r\n", ""];
    for headers in vague.into_iter().chain(["Content-Type: Text/Event-Stream\r\n"]) {
        let provider = provider_of(headers, EVENTS.as_bytes());
        let told = Proxied::to(&provider, json!({})).ask(MESSAGES, true);
        assert_eq!(told.header("content-type").as_deref(), Some("text/event-stream"), "{headers}: {}", told.body);
        assert!(told.body.contains("hello") && told.body.contains("message_stop"), "{}", told.body);
    }
}

#[test]
fn nothing_that_tells_bodies_apart_stays_beside_a_translated_one() {
    let validators = "ETag: \"1\"\r\nContent-MD5: x\r\nDigest: y\r\nLast-Modified: z\r\nX-Request-Id: r\r\n";
    let provider = provider_of(&format!("Content-Type: application/json\r\n{validators}"), ANSWER.as_bytes());
    let names = ["etag", "content-md5", "digest", "last-modified"];
    let translated = Proxied::to(&provider, json!({})).ask(MESSAGES, false);
    assert!(names.iter().all(|name| translated.header(name).is_none()), "{translated:?}");
    assert_eq!(translated.header("x-request-id").as_deref(), Some("r"));
    let same = Proxied::to(&provider, json!({})).ask(CHAT, false);
    assert!(names.iter().all(|name| same.header(name).is_some()), "{same:?}");
}

#[test]
fn what_a_refused_request_lost_is_told_too() {
    let provider = Provider::answering(400, "", r#"{"error":{"message":"no"}}"#);
    let proxied = Proxied::to(&provider, json!({}));
    let mut body = chat(false);
    body["max_tokens"] = 5.into();
    body["top_k"] = 3.into();
    let told = proxied.gateway.post(MESSAGES, &[], &body);
    assert_eq!((told.status, told.header("x-tidegate-dropped").as_deref()), (400, Some("top_k")), "{}", told.body);
}

#[test]
fn an_error_with_status_200_keeps_it_for_clients_of_anthropic_and_has_its_own_for_others() {
    let body = r#"{"error":{"message":"slow down","type":"t1","code":"rate_limit_exceeded"}}"#;
    let provider = provider_of("Content-Type: application/json\r\n", body.as_bytes());
    let proxied = Proxied::to(&provider, json!({}));
    let anthropic = proxied.ask(MESSAGES, false);
    let error = json!({"type": "error", "error": {"type": "t1", "message": "slow down"}});
    assert_eq!((anthropic.status, serde_json::from_str::<Value>(&anthropic.body).expect("JSON")), (200, error));
    let cohere = proxied.ask("/v2/chat", false);
    assert_eq!(cohere.status, 429, "{}", cohere.body);
}

#[test]
fn a_connection_that_breaks_behind_the_end_mark_changes_nothing() {
    let torn = format!("{STREAM_HEAD}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{EVENTS}\r\n", EVENTS.len());
    for (path, end) in [(CHAT, "data: [DONE]\n\n"), (MESSAGES, "data: {\"type\":\"message_stop\"}\n\n")] {
        let provider = Provider::closing_after(torn.clone().into_bytes());
        let proxied = Proxied::to(&provider, json!({}));
        let told = proxied.ask(path, true);
        assert!(told.body.ends_with(end), "{}", told.body);
        assert!(!told.body.contains("stream_interrupted"), "{}", told.body);
        assert_eq!(proxied.outcome(), "complete", "{path}");
    }
}

/// What Anthropic's client gets of a streamed `body`, and how the request ended.
fn messages_of(provider: &str, headers: &str, body: &[u8]) -> (Response, Value) {
    let answering = provider_of(headers, body);
    let proxied = Proxied::to(&answering, json!({"provider": provider, "provider_conf": {"region": "r"}}));
    let told = proxied.ask(MESSAGES, true);
    (told, proxied.outcome())
}

#[test]
fn what_is_garbled_behind_an_answer_takes_nothing_from_its_end() {
    let unmarked = EVENTS.replace("data: [DONE]\n\n", "");
    let events = "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n";
    let messages = "Content-Type: application/vnd.amazon.eventstream\r\n";
    for (provider, headers, whole) in [
        ("openai", events, gzip(EVENTS)),
        ("openai", events, gzip(&unmarked)),
        ("bedrock", messages, event_stream(&["messageStart", "contentBlockDelta", "messageStop"])),
        ("bedrock", messages, event_stream(&["messageStart", "contentBlockDelta", "messageStop", "metadata"])),
    ] {
        let (told, outcome) =
            messages_of(provider, headers, &[whole, b"and then what nobody can read".to_vec()].concat());
        assert!(told.body.contains("hello") && !told.body.contains("event: error"), "{provider}: {}", told.body);
        assert_eq!(told.body.matches("event: message_stop").count(), 1, "{provider}: {}", told.body);
        assert_eq!(outcome, "complete", "{provider}");
    }
}

#[test]
fn what_is_garbled_within_an_answer_ends_it_as_an_error() {
    let (begun, _) = EVENTS.split_once("data: {\"choices\":[{\"index\":0,\"delta\":{}").expect("two events");
    let events = "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n";
    let messages = "Content-Type: application/vnd.amazon.eventstream\r\n";
    for (provider, headers, part) in
        [("openai", events, gzip(begun)), ("bedrock", messages, event_stream(&["messageStart", "contentBlockDelta"]))]
    {
        let (told, outcome) =
            messages_of(provider, headers, &[part, b"and then what nobody can read".to_vec()].concat());
        assert!(told.body.contains("hello") && !told.body.contains("message_stop"), "{provider}: {}", told.body);
        assert_eq!(told.body.matches("event: error").count(), 1, "{provider}: {}", told.body);
        assert_eq!(outcome, "upstream_cut", "{provider}");
    }
    let nothing = [gzip("data: [DONE]\n\n"), b"and then what nobody can read".to_vec()].concat();
    let (told, _) = messages_of("openai", events, &nothing);
    assert!(told.status == 502 && told.body.contains("api_error"), "{told:?}");
}

/// Events of Bedrock's that say hello.
fn event_stream(kinds: &[&str]) -> Vec<u8> {
    let mut stream = Vec::new();
    for kind in kinds {
        let payload = match *kind {
            "contentBlockDelta" => json!({"contentBlockIndex": 0, "delta": {"text": "hello"}}),
            "messageStop" => json!({"stopReason": "end_turn"}),
            "metadata" => json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}),
            _ => json!({"role": "assistant"}),
        };
        let headers = [(":event-type", *kind), (":message-type", "event")];
        llm::write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    }
    stream
}

#[test]
fn time_that_is_over_before_any_output_is_a_timeout_in_every_dialect() {
    let comments = format!("{STREAM_HEAD}Content-Length: 1000\r\n\r\n: still here\n\n");
    for (path, more) in [
        (CHAT, json!({"max_stream_duration_ms": 100})),
        (MESSAGES, json!({"max_stream_duration_ms": 100})),
        (MESSAGES, json!({"timeout": 200})),
    ] {
        let answer = if path == CHAT { comments.replace(": still here\n\n", "") } else { comments.clone() };
        let endpoint = format!("http://{}", super::provider_that_says(&answer, super::Then::Wait));
        let unused = Provider::answering(200, "", "{}");
        let mut more = more;
        more["override"] = json!({"endpoint": endpoint});
        let told = Proxied::to(&unused, more.clone()).ask(path, true);
        assert_eq!(told.status, 504, "{more}: {}", told.body);
    }
}
