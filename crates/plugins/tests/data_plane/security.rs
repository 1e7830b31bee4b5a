use serde_json::json;

use super::fixture::Gateway;

#[test]
fn addresses_that_may_not_pass_are_told_so() {
    let restriction = json!({"ip-restriction": {"whitelist": ["10.0.0.0/8"], "message": "no", "response_code": 404}});
    let refused = Gateway::with_plugins(restriction).get("/", &[]);
    assert_eq!((refused.status, refused.body.as_str()), (404, "{\"message\":\"no\"}\n"));
    let allowed = Gateway::with_plugins(json!({"ip-restriction": {"whitelist": ["127.0.0.0/8"]}}));
    assert_eq!(allowed.get("/", &[]).status, 200);
}

#[test]
fn preflights_are_answered_and_responses_say_who_may_read_them() {
    let cors = json!({"allow_origins": "http://a.com", "allow_headers": "**", "max_age": 9});
    // Preflights carry no credentials: cors answers them before anybody asks for some.
    let guarded = Gateway::with_plugins(json!({"cors": cors, "key-auth": {}}));
    assert_eq!(guarded.send("OPTIONS", "/", &[]).status, 200);
    let refused = guarded.get("/", &[("Origin", "http://a.com")]);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin").as_deref(), Some("http://a.com"));

    let gateway = Gateway::with_plugins(json!({"cors": cors}));
    let asked = [("Origin", "http://a.com"), ("Access-Control-Request-Headers", "x-one, x-two")];
    let preflight = gateway.send("OPTIONS", "/", &asked);
    assert_eq!((preflight.status, preflight.body.as_str()), (200, ""));
    assert_eq!(preflight.header("access-control-allow-headers").as_deref(), Some("x-one, x-two"));
    assert_eq!(preflight.header("access-control-max-age").as_deref(), Some("9"));

    let response = gateway.get("/", &[("Origin", "http://a.com")]);
    assert_eq!(response.header("access-control-allow-origin").as_deref(), Some("http://a.com"));
    assert_eq!(response.header("x-upstream").as_deref(), Some("yes"));
    let foreign = gateway.get("/", &[("Origin", "http://b.com")]);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    assert_eq!(foreign.header("vary").as_deref(), Some("Origin"));
}

#[test]
fn the_text_of_a_refusal_may_be_a_reference() {
    // Set by cargo for every test.
    let meta = json!({"error_response": {"error": "$env://CARGO_PKG_NAME"}});
    let gateway = Gateway::with_plugins(json!({"ip-restriction": {"blacklist": ["127.0.0.1"], "_meta": meta}}));
    let refused = gateway.get("/", &[]);
    assert_eq!((refused.status, refused.body.as_str()), (403, "{\"error\":\"tidegate-plugins\"}\n"));
}
