//! What is told about requests: log lines, batches, metrics.

use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use super::Fixture;
use crate::harness::{Gateway, Upstream, ai_proxy, get, ok, post, wait_until};

/// The JSON lines of a file, once there are `count`.
fn lines(path: &std::path::Path, count: usize) -> Vec<Value> {
    wait_until("the log is written", || {
        let text = fs::read_to_string(path).ok()?;
        let complete = text.ends_with('\n') && text.lines().count() >= count;
        complete.then(|| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    })
}

#[test]
fn a_log_line_tells_the_whole_request() {
    let fixture = Fixture::new();
    let path = fixture.gateway.folder.path().join("requests.log");
    fixture.consumer("jack", json!({"key-auth": {"key": "k"}}));
    fixture.route(json!({"plugins": {"key-auth": {}, "file-logger":
        {"path": path, "include_req_body": true, "include_resp_body": true}}}));
    let request = post("/a/b?x=1&y=two&flag", &json!({"body": true})).header("apikey", "k").header("Host", "h.example");
    assert_eq!(fixture.gateway.send(request).status, 200);
    let entry = lines(&path, 1).remove(0);
    for (pointer, value) in [
        ("/request/method", json!("POST")),
        ("/request/uri", json!("/a/b?x=1&y=two&flag")),
        ("/request/url", json!(format!("http://h.example:{}/a/b?x=1&y=two&flag", fixture.gateway.proxy.port()))),
        ("/request/querystring/x", json!("1")),
        ("/request/querystring/flag", json!(true)),
        ("/request/headers/host", json!("h.example")),
        ("/request/body", json!("{\"body\":true}")),
        ("/response/status", json!(200)),
        ("/response/headers/content-type", json!("text/plain")),
        ("/response/body", json!("POST /a/b?x=1&y=two&flag")),
        ("/upstream", json!(fixture.upstream.addr.to_string())),
        ("/route_id", json!("1")),
        ("/service_id", json!("")),
        ("/consumer/username", json!("jack")),
        ("/client_ip", json!("127.0.0.1")),
        ("/server/version", json!("3.18.0")),
    ] {
        assert_eq!(entry.pointer(pointer), Some(&value), "{pointer} in {entry}");
    }
    assert!(entry["latency"].as_f64().unwrap() >= entry["upstream_latency"].as_f64().unwrap(), "{entry}");
    assert!(entry["start_time"].as_u64().unwrap() > 1_600_000_000_000, "{entry}");
    assert!(!entry.to_string().contains("\"k\""), "the key is in the log: {entry}");
}

#[test]
fn a_log_format_is_the_users_own() {
    let fixture = Fixture::new();
    let path = fixture.gateway.folder.path().join("own.log");
    fixture.route(json!({"plugins": {"file-logger": {"path": path,
        "match": [[["arg_log", "==", "yes"]]],
        "log_format": {"who": "$remote_addr", "status": "$status", "fixed": "text", "absent": "$http_x_absent",
            "deep": {"method": "$request_method"}}}}}));
    fixture.gateway.send(get("/?log=no"));
    fixture.gateway.send(get("/?log=yes"));
    let entries = lines(&path, 1);
    let expected = json!({"who": "127.0.0.1", "status": "200", "fixed": "text", "deep": {"method": "GET"},
        "route_id": "1", "service_id": ""});
    assert_eq!(entries, [expected]);
}

#[test]
fn log_entries_arrive_in_batches() {
    let fixture = Fixture::new();
    let (give, take) = channel();
    let give = Mutex::new(give);
    let server = Upstream::answering(move |seen| {
        drop(give.lock().unwrap().send(seen.clone()));
        ok("")
    });
    let logger = |more: Value| {
        let mut config = json!({"uri": format!("http://{}/logs", server.addr), "auth_header": "Basic c2VjcmV0"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fixture.route(json!({"plugins": {"http-logger": config}}));
    };
    logger(json!({"batch_max_size": 3}));
    for number in 0..3 {
        fixture.gateway.send(get(&format!("/{number}")));
    }
    let batch = take.recv().unwrap();
    assert_eq!((batch.method.as_str(), batch.target.as_str()), ("POST", "/logs"));
    assert_eq!(batch.header("content-type"), Some("application/json"));
    assert_eq!(batch.header("authorization"), Some("Basic c2VjcmV0"));
    let entries: Value = serde_json::from_slice(&batch.body).unwrap();
    let uris: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["request"]["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["/0", "/1", "/2"]);

    logger(json!({"batch_max_size": 2, "concat_method": "new_line"}));
    fixture.gateway.send(get("/4"));
    fixture.gateway.send(get("/5"));
    let batch = take.recv().unwrap();
    assert_eq!((batch.header("content-type"), batch.text().lines().count()), (Some("text/plain"), 2));

    logger(json!({"batch_max_size": 1}));
    fixture.gateway.send(get("/6"));
    let entry: Value = serde_json::from_slice(&take.recv().unwrap().body).unwrap();
    assert_eq!(entry["request"]["uri"], "/6");
}

#[test]
fn a_batch_that_is_not_full_leaves_after_a_while_and_is_tried_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let fixture = Fixture::new();
    let tries = AtomicUsize::new(0);
    let server = Upstream::answering(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => crate::harness::answer("500 Internal Server Error", "", ""),
        _ => ok(""),
    });
    fixture.route(json!({"plugins": {"http-logger": {"uri": format!("http://{}/", server.addr),
        "inactive_timeout": 1, "max_retry_count": 2, "retry_delay": 1}}}));
    fixture.gateway.send(get("/only"));
    wait_until("the batch has come twice", || (server.request_count() == 2).then_some(()));
    let [first, second] = <[_; 2]>::try_from(server.requests()).unwrap();
    assert!(first.text().starts_with('[') && first.text().contains("\"/only\""), "{}", first.text());
    assert_eq!(first.text(), second.text());
}

#[test]
fn entries_that_wait_are_delivered_before_the_process_ends() {
    let mut fixture = Fixture::new();
    let server = Upstream::saying("");
    fixture
        .route(json!({"plugins": {"http-logger": {"uri": format!("http://{}/", server.addr), "batch_max_size": 2}}}));
    for number in 0..5 {
        fixture.gateway.send(get(&format!("/{number}")));
    }
    assert_eq!(fixture.gateway.terminate().code(), Some(0));
    let entries = |seen: crate::harness::Seen| serde_json::from_slice::<Vec<Value>>(&seen.body).unwrap().len();
    assert_eq!(server.requests().into_iter().map(entries).sum::<usize>(), 5);
}

#[test]
fn entries_that_nobody_takes_are_counted_when_the_process_ends() {
    let mut fixture = Fixture::new();
    let nobody = crate::harness::free_port();
    fixture.route(json!({"plugins": {"http-logger": {"uri": format!("http://127.0.0.1:{nobody}/")}}}));
    fixture.gateway.send(get("/1"));
    fixture.gateway.send(get("/2"));
    assert_eq!(fixture.gateway.terminate().code(), Some(0));
    assert!(fixture.gateway.log().contains("log entries are lost: the process ends"), "{}", fixture.gateway.log());
    assert!(fixture.gateway.log().contains("undelivered=2"), "{}", fixture.gateway.log());
}

/// The labels and value of the one sample of `name` whose labels contain `part`.
fn sample(gateway: &Gateway, name: &str, part: &str) -> (String, f64) {
    wait_until(&format!("there is a sample of {name}"), || {
        let text = gateway.metrics_text();
        let mut found = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(part));
        let (labels, value) = found.next()?.rsplit_once(' ')?;
        assert_eq!(found.next(), None, "more than one sample");
        Some((labels.to_owned(), value.parse().unwrap()))
    })
}

#[test]
fn ordinary_requests_are_counted_with_their_labels() {
    let fixture = Fixture::with(json!({"prometheus": {}}));
    fixture.gateway.send(get("/"));
    fixture.gateway.send(get("/"));
    let (labels, count) = sample(&fixture.gateway, "apisix_http_status", "code=\"200\"");
    assert_eq!(count, 2.0);
    for label in [
        "route=\"1\"",
        "matched_uri=\"/*\"",
        "matched_host=\"\"",
        "service=\"\"",
        "consumer=\"\"",
        "node=\"127.0.0.1\"",
        "request_type=\"traditional_http\"",
        "request_llm_model=\"\"",
        "llm_model=\"\"",
        "response_source=\"upstream\"",
    ] {
        assert!(labels.contains(label), "{label} is not in {labels}");
    }
    for kind in ["request", "upstream", "apisix"] {
        assert_eq!(sample(&fixture.gateway, "apisix_http_latency_count", &format!("type=\"{kind}\"")).1, 2.0, "{kind}");
    }
    assert!(sample(&fixture.gateway, "apisix_bandwidth", "type=\"ingress\"").1 > 0.0);
    assert!(sample(&fixture.gateway, "apisix_bandwidth", "type=\"egress\"").1 > 0.0);
}

#[test]
fn model_requests_are_metered_with_their_labels() {
    let gateway = Gateway::start();
    let provider = crate::harness::simulator();
    let mut ai = ai_proxy(provider.addr);
    ai["options"] = json!({"model": "served-model"});
    gateway.put("/consumers/jack", &json!({"username": "jack", "plugins": {"key-auth": {"key": "k"}}}));
    gateway.put("/services/s", &json!({"plugins": {"prometheus": {}}}));
    let route = json!({"uri": "/v1/*", "service_id": "s", "plugins": {"key-auth": {}, "ai-proxy": ai}});
    gateway.put("/routes/llm", &route);
    let ask = |stream: bool| {
        let messages = json!([{"role": "user", "content": "Hello!"}]);
        let body = json!({"model": "asked-model", "stream": stream, "messages": messages});
        let reply =
            gateway.send(post("/v1/chat/completions", &body).header("apikey", "k").header("x-simulate", "tokens=7"));
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    ask(false);
    ask(true);
    for request_type in ["ai_chat", "ai_stream"] {
        let kind = format!("request_type=\"{request_type}\"");
        let (labels, tokens) = sample(&gateway, "apisix_llm_completion_tokens", &kind);
        assert_eq!(tokens, 7.0, "{labels}");
        for label in [
            "route_id=\"llm\"",
            "service_id=\"s\"",
            "consumer=\"jack\"",
            "request_llm_model=\"asked-model\"",
            "llm_model=\"served-model\"",
        ] {
            assert!(labels.contains(label), "{label} is not in {labels}");
        }
        assert!(sample(&gateway, "apisix_llm_prompt_tokens", &kind).1 > 0.0, "{request_type}");
        assert_eq!(sample(&gateway, "apisix_llm_completion_tokens_dist_count", &kind).1, 1.0, "{request_type}");
        assert_eq!(sample(&gateway, "apisix_http_status", &kind).1, 1.0, "{request_type}");
        let total = "type=\"total\",route_id=\"llm\",service_id=\"s\",consumer=\"jack\"";
        let text = gateway.metrics_text();
        let mut latency =
            text.lines().filter(|line| line.starts_with("apisix_llm_latency_count") && line.contains(&kind));
        assert!(latency.any(|line| line.contains(total)), "{text}");
    }
    wait_until("no request is under way", || (gateway.metric("apisix_llm_active_connections{") == 0.0).then_some(()));
}

#[test]
fn metadata_that_a_route_needs_is_deleted_only_by_force() {
    let fixture = Fixture::new();
    let path = fixture.gateway.folder.path().join("requests.log");
    fixture.gateway.put("/plugin_metadata/file-logger", &json!({"path": path}));
    fixture.route(json!({"plugins": {"file-logger": {}}}));
    let refused = fixture.gateway.admin("DELETE", "/plugin_metadata/file-logger", None);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("plugin in route [1] is still using it now"), "{}", refused.text());
    assert_eq!(fixture.gateway.admin("DELETE", "/plugin_metadata/file-logger?force=true", None).status, 200);
}
