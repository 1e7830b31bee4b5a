use std::path::Path;
use std::time::Instant;

use config::settings::{ExtraLabel, MetricAttr, Settings};
use serde_json::json;

use super::fixture::{Gateway, PATIENCE, echo, log_entries};

#[test]
fn every_request_is_logged_with_what_client_and_upstream_saw() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let logger = json!({"path": file, "include_resp_body": true, "max_resp_body_bytes": 20});
    let restriction = json!({"blacklist": ["127.0.0.1"], "_meta": {"filter": [["arg_block", "==", "yes"]]}});
    let gateway = Gateway::with_plugins(json!({"file-logger": logger, "ip-restriction": restriction}));
    assert_eq!(gateway.get("/a?x=1", &[("X-One", "1")]).status, 200);
    assert_eq!(gateway.get("/b?block=yes", &[]).status, 403);
    let entries = log_entries(&file, 2);
    let [passed, refused] = &entries[..] else { panic!("{entries:#?}") };
    assert_eq!(passed["request"]["uri"], "/a?x=1");
    assert_eq!(passed["request"]["headers"]["x-one"], "1");
    assert_eq!(passed["response"]["headers"]["x-upstream"], "yes");
    assert_eq!(passed["response"]["body"], "GET /a?x=1 HTTP/1.1\r");
    assert_eq!(passed["outcome"], "complete");
    assert!(passed["upstream_latency"].is_number(), "{passed:#}");
    assert_eq!((&refused["response"]["status"], refused.get("upstream")), (&json!(403), None));
}

#[test]
fn metadata_serves_in_every_form_that_a_write_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let most = 1u64 << 62;
    let http_logger = json!({"uri": "http://127.0.0.1:1/"});
    for (plugin, config, metadata) in [
        ("http-logger", &http_logger, json!({"log_format": [], "log_format_extra": []})),
        ("http-logger", &http_logger, json!({"max_pending_entries": most})),
        ("http-logger", &http_logger, json!({"max_pending_entries": 5.0})),
        ("file-logger", &json!({"path": folder.path().join("log")}), json!({"log_format": []})),
        ("cors", &json!({"allow_origins_by_metadata": ["a"]}), json!({"allow_origins": []})),
        ("prometheus", &json!({}), json!({"disabled_labels": []})),
    ] {
        let stored = [(format!("/apisix/plugin_metadata/{plugin}"), metadata.clone())];
        let others = stored.iter().map(|(key, value)| (key.as_str(), value.clone())).collect::<Vec<_>>();
        let gateway = Gateway::with_plugins_and(json!({plugin: config}), &others);
        assert_eq!(gateway.get("/", &[]).status, 200, "{plugin} {metadata}");
    }
}

#[test]
fn keys_in_headers_and_arguments_are_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let logger = json!({"path": file});
    let gateway = Gateway::with_plugins(json!({"file-logger": logger, "key-auth": {}}));
    let keys =
        ["x-auth-token", "x-amz-security-token", "ocp-apim-subscription-key", "x-api-key", "proxy-authorization"];
    let mut headers: Vec<(&str, &str)> = keys.iter().map(|name| (*name, "secret")).collect();
    headers.push(("sec-websocket-protocol", "realtime, openai-insecure-api-key.secret"));
    assert_eq!(gateway.get("/a?apikey=secret&x=1", &headers).status, 401);
    let entry = log_entries(&file, 1).remove(0);
    assert_eq!(entry["request"]["uri"], "/a?apikey=[hidden]&x=1");
    assert_eq!(entry["request"]["querystring"], json!({"apikey": "[hidden]", "x": "1"}));
    assert_eq!(gateway.get("/a%3Fb?apikey=secret", &headers).status, 401);
    let odd = log_entries(&file, 2).remove(1)["request"].take();
    assert_eq!((&odd["uri"], &odd["querystring"]), (&json!("/a?b?apikey=[hidden]"), &json!({"apikey": "[hidden]"})));
    for (name, _) in headers {
        assert_eq!(entry["request"]["headers"][name], "[hidden]", "{name}");
    }
    assert!(!entry.to_string().contains("secret"), "{entry:#}");
}

#[test]
fn a_header_that_a_route_names_for_its_credential_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let plugins = json!({"file-logger": {"path": file}, "key-auth": {"header": "X-Own-Key"}});
    assert_eq!(Gateway::with_plugins(plugins).get("/", &[("X-Own-Key", "secret")]).status, 401);
    assert_eq!(log_entries(&file, 1)[0]["request"]["headers"]["x-own-key"], "[hidden]");
}

#[test]
fn an_entry_shows_fields_of_the_body_and_the_host_that_was_sent() {
    for (pass_host, sent) in [("pass", "test.com"), ("node", "127.0.0.1:"), ("rewrite", "rewritten.test")] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("access.log");
        let format = json!({"model": "$post_arg.m", "host": "$upstream_host", "bytes": "$upstream_bytes_received"});
        let logger = json!({"path": file, "log_format": format});
        let route = json!({
            "id": "2", "uri": "/b", "plugins": {"file-logger": logger},
            "upstream": {"nodes": {echo().to_string(): 1}, "pass_host": pass_host, "upstream_host": "rewritten.test"},
        });
        let gateway = Gateway::with_plugins_and(json!({}), &[("/apisix/routes/2", route)]);
        let response = gateway.post("/b", &[("Content-Type", "application/json")], &json!({"m": "gpt"}));
        let entry = log_entries(&file, 1).remove(0);
        let host = entry["host"].as_str().expect("a host");
        assert!(host.starts_with(sent) && response.body.contains(&format!("host: {host}\r\n")), "{entry} {response:?}");
        assert_eq!(entry["model"], "gpt");
        let received: usize = entry["bytes"].as_str().and_then(|bytes| bytes.parse().ok()).expect("a number");
        assert!(received > response.body.len() + "HTTP/1.1 200 OK\r\n".len(), "{entry}");
    }
}

#[test]
fn every_byte_of_a_response_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    let plugins = json!({"mocking": {"response_example": "x"}, "file-logger": {"path": file}});
    let sent = Gateway::with_plugins(plugins).exchange("GET", "/", "");
    assert_eq!(log_entries(&file, 1)[0]["response"]["size"], sent.len(), "{}", String::from_utf8_lossy(&sent));
}

#[test]
fn a_label_shows_a_field_of_the_body() {
    let mut settings = Settings::default();
    settings.plugin_attr.prometheus.enable_export_server = false;
    let label = ExtraLabel { label: "m".to_owned(), value: "$post_arg.m".to_owned() };
    let attr = MetricAttr { extra_labels: vec![label], ..MetricAttr::default() };
    settings.plugin_attr.prometheus.metrics.insert("http_status".to_owned(), attr);
    let metrics = json!({"id": "2", "uri": "/m", "plugins": {"public-api": {"uri": "/apisix/prometheus/metrics"}}});
    let gateway = Gateway::configured(settings, json!({"prometheus": {}}), &[("/apisix/routes/2", metrics)]);
    gateway.post("/", &[("Content-Type", "application/json")], &json!({"m": "gpt"}));
    let begun = Instant::now();
    while !gateway.get("/m", &[]).body.contains("m=\"gpt\"") {
        assert!(begun.elapsed() < PATIENCE, "{}", gateway.get("/m", &[]).body);
    }
}

/// The lines of `file`, once there are `count`.
fn lines(file: &Path, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        assert!(tidegate_plugins::observability::flush_log_files(PATIENCE));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
        std::thread::yield_now();
    }
}

#[test]
fn the_access_log_has_a_line_for_every_request_whoever_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("made/access.log");
    let mut settings = Settings::default();
    settings.nginx_config.http.access_log.enabled = true;
    settings.nginx_config.http.access_log.path = file.to_str().expect("text").to_owned();
    let restriction = json!({"blacklist": ["127.0.0.1"], "_meta": {"filter": [["arg_block", "==", "yes"]]}});
    let gateway = Gateway::configured(settings, json!({"ip-restriction": restriction}), &[]);
    assert_eq!(gateway.get("/a?x=1", &[("User-Agent", "a \"test\"")]).status, 200);
    assert_eq!(gateway.get("/b?block=yes", &[]).status, 403);
    assert_eq!(gateway.get("/../..", &[]).status, 400);
    let lines = lines(&file, 3);
    let [passed, refused, invalid] = &lines[..] else { panic!("{lines:#?}") };
    let fields: Vec<&str> = passed.split(' ').collect();
    assert_eq!((&fields[..3], fields[4], fields[5]), (&["127.0.0.1", "-", "-"][..], "+0000]", "test.com"), "{passed}");
    assert!(passed.contains(" \"GET /a?x=1 HTTP/1.1\" 200 "), "{passed}");
    assert!(passed.contains(" \"-\" \"a \\x22test\\x22\" 127.0.0.1:"), "{passed}");
    assert!(passed.contains(" 200 0.0") && passed.contains("/a?x=1\" \""), "{passed}");
    assert!(refused.contains(" 403 ") && refused.contains(" - - - "), "{refused}");
    assert!(invalid.contains(" \"GET /../.. HTTP/1.1\" 400 "), "{invalid}");
}
