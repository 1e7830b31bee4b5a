use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use config::settings::Settings;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use llm::{BodyScan, Usage};
use serde_json::{Value, json};

use super::super::fixture::{Bench, GET, Sent};
use super::super::flush_log_files;

const PATIENCE: Duration = Duration::from_secs(20);

/// A route that logs into a file of its own.
struct Logged {
    bench: Bench,
    folder: tempfile::TempDir,
}

impl Logged {
    fn new(options: Value) -> Self {
        Self::with(&[], options)
    }

    fn with(others: &[(&str, Value)], mut options: Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        options["path"] = json!(path(folder.path()));
        let plugins = json!({"file-logger": options});
        Self { bench: Bench::with(Settings::default(), others, plugins), folder }
    }

    fn entries(&self) -> Vec<Value> {
        assert!(flush_log_files(PATIENCE));
        let text = std::fs::read_to_string(path(self.folder.path())).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    fn only_entry(&self) -> Value {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:#?}");
        entries.remove(0)
    }
}

fn path(folder: &Path) -> String {
    folder.join("access.log").to_str().expect("text").to_owned()
}

#[test]
fn the_default_entry_is_apisix_own_with_the_outcome_added() {
    let logged = Logged::new(json!({}));
    let headers = &[("host", "a.test.com"), ("x-two", "1"), ("x-two", "2"), ("user-agent", "te\"st")];
    drop(logged.bench.answered(&Sent { uri: "/r/x?a=1&b=%20&b=2&flag", headers, body: "" }));
    let mut entry = logged.only_entry();
    let measured = |entry: &mut Value, key: &str| {
        entry.as_object_mut().expect("an object").shift_remove(key).and_then(|value| value.as_f64()).expect("a number")
    };
    assert!(measured(&mut entry, "start_time") > 1.7e12);
    assert!(measured(&mut entry, "latency") >= 50.0);
    assert!(measured(&mut entry, "apisix_latency") >= 20.0);
    let expected = json!({
        "request": {
            "url": "http://a.test.com:9080/r/x?a=1&b=%20&b=2&flag",
            "uri": "/r/x?a=1&b=%20&b=2&flag",
            "method": "GET",
            "headers": {"host": "a.test.com", "x-two": ["1", "2"], "user-agent": "te\"st"},
            "querystring": {"a": "1", "b": [" ", "2"], "flag": true},
            "size": 120
        },
        "response": {"status": 200, "headers": {"x-answer": "yes"}, "size": 345},
        "server": {"hostname": "test-host", "version": "3.18.0"},
        "upstream": "10.0.0.8:80, 10.0.0.9:80",
        "service_id": "s1",
        "route_id": "r1",
        "client_ip": "192.0.2.7",
        "upstream_latency": 30,
        "outcome": "complete"
    });
    assert_eq!(entry, expected);
}

#[test]
fn a_format_makes_the_whole_entry_and_absent_values_are_left_out() {
    let format = json!({
        "status": "$status", "missing": "$arg_missing", "literal": "text", "flag": true,
        "nested": {"bare": "$arg_bare", "port": "$balancer_port"}, "route_id": "mine", "outcome": "$outcome"
    });
    let logged = Logged::new(json!({"log_format": format, "log_format_extra": {"not": "used"}}));
    drop(logged.bench.answered(&Sent { uri: "/r/x?bare", ..GET }));
    let expected = json!({
        "status": "200", "literal": "text", "flag": true, "nested": {"bare": true, "port": 80},
        "outcome": "complete", "service_id": "s1", "route_id": "r1"
    });
    assert_eq!(logged.only_entry(), expected);
}

#[test]
fn a_text_of_several_variables_is_filled_in_and_one_that_begins_otherwise_is_left_as_it_is() {
    let format = json!({
        "line": "$request_method $uri", "url": "$scheme://$host$request_uri", "done": "$status is told",
        "braces": "${status}", "default": "${arg_x ?? none}", "nothing": "$arg_a $arg_b",
        "name": "$http_x-id", "literal": "x-$status", "price": "5 $"
    });
    let logged = Logged::new(json!({"log_format": format}));
    drop(logged.bench.answered(&Sent { uri: "/r/x", ..GET }));
    let expected = json!({
        "line": "GET /r/x", "url": "http://a.test.com/r/x", "done": "200 is told",
        "braces": "200", "default": "none",
        "literal": "x-$status", "price": "5 $", "service_id": "s1", "route_id": "r1"
    });
    assert_eq!(logged.only_entry(), expected);
}

#[test]
fn the_metadata_gives_the_format_where_the_configuration_has_none() {
    let metadata = [("/apisix/plugin_metadata/file-logger", json!({"log_format": {"from": "metadata"}}))];
    for (options, from) in [(json!({}), "metadata"), (json!({"log_format": {"from": "route"}}), "route")] {
        let logged = Logged::with(&metadata, options);
        drop(logged.bench.answered(&GET));
        assert_eq!(logged.only_entry()["from"], from);
    }
}

#[test]
fn added_fields_do_not_replace_what_the_default_entry_has() {
    let logged = Logged::new(json!({"log_format_extra": {"route_id": "mine", "id": "$request_id", "team": "blue"}}));
    drop(logged.bench.answered(&GET));
    let entry = logged.only_entry();
    assert_eq!((&entry["route_id"], &entry["team"]), (&json!("r1"), &json!("blue")));
    assert_eq!(entry["id"].as_str().map(str::len), Some(32));
}

#[test]
fn bodies_are_logged_where_asked_for_and_cut_at_their_limit() {
    let post = Sent { uri: "/r/x?log=yes", body: "{\"a\": \"\u{e9}\"}", ..GET };
    let rows = [
        (json!({}), None, None),
        (json!({"include_req_body": true}), Some("{\"a\": \"é\"}"), None),
        (json!({"include_req_body": true, "max_req_body_bytes": 4}), Some("{\"a\""), None),
        (json!({"include_resp_body": true, "max_resp_body_bytes": 3}), None, Some("the")),
        (json!({"include_resp_body": true, "include_resp_body_expr": [["arg_log", "==", "no"]]}), None, None),
        (
            json!({"include_resp_body": true, "include_resp_body_expr": [["arg_log", "==", "yes"]]}),
            None,
            Some("the answer"),
        ),
    ];
    for (options, request, response) in rows {
        let logged = Logged::new(options.clone());
        drop(logged.bench.answered(&post));
        let entry = logged.only_entry();
        let body = |of: &str| entry[of].get("body").and_then(Value::as_str);
        assert_eq!((body("request"), body("response")), (request, response), "{options}");
    }
    let format = json!({"in": "$request_body", "out": "$resp_body", "both": "$request_body $resp_body"});
    let logged = Logged::new(json!({"log_format": format}));
    drop(logged.bench.answered(&post));
    let entry = logged.only_entry();
    assert_eq!((entry["in"].as_str(), entry["out"].as_str()), (Some("{\"a\": \"é\"}"), Some("the answer")));
    assert_eq!(entry["both"], "{\"a\": \"é\"} the answer");
}

#[test]
fn compressed_bodies_are_logged_decoded() {
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("gzip")
    };
    let logged =
        Logged::new(json!({"log_format": {"in": "$request_body", "out": "$resp_body"}, "max_resp_body_bytes": 40}));
    let headers = &[("host", "a.test.com"), ("content-encoding", "gzip")];
    let mut exchange = logged.bench.answered(&Sent { headers, ..GET });
    exchange.captured_request = Some(gzip("the question").into());
    let mut answer = HeaderMap::new();
    answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    exchange.response.headers = Some(Box::new(answer));
    exchange.captured_response.clear();
    exchange.captured_response.extend_from_slice(&gzip(&"the answer ".repeat(1_000))[..40]);
    drop(exchange);
    let entry = logged.only_entry();
    assert_eq!(entry["in"], "the question");
    let out = entry["out"].as_str().expect("text");
    assert!(out.starts_with("the answer") && out.len() <= 40, "{out}");
}

#[test]
fn only_requests_that_match_are_logged() {
    let logged = Logged::new(json!({"match": [[["arg_a", "==", "1"]], [["arg_a", "==", "2"], ["arg_b", "==", "x"]]]}));
    for uri in ["/r/1?a=1", "/r/2?a=2", "/r/3?a=2&b=x", "/r/4"] {
        drop(logged.bench.answered(&Sent { uri, ..GET }));
    }
    let uris: Vec<String> = logged.entries().iter().map(|entry| entry["request"]["uri"].to_string()).collect();
    assert_eq!(uris, ["\"/r/1?a=1\"", "\"/r/3?a=2&b=x\""]);
}

/// Ends an LLM request on `logged`.
fn end_llm_request(logged: &Logged, summary: bool, payload: bool) {
    let mut exchange = logged.bench.answered(&GET);
    let body = bytes::Bytes::from_static(b"{\"model\": \"gpt-4\", \"messages\": [\n {\"role\": \"user\"}\n]}");
    let scan = BodyScan::parse(&body, llm::DEFAULT_MAX_DEPTH).expect("JSON");
    let mut call = gateway::inference::LlmCall::detect(CHAT, scan).expect("a chat request");
    call.usage = Some(Usage { prompt: 7, completion: 30, total: 37, cached: 2, ..Usage::default() });
    call.time_to_first_token = Some(Duration::from_millis(15));
    call.provider_time = Some(Duration::from_millis(1_015));
    call.answer_text = Some("Hello".to_owned());
    (call.log_summary, call.log_payload) = (summary, payload);
    exchange.llm = Some(Box::new(call));
}

#[test]
fn entries_of_llm_requests_tell_their_usage_and_what_logging_asks_for() {
    let logged = Logged::new(json!({}));
    end_llm_request(&logged, false, false);
    end_llm_request(&logged, true, true);
    let entries = logged.entries();
    let usage = json!({
        "prompt": 7, "completion": 30, "total": 37, "cached": 2, "reasoning": 0, "estimated": false, "ttft_ms": 15,
        "tokens_per_second": 30
    });
    for entry in &entries {
        assert_eq!(entry["llm_usage"], usage);
        assert_eq!(entry["upstream_latency"], 1_015);
    }
    for key in ["llm_summary", "llm_request", "llm_response_text"] {
        assert_eq!(entries[0].get(key), None);
    }
    let summary = json!({
        "request_model": "gpt-4", "model": "gpt-4", "duration": 15, "prompt_tokens": 7, "completion_tokens": 30,
        "total_tokens": 37, "upstream_response_time": 1015, "stream": "false", "tool_count": 0,
        "has_tool_calls": "false", "end_user_id": "", "cache_read_input_tokens": 2, "cache_creation_input_tokens": 0,
        "reasoning_tokens": 0, "content_risk_level": ""
    });
    assert_eq!(entries[1]["llm_summary"], summary);
    assert_eq!(entries[1]["llm_request"], json!({"messages": [{"role": "user"}], "stream": false}));
    assert_eq!(entries[1]["llm_response_text"], json!({"content": "Hello"}));
}

#[test]
fn entries_in_a_format_get_the_summary_too() {
    let logged = Logged::new(json!({"log_format": {"model": "$llm_model"}}));
    end_llm_request(&logged, true, false);
    let entry = logged.only_entry();
    assert_eq!((&entry["model"], &entry["llm_summary"]["total_tokens"]), (&json!("gpt-4"), &json!(37)));
    assert_eq!(entry.get("llm_usage"), None);
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let registry = crate::registry(None);
    let check = |plugin: &str, config: Value| {
        let info = registry.catalog().get(plugin).expect("shipped");
        (info.check)(&config, config::catalog::Side::Route)
    };
    let deep = json!({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}});
    for (plugin, config) in [
        ("file-logger", json!({"match": [[["arg_a", "no operator", "1"]]]})),
        ("file-logger", json!({"include_req_body_expr": [["a"]]})),
        ("file-logger", json!({"log_format": deep})),
        ("http-logger", json!({"uri": "logs.example.com"})),
    ] {
        assert!(check(plugin, config.clone()).is_err(), "{plugin} {config}");
    }
    assert_eq!(check("file-logger", json!({"match": []})), Ok(()));
    assert_eq!(check("http-logger", json!({"uri": "http://127.0.0.1:1/x"})), Ok(()));
}

#[test]
fn batches_of_entries_reach_an_http_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}/logs", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || receive(&listener));
    let logger =
        json!({"uri": uri, "auth_header": "Basic x", "batch_max_size": 2, "log_format": {"uri": "$request_uri"}});
    let bench = Bench::new(json!({"http-logger": logger}));
    drop(bench.answered(&Sent { uri: "/r/1", ..GET }));
    drop(bench.answered(&Sent { uri: "/r/2", ..GET }));
    let (head, body) = server.join().expect("no panic");
    assert!(head.starts_with("POST /logs HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/json\r\n") && head.contains("authorization: Basic x\r\n"),
        "{head}"
    );
    let entry = |uri| json!({"uri": uri, "service_id": "s1", "route_id": "r1"});
    assert_eq!(body, json!([entry("/r/1"), entry("/r/2")]));
}

/// Takes one request, answers it, and gives its head and body.
fn receive(listener: &std::net::TcpListener) -> (String, Value) {
    use std::io::{Read as _, Write as _};
    let (mut socket, _) = listener.accept().expect("a logger");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let length = socket.read(&mut piece).expect("bytes");
        assert!(length > 0, "the logger left: {text}");
        text.push_str(std::str::from_utf8(&piece[..length]).expect("text"));
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("an answer");
            return (format!("{head}\r\n"), body);
        }
    }
}

const CHAT: llm::RequestPath<'static> =
    llm::RequestPath { normal: "/v1/chat/completions", sent: "/v1/chat/completions" };
