use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::fixture::{Gateway, log_entries};

#[test]
fn the_upstream_gets_the_rewritten_request() {
    let rewrite = json!({
        "regex_uri": ["^/old/(.*)/(.*)", "/$2/$1?from=old"],
        "method": "POST",
        "host": "other.com",
        "headers": {"set": {"Authorization": "Bearer x", "X-Part": "$1"}, "remove": ["X-Gone"]}
    });
    let gateway = Gateway::with_plugins(json!({"proxy-rewrite": rewrite}));
    let seen = gateway.get("/old/a/b%20c?q=%41", &[("X-Gone", "1"), ("Authorization", "client's")]).body;
    assert!(seen.starts_with("POST /b%20c/a?from=old&q=%41 HTTP/1.1\r\n"), "{seen}");
    for line in ["host: other.com", "authorization: Bearer x", "x-part: a"] {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} is not in {seen}");
    }
    assert!(!seen.contains("x-gone"), "{seen}");
    let other = gateway.get("/new%2Fway", &[]).body;
    assert!(other.starts_with("POST /new%2Fway HTTP/1.1\r\n"), "{other}");
}

#[test]
fn bytes_that_are_no_text_reach_the_upstream_as_they_came() {
    let plain = Gateway::with_plugins(json!({}));
    assert!(plain.get("/caf%e9?q=%e9", &[]).body.starts_with("GET /caf%e9?q=%e9 HTTP/1.1\r\n"));
    let regex = Gateway::with_plugins(json!({"proxy-rewrite": {"regex_uri": ["^/old/(.*)", "/new/$1"]}}));
    let rows =
        [("/old/caf%e9%20%2541", "/new/caf%E9%20%2541"), ("/old/%25E9", "/new/%25E9"), ("/old/%c3%a9", "/new/%C3%A9")];
    for (path, expected) in rows {
        let seen = regex.get(path, &[]).body;
        assert!(seen.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{seen}");
    }
}

#[test]
fn a_header_may_come_from_the_environment() {
    // Set by cargo for every test.
    let headers = json!({"set": {"Authorization": "$env://CARGO_PKG_NAME"}});
    let seen = Gateway::with_plugins(json!({"proxy-rewrite": {"headers": headers}})).get("/a%2Fb/", &[]).body;
    assert!(seen.contains("authorization: tidegate-plugins\r\n"), "{seen}");
    assert!(seen.starts_with("GET /a%2Fb/ HTTP/1.1\r\n"), "{seen}");
}

#[test]
fn a_hidden_credential_stays_hidden_when_the_uri_is_rewritten() {
    let raw = json!({"regex_uri": ["^/", "/fixed"], "use_real_request_uri_unsafe": true});
    for (rewrite, expected) in [(json!({"uri": "/fixed"}), "/fixed?a=1"), (raw, "/fixed?a=1")] {
        let consumer = json!({"username": "jack", "plugins": {"key-auth": {"key": "jacks"}}});
        let plugins = json!({"key-auth": {"hide_credentials": true}, "proxy-rewrite": rewrite});
        let gateway = Gateway::with_plugins_and(plugins, &[("/apisix/consumers/jack", consumer)]);
        let seen = gateway.get("/?apikey=jacks&a=1", &[]).body;
        assert!(seen.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{seen}");
    }
}

#[test]
fn filters_leave_a_body_of_an_unknown_coding_alone() {
    let plugins = json!({
        "mocking": {"response_example": "aaa", "response_headers": {"Content-Encoding": "zstd"}},
        "response-rewrite": {"filters": [{"regex": "a", "replace": "b"}]}
    });
    let response = Gateway::with_plugins(plugins).get("/", &[]);
    assert_eq!((response.body.as_str(), response.header("content-encoding").as_deref()), ("aaa", Some("zstd")));
}

#[test]
fn a_global_rule_and_a_route_may_both_rewrite_a_response() {
    let filter = |from: &str, to: &str| json!({"response-rewrite": {"filters": [{"regex": from, "replace": to}]}});
    let rule = json!({"id": "1", "plugins": filter("HTTP", "global")});
    let gateway = Gateway::with_plugins_and(filter("GET", "route"), &[("/apisix/global_rules/1", rule)]);
    let seen = gateway.get("/", &[]).body;
    assert!(seen.starts_with("route / global/1.1"), "{seen}");
}

#[test]
fn the_client_gets_the_rewritten_response() {
    let rewrite = json!({
        "status_code": 201,
        "body": "aGVsbG8=",
        "body_base64": true,
        "headers": {"set": {"X-Status": "$status"}, "add": ["X-Upstream: too"], "remove": ["Content-Type"]},
        "vars": [["sent_http_x_upstream", "==", "yes"]]
    });
    let response = Gateway::with_plugins(json!({"response-rewrite": rewrite})).get("/", &[]);
    assert_eq!((response.status, response.body.as_str()), (201, "hello"));
    assert_eq!(response.header("x-status").as_deref(), Some("201"));
    assert_eq!(response.header("x-upstream").as_deref(), Some("yes, too"));
    assert_eq!((response.header("content-type"), response.header("etag")), (None, None));
    assert_eq!(response.header("content-length").as_deref(), Some("5"));
}

#[test]
fn what_the_request_said_is_known_when_its_response_is_rewritten() {
    let set = json!({
        "X-Seen": "$host|$http_x_t|$cookie_c|$remote_user|$content_type|$content_length|$post_arg.m",
        "X-Chain": "$proxy_add_x_forwarded_for"
    });
    let rewrite = json!({"headers": {"set": set}, "vars": [["http_x_t", "==", "1"]]});
    let gateway = Gateway::with_plugins(json!({"response-rewrite": rewrite}));
    let headers = [
        ("X-T", "1"),
        ("Cookie", "b=2; c=3"),
        ("Authorization", "Basic am9lOng="),
        ("Content-Type", "application/json"),
        ("X-Forwarded-For", "10.0.0.9"),
    ];
    let response = gateway.post("/", &headers, &json!({"m": "gpt"}));
    assert_eq!(response.header("x-upstream").as_deref(), Some("yes"));
    assert_eq!(response.header("x-seen").as_deref(), Some("test.com|1|3|joe|application/json|11|gpt"));
    assert_eq!(response.header("x-chain").as_deref(), Some("10.0.0.9, 127.0.0.1"));
    assert_eq!(gateway.get("/", &[]).header("x-seen"), None);
}

#[test]
fn the_connection_to_the_upstream_is_the_gateways_and_every_request_names_a_host() {
    let headers = json!({"set": {"Connection": "close", "Upgrade": "x", "TE": "trailers"}, "remove": ["Host"]});
    let seen = Gateway::with_plugins(json!({"proxy-rewrite": {"headers": headers}})).get("/", &[]).body;
    for name in ["connection:", "upgrade:", "te:"] {
        assert!(!seen.contains(&format!("\r\n{name}")), "{seen}");
    }
    assert!(seen.contains("\r\nhost: 127.0.0.1:"), "{seen}");
}

#[test]
fn filters_go_over_the_upstreams_body_and_other_responses_are_left_alone() {
    let filters = json!([{"regex": "HOST: ([a-z.]+)", "replace": "[$1]", "options": "i"}]);
    let gateway =
        Gateway::with_plugins(json!({"response-rewrite": {"filters": filters, "vars": [["status", "==", 200]]}}));
    assert!(gateway.get("/", &[]).body.contains("\r\n[test.com"), "{:?}", gateway.get("/", &[]));
    let otherwise = json!({"response-rewrite": {"body": "x", "vars": [["status", "==", 500]]}});
    assert_ne!(Gateway::with_plugins(otherwise).get("/", &[]).body, "x");
}

#[test]
fn every_request_has_an_id_that_both_sides_see() {
    let gateway = Gateway::with_plugins(json!({"request-id": {}}));
    let response = gateway.get("/", &[]);
    let id = response.header("x-request-id").expect("an id");
    assert!(id.len() == 36 && response.body.contains(&format!("x-request-id: {id}\r\n")), "{id} {}", response.body);
    assert_ne!(gateway.get("/", &[]).header("x-request-id"), Some(id));
    let brought = gateway.get("/", &[("X-Request-Id", "mine")]);
    assert_eq!(brought.header("x-request-id").as_deref(), Some("mine"));
    let quiet = Gateway::with_plugins(json!({"request-id": {"include_in_response": false}}));
    assert_eq!(quiet.get("/", &[]).header("x-request-id"), None);
}

/// An upstream that answers one request with `head` and `body`.
fn upstream_that_says(head: &'static str, body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
            request.push(byte[0]);
        }
        let head = format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).expect("an answer");
    });
    address
}

#[test]
fn filters_see_through_compression_and_what_cannot_be_decoded_breaks_off() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let gzip = encoder.write_all(b"a secret").and_then(|()| encoder.finish()).expect("gzip");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("entries.log");
    let broken = b"a secret".to_vec();
    for (body, expected, outcome) in [(gzip, "a ******", "complete"), (broken, "", "upstream_cut")] {
        let upstream = upstream_that_says("Content-Encoding: gzip", body);
        let filters = json!([{"regex": "secret", "replace": "******"}]);
        let gateway = Gateway::with_route(json!({
            "upstream": {"nodes": {upstream.to_string(): 1}},
            "plugins": {"response-rewrite": {"filters": filters}, "file-logger": {"path": log}},
        }));
        let response = gateway.get("/", &[]);
        assert_eq!((response.status, &*response.body), (200, expected));
        assert_eq!(response.header("content-encoding"), None);
        let entry = log_entries(&log, 1).remove(0);
        assert_eq!(entry["outcome"], outcome, "{entry:#}");
        std::fs::remove_file(&log).expect("a log");
    }
}
