//! Who may pass.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Fixture;
use crate::harness::{ADMIN_KEY, Launch, Request, get};

/// A token signed with HS256.
fn token(claims: &Value, secret: &str) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(&json!({"alg": "HS256", "typ": "JWT"})), encoded(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn key_auth_says_what_is_wrong_with_a_key() {
    let fixture = Fixture::with(json!({"key-auth": {}}));
    fixture.consumer("jack", json!({"key-auth": {"key": "jacks-key"}}));
    let missing = fixture.gateway.send(get("/"));
    assert_eq!((missing.status, missing.text().as_str()), (401, "{\"message\":\"Missing API key in request\"}\n"));
    assert_eq!(missing.header("www-authenticate"), Some("apikey realm=\"key\""));
    let wrong = fixture.gateway.send(get("/").header("apikey", "other"));
    assert_eq!((wrong.status, wrong.text().as_str()), (401, "{\"message\":\"Invalid API key in request\"}\n"));
    let passed = fixture.gateway.send(get("/").header("apikey", "jacks-key").header("X-Consumer-Username", "forged"));
    assert_eq!(passed.status, 200);
    let names: Vec<_> = fixture.upstream.last().headers;
    let names: Vec<&str> =
        names.iter().filter(|(name, _)| name == "x-consumer-username").map(|(_, value)| value.as_str()).collect();
    assert_eq!(names, ["jack"]);
    assert_eq!(fixture.upstream.request_count(), 1, "a refused request reached the upstream");
}

#[test]
fn a_changed_or_deleted_consumer_is_known_at_once() {
    let fixture = Fixture::with(json!({"key-auth": {}}));
    let status = |key: &str| fixture.gateway.send(get("/").header("apikey", key)).status;
    fixture.consumer("jack", json!({"key-auth": {"key": "one"}}));
    assert_eq!([status("one"), status("two")], [200, 401]);
    fixture.consumer("jack", json!({"key-auth": {"key": "two"}}));
    assert_eq!([status("one"), status("two")], [401, 200]);
    assert_eq!(fixture.gateway.admin("DELETE", "/consumers/jack", None).status, 200);
    crate::harness::wait_until("the consumer is gone", || (status("two") == 401).then_some(()));
}

#[test]
fn a_key_may_be_a_file_and_follows_it() {
    let secrets = tempfile::tempdir().unwrap();
    let write = |key: &str| std::fs::write(secrets.path().join("jack"), key).unwrap();
    let settings = json!({"tidegate": {"secrets_dir": secrets.path()}});
    let gateway = Launch::new().admin_key(ADMIN_KEY).config(settings).start();
    let consumer = json!({"username": "jack", "plugins": {"key-auth": {"key": "$secret://file/jack"}}});
    let mocking = json!({"response_example": "passed"});
    let plan = || {
        gateway.put("/consumers/jack", &consumer);
        gateway.put("/routes/1", &json!({"uri": "/*", "plugins": {"key-auth": {}, "mocking": mocking}}));
    };
    let status = |key: &str| gateway.send(get("/").header("apikey", key)).status;
    plan();
    assert_eq!([status("one"), status("$secret://file/jack")], [401, 401], "there is no such file yet");
    write("one\n");
    plan();
    assert_eq!([status("one"), status("two")], [200, 401]);
    write("two\n");
    plan();
    assert_eq!([status("one"), status("two")], [401, 200]);
}

#[test]
fn jwt_auth_takes_a_token_that_its_consumer_signed() {
    let fixture = Fixture::with(json!({"jwt-auth": {}}));
    fixture.consumer("jack", json!({"jwt-auth": {"key": "jack-key", "secret": "jack-secret-of-some-length"}}));
    let valid = token(&json!({"key": "jack-key", "exp": 4_000_000_000_u64}), "jack-secret-of-some-length");
    let ask = |token: &str| {
        let reply = fixture.gateway.send(get("/").bearer(token));
        (reply.status, reply.text())
    };
    assert_eq!(ask(&valid).0, 200);
    let by_cookie = fixture.gateway.send(get("/").header("Cookie", format!("a=b; jwt={valid}")));
    assert_eq!(by_cookie.status, 200);
    assert_eq!(fixture.gateway.send(get(&format!("/?jwt={valid}"))).status, 200);
    let refused = |message: &str| (401, format!("{{\"message\":\"{message}\"}}\n"));
    let missing = fixture.gateway.send(get("/"));
    assert_eq!((missing.status, missing.text()), refused("Missing JWT token in request"));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"jwt\""));
    assert_eq!(ask("no-token"), refused("JWT token invalid"));
    assert_eq!(ask(&token(&json!({"a": 1}), "x")), refused("missing user key in JWT token"));
    assert_eq!(ask(&token(&json!({"key": "nobody"}), "x")), refused("Invalid user key in JWT token"));
    for (name, claims, secret) in [
        ("another's signature", json!({"key": "jack-key"}), "another-secret"),
        ("expired", json!({"key": "jack-key", "exp": 1}), "jack-secret-of-some-length"),
        ("not yet valid", json!({"key": "jack-key", "nbf": 4_000_000_000_u64}), "jack-secret-of-some-length"),
    ] {
        assert_eq!(ask(&token(&claims, secret)), refused("failed to verify jwt"), "{name}");
    }
}

#[test]
fn an_algorithm_is_not_the_tokens_to_choose() {
    let fixture = Fixture::with(json!({"jwt-auth": {}}));
    fixture.consumer("jack", json!({"jwt-auth": {"key": "jack-key", "secret": "jack-secret-of-some-length"}}));
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", encoded(json!({"alg": "none"})), encoded(json!({"key": "jack-key"})));
    assert_eq!(fixture.gateway.send(get("/").bearer(&unsigned)).status, 401);
    assert_eq!(fixture.upstream.request_count(), 0);
}

#[test]
fn consumers_are_restricted_by_name_and_method() {
    let fixture = Fixture::new();
    fixture.consumer("jack", json!({"key-auth": {"key": "jack"}}));
    fixture.consumer("rose", json!({"key-auth": {"key": "rose"}}));
    let ask = |key: &str, method: &str| {
        let reply = fixture.gateway.send(Request::new(method, "/").header("apikey", key));
        (reply.status, reply.text())
    };
    let forbidden = (403, "{\"message\":\"The consumer_name is forbidden.\"}\n".to_owned());
    let restrict = |rule: Value| fixture.route(json!({"plugins": {"key-auth": {}, "consumer-restriction": rule}}));
    restrict(json!({"whitelist": ["jack"]}));
    assert_eq!((ask("jack", "GET").0, ask("rose", "GET")), (200, forbidden.clone()));
    restrict(json!({"blacklist": ["jack"], "rejected_code": 409, "rejected_msg": "not you"}));
    assert_eq!((ask("jack", "GET"), ask("rose", "GET").0), ((409, "{\"message\":\"not you\"}\n".to_owned()), 200));
    restrict(json!({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]}));
    assert_eq!((ask("jack", "GET"), ask("jack", "POST").0, ask("rose", "GET").0), (forbidden, 200, 200));
}

#[test]
fn addresses_are_restricted_by_what_the_trusted_peer_tells() {
    let fixture = Fixture::with(json!({"ip-restriction": {"whitelist": ["203.0.113.0/24", "127.0.0.1"]}}));
    let ask = |address: &str| {
        let reply = fixture.gateway.send(get("/").header("X-Real-IP", address));
        (reply.status, reply.text())
    };
    assert_eq!(fixture.gateway.send(get("/")).status, 200);
    assert_eq!(ask("203.0.113.7").0, 200);
    assert_eq!(ask("198.51.100.1"), (403, "{\"message\":\"Your IP address is not allowed\"}\n".to_owned()));
    fixture.route(json!({"plugins": {"ip-restriction":
        {"blacklist": ["198.51.100.0/24"], "message": "gone", "response_code": 404}}}));
    assert_eq!(ask("198.51.100.1"), (404, "{\"message\":\"gone\"}\n".to_owned()));
    assert_eq!(ask("203.0.113.7").0, 200);
}

#[test]
fn a_key_that_is_switched_off_opens_nothing() {
    let fixture = Fixture::with(json!({"key-auth": {}}));
    for (disable, status) in [(false, 200), (true, 401), (false, 200)] {
        fixture.consumer("jack", json!({"key-auth": {"key": "k", "_meta": {"disable": disable}}}));
        assert_eq!(fixture.gateway.send(get("/").header("apikey", "k")).status, status, "disable: {disable}");
    }
}
