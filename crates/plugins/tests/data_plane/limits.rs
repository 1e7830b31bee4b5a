use serde_json::json;

use super::fixture::Gateway;

#[test]
fn requests_over_the_limit_are_rejected_with_their_quota_in_headers() {
    let limit = json!({"count": 2, "time_window": 60, "rejected_code": 429, "rejected_msg": "slow down"});
    let gateway = Gateway::with_plugins(json!({"limit-count": limit}));
    for remaining in ["1", "0"] {
        let passed = gateway.get("/", &[]);
        assert_eq!(passed.status, 200);
        assert_eq!(passed.header("x-ratelimit-limit").as_deref(), Some("2"));
        assert_eq!(passed.header("x-ratelimit-remaining").as_deref(), Some(remaining));
        let reset: f64 = passed.header("x-ratelimit-reset").expect("a header").parse().expect("seconds");
        assert!(reset > 30.0 && reset <= 60.0, "{reset}");
    }
    let rejected = gateway.get("/", &[]);
    assert_eq!((rejected.status, rejected.body.as_str()), (429, "{\"error_msg\":\"slow down\"}\n"));
    assert_eq!(rejected.header("x-ratelimit-remaining").as_deref(), Some("0"));
}

#[test]
fn a_limit_of_a_consumer_goes_with_the_consumer() {
    let consumer = json!({"username": "unit_a", "plugins": {
        "key-auth": {"key": "a"},
        "limit-count": {"count": 1, "time_window": 86400, "key": "consumer_name", "rejected_code": 429}
    }});
    let others = [("/apisix/consumers/unit_a", consumer)];
    let gateway = Gateway::with_plugins_and(json!({"key-auth": {}}), &others);
    let statuses = [(); 2].map(|()| gateway.get("/", &[("apikey", "a")]).status);
    assert_eq!(statuses, [200, 429]);
}

#[test]
fn rules_have_their_own_headers_and_some_rule_must_apply() {
    let rules = json!([
        {"count": 1, "time_window": 60, "key": "$http_x_user", "header_prefix": "User"},
        {"count": 5, "time_window": 60, "key": "$http_x_unit"}
    ]);
    let gateway = Gateway::with_plugins(json!({"limit-count": {"rules": rules}}));
    let headers = [("X-User", "jack"), ("X-Unit", "a")];
    let passed = gateway.get("/", &headers);
    assert_eq!(passed.header("x-user-ratelimit-remaining").as_deref(), Some("0"));
    assert_eq!(passed.header("x-2-ratelimit-limit").as_deref(), Some("5"));
    assert_eq!(gateway.get("/", &headers).status, 503);
    assert_eq!(gateway.get("/", &[]).status, 500);
    let lenient = Gateway::with_plugins(json!({"limit-count": {"rules": rules, "allow_degradation": true}}));
    assert_eq!(lenient.get("/", &[]).status, 200);
}
