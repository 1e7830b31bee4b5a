use std::io::Read as _;

use config::settings::Settings;
use serde_json::{Value, json};

use super::fixture::{Gateway, echo};

fn jack(plugins: Value) -> (&'static str, Value) {
    ("/apisix/consumers/jack", json!({"username": "jack", "labels": {"custom_id": "c-1"}, "plugins": plugins}))
}

#[test]
fn a_key_is_taken_from_the_header_or_the_query() {
    let others = [
        jack(json!({"key-auth": {"key": "jacks"}})),
        ("/apisix/consumers/jack/credentials/two", json!({"id": "two", "plugins": {"key-auth": {"key": "second"}}})),
    ];
    let gateway = Gateway::with_plugins_and(json!({"key-auth": {}}), &others);

    let passed = gateway.get("/", &[("apikey", "jacks"), ("X-Credential-Identifier", "forged")]);
    assert_eq!(passed.status, 200);
    assert!(passed.body.contains("x-consumer-username: jack\r\n"), "{}", passed.body);
    assert!(passed.body.contains("x-consumer-custom-id: c-1\r\n"), "{}", passed.body);
    assert!(!passed.body.contains("x-credential-identifier"), "{}", passed.body);
    let by_query = gateway.get("/?a=1&apikey=second", &[]);
    assert!(by_query.body.contains("x-credential-identifier: two\r\n"), "{}", by_query.body);
    assert!(by_query.body.starts_with("GET /?a=1&apikey=second "), "{}", by_query.body);

    let missing = gateway.get("/", &[]);
    assert_eq!((missing.status, missing.body.as_str()), (401, "{\"message\":\"Missing API key in request\"}\n"));
    assert_eq!(missing.header("www-authenticate").as_deref(), Some("apikey realm=\"key\""));
    let wrong = gateway.get("/?apikey=jacks", &[("apikey", "wrong")]);
    assert_eq!((wrong.status, wrong.body.as_str()), (401, "{\"message\":\"Invalid API key in request\"}\n"));
}

#[test]
fn credentials_can_be_kept_from_the_upstream_also_of_anonymous_callers() {
    let others =
        [jack(json!({"key-auth": {"key": "jacks"}})), ("/apisix/consumers/anyone", json!({"username": "anyone"}))];
    let plugins = json!({"key-auth": {"hide_credentials": true, "anonymous_consumer": "anyone"}});
    let gateway = Gateway::with_plugins_and(plugins, &others);

    let by_header = gateway.get("/", &[("apikey", "jacks")]);
    assert!(by_header.body.contains("username: jack") && !by_header.body.contains("jacks"), "{}", by_header.body);
    let by_query = gateway.get("/p?apikey=jacks&b=%41", &[]);
    assert!(by_query.body.starts_with("GET /p?b=%41 "), "{}", by_query.body);
    let wrong = gateway.get("/?apikey=wrong", &[]);
    assert!(wrong.body.starts_with("GET / ") && wrong.body.contains("username: anyone"), "{}", wrong.body);
}

#[test]
fn an_anonymous_consumer_that_does_not_exist_lets_nobody_in() {
    let gateway = Gateway::with_plugins(json!({"key-auth": {"anonymous_consumer": "nobody"}}));
    let response = gateway.get("/", &[]);
    assert_eq!((response.status, response.body.as_str()), (401, "{\"message\":\"Invalid user authorization\"}\n"));
    assert!(response.header("www-authenticate").is_some());
}

#[test]
fn a_token_names_its_consumer_and_is_verified_with_that_consumers_key() {
    let others = [jack(json!({"jwt-auth": {"key": "jack-key", "secret": "jack-secret"}}))];
    let gateway = Gateway::with_plugins_and(json!({"jwt-auth": {"hide_credentials": true}}), &others);
    let sign = |claims: Value, secret: &str| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
    };
    let good = sign(json!({"key": "jack-key"}), "jack-secret");

    let by_header = gateway.get("/", &[("Authorization", &format!("Bearer {good}"))]);
    assert_eq!(by_header.status, 200, "{}", by_header.body);
    assert!(by_header.body.contains("username: jack") && !by_header.body.contains(&good), "{}", by_header.body);
    let by_query = gateway.get(&format!("/?jwt={good}&a=1"), &[]);
    assert!(by_query.body.starts_with("GET /?a=1 "), "{}", by_query.body);
    let by_cookie = gateway.get("/", &[("Cookie", &format!("a=1; jwt={good}"))]);
    assert!(by_cookie.body.contains("cookie: a=1\r\n"), "{}", by_cookie.body);

    let expired = sign(json!({"key": "jack-key", "exp": 1000}), "jack-secret");
    let rows = [
        (None, "Missing JWT token in request"),
        (Some("not a token".to_owned()), "JWT token invalid"),
        (Some(sign(json!({"sub": "jack"}), "jack-secret")), "missing user key in JWT token"),
        (Some(sign(json!({"key": "rose"}), "jack-secret")), "Invalid user key in JWT token"),
        (Some(sign(json!({"key": "jack-key"}), "another")), "failed to verify jwt"),
        (Some(expired), "failed to verify jwt"),
    ];
    for (token, message) in rows {
        let headers: Vec<_> = token.iter().map(|token| ("Authorization", token.as_str())).collect();
        let response = gateway.get("/", &headers);
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer realm=\"jwt\""));
        assert_eq!((response.status, response.body), (401, format!("{{\"message\":\"{message}\"}}\n")));
    }
}

#[test]
fn consumers_may_be_restricted() {
    let others = [
        jack(json!({"key-auth": {"key": "jacks"}})),
        ("/apisix/consumers/rose", json!({"username": "rose", "plugins": {"key-auth": {"key": "roses"}}})),
    ];
    let plugins = json!({"key-auth": {}, "consumer-restriction": {"whitelist": ["jack"]}});
    let gateway = Gateway::with_plugins_and(plugins, &others);
    assert_eq!(gateway.get("/", &[("apikey", "jacks")]).status, 200);
    let refused = gateway.get("/", &[("apikey", "roses")]);
    assert_eq!((refused.status, refused.body.as_str()), (403, "{\"message\":\"The consumer_name is forbidden.\"}\n"));

    let gateway = Gateway::with_plugins(json!({"consumer-restriction": {"whitelist": ["jack"]}}));
    let unknown = gateway.get("/", &[]);
    let message = "The request is rejected, please check the consumer_name for this request";
    assert_eq!((unknown.status, unknown.body), (401, format!("{{\"message\":\"{message}\"}}\n")));
}

#[test]
fn bodies_that_routing_reads_before_a_key_is_asked_for_have_a_bounded_room() {
    let mut settings = Settings::default();
    settings.tidegate.max_early_body_bytes = 200_000;
    let by_model = json!({"id": "2", "uri": "/*", "vars": [["post_arg.model", "==", "m"]], "priority": 1,
        "plugins": {"key-auth": {}}, "upstream": {"nodes": {"127.0.0.1:1": 1}}});
    let gateway = Gateway::configured(settings, json!({}), &[("/apisix/routes/2", by_model)]);
    let post = |bytes: usize| {
        let body = json!({"model": "m", "pad": "x".repeat(bytes)});
        gateway.post("/", &[("Content-Type", "application/json")], &body).status
    };
    assert_eq!(post(300_000), 503);
    for _ in 0..3 {
        assert_eq!(post(150_000), 401, "what one body took is given back");
    }
}

#[test]
fn a_reference_to_an_empty_secret_lets_nobody_in() {
    // Set by cargo for every test, and empty for a version without a suffix.
    let empty = "$env://CARGO_PKG_VERSION_PRE";
    assert_eq!(std::env::var("CARGO_PKG_VERSION_PRE").as_deref(), Ok(""));
    let others = [
        jack(json!({"key-auth": {"key": empty}})),
        ("/apisix/consumers/jane", json!({"username": "jane", "plugins": {"key-auth": {"key": "janes"}}})),
    ];
    let gateway = Gateway::with_plugins_and(json!({"key-auth": {}}), &others);
    assert_eq!(gateway.get("/", &[("apikey", "")]).status, 401);
    assert_eq!(gateway.get("/?apikey=", &[]).status, 401);
    assert_eq!(gateway.get("/?apikey", &[]).status, 401);
    assert_eq!(gateway.get("/?apikey=janes", &[]).status, 200);
}

/// The status that comes where the client has announced a body and sent none of it.
fn status_without_body(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> String {
    let announced = [("Content-Type", "application/json"), ("Content-Length", "60000000")];
    let mut stream = gateway.open("POST", path, &[&announced, headers].concat(), "");
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).expect("a status line");
    String::from_utf8_lossy(&line[9..]).into_owned()
}

#[test]
fn the_body_of_a_stranger_is_not_waited_for_though_it_decides_the_route() {
    let by_model = |model: &str, auth: &Value| {
        let plugins = json!({"cors": {}, "request-id": {}, "key-auth": auth, "mocking": {"response_example": model}});
        json!({"uri": "/chat", "vars": [["post_arg.model", "==", model]], "plugins": plugins})
    };
    let jack = jack(json!({"key-auth": {"key": "jacks"}}));
    let upstream = json!({"type": "roundrobin", "nodes": {echo().to_string(): 1}});
    let guarded = [
        ("/apisix/routes/a", by_model("a", &json!({}))),
        ("/apisix/routes/b", by_model("b", &json!({}))),
        ("/apisix/routes/plain", json!({"uri": "/plain", "upstream": upstream})),
        jack.clone(),
    ];
    let gateway = Gateway::with_plugins_and(json!({"jwt-auth": {}}), &guarded);
    let json_body = ("Content-Type", "application/json");
    for path in ["/chat", "/chat?apikey=wrong"] {
        assert_eq!(status_without_body(&gateway, path, &[]), "401");
    }
    for model in ["a", "b"] {
        let known = gateway.post("/chat", &[json_body, ("apikey", "jacks")], &json!({"model": model}));
        assert_eq!((known.status, known.body.as_str()), (200, model));
    }
    let other = gateway.post("/chat", &[json_body, ("apikey", "jacks")], &json!({"model": "c"}));
    assert!(other.body.contains("JWT"), "{}", other.body);
    let stranger = gateway.post("/chat", &[json_body], &json!({"model": "c"}));
    assert!(stranger.body.contains("JWT"), "a short body is read, and leads to its own route: {}", stranger.body);
    assert_eq!(status_without_body(&gateway, "/plain", &[]), "200", "no condition of this path looks into the body");

    let open = [("/apisix/routes/b", by_model("b", &json!({"anonymous_consumer": "jack"}))), jack];
    let gateway = Gateway::with_plugins_and(json!({"key-auth": {}}), &open);
    assert_eq!(gateway.post("/chat", &[json_body], &json!({"model": "b"})).body, "b");
    assert_eq!(gateway.post("/chat", &[json_body], &json!({"model": "c"})).status, 401);
}

#[test]
fn a_logger_that_shows_bodies_waits_for_none_of_a_stranger() {
    let folder = tempfile::tempdir().expect("a folder");
    let logger = json!({"path": folder.path().join("a.log"), "include_req_body": true});
    let plugins = |auth: &str| json!({auth: {}, "file-logger": logger});
    for auth in ["key-auth", "jwt-auth"] {
        assert_eq!(status_without_body(&Gateway::with_plugins(plugins(auth)), "/", &[]), "401", "{auth}");
    }
}
