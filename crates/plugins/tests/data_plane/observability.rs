use serde_json::json;

use super::fixture::{Gateway, log_entries};

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
