use std::path::Path;
use std::time::Instant;

use config::settings::Settings;
use serde_json::json;

use super::fixture::{Gateway, PATIENCE, log_entries};

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
