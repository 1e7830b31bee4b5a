//! How much may pass, and what never reaches an upstream.

use serde_json::{Value, json};

use super::Fixture;
use crate::harness::{Gateway, Request, Upstream, get, route};

fn quota(count: u32, more: Value) -> Value {
    let mut config = json!({"count": count, "time_window": 600, "rejected_code": 429, "rejected_msg": "too much"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"limit-count": config})
}

#[test]
fn a_quota_counts_down_and_then_refuses() {
    for window in ["fixed", "sliding"] {
        let fixture = Fixture::with(quota(2, json!({"window_type": window})));
        let ask = || fixture.gateway.send(get("/"));
        for left in ["1", "0"] {
            let passed = ask();
            assert_eq!(passed.status, 200, "{window}");
            assert_eq!(passed.header("X-RateLimit-Limit"), Some("2"), "{window}");
            assert_eq!(passed.header("X-RateLimit-Remaining"), Some(left), "{window}");
            assert!(passed.header("X-RateLimit-Reset").is_some(), "{window}");
        }
        let refused = ask();
        assert_eq!((refused.status, refused.text().as_str()), (429, "{\"error_msg\":\"too much\"}\n"), "{window}");
        assert_eq!(refused.header("X-RateLimit-Remaining"), Some("0"), "{window}");
        assert_eq!(fixture.upstream.request_count(), 2, "{window}");
    }
}

#[test]
fn a_quota_survives_unrelated_changes_and_starts_anew_with_its_own() {
    let fixture = Fixture::with(quota(1, json!({})));
    let status = || fixture.gateway.send(get("/")).status;
    assert_eq!([status(), status()], [200, 429]);
    fixture.route(json!({"desc": "changed", "plugins": quota(1, json!({}))}));
    assert_eq!(status(), 429);
    fixture.gateway.put("/consumers/other", &json!({"username": "other"}));
    assert_eq!(status(), 429);
    fixture.route(json!({"plugins": quota(2, json!({}))}));
    assert_eq!([status(), status(), status()], [200, 200, 429]);
}

#[test]
fn each_key_has_its_own_quota() {
    let fixture = Fixture::with(quota(1, json!({"key": "http_x_tenant", "key_type": "var"})));
    let status = |tenant: &str| fixture.gateway.send(get("/").header("X-Tenant", tenant)).status;
    assert_eq!([status("a"), status("b"), status("a"), status("b")], [200, 200, 429, 429]);
}

#[test]
fn routes_of_a_group_share_one_quota() {
    let fixture = Fixture::with(quota(2, json!({"group": "g"})));
    let upstream = crate::harness::upstream(fixture.upstream.addr);
    let second = json!({"uri": "/second", "upstream": upstream, "plugins": quota(2, json!({"group": "g"}))});
    fixture.gateway.put("/routes/2", &second);
    let status = |path: &str| fixture.gateway.send(get(path)).status;
    assert_eq!([status("/first"), status("/second"), status("/first"), status("/second")], [200, 200, 429, 429]);
}

#[test]
fn a_quota_is_exact_under_concurrent_requests() {
    let fixture = Fixture::with(quota(50, json!({})));
    let passed: usize = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..25).filter(|_| fixture.gateway.send(get("/")).status == 200).count()))
            .collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).sum()
    });
    assert_eq!((passed, fixture.upstream.request_count()), (50, 50));
}

#[test]
fn a_preflight_is_answered_and_origins_are_named() {
    let fixture = Fixture::with(json!({"cors": {
        "allow_origins": "https://a.example,https://b.example", "allow_methods": "GET,POST",
        "allow_headers": "x-a", "expose_headers": "x-b", "max_age": 60, "allow_credential": true}}));
    let preflight = Request::new("OPTIONS", "/")
        .header("Origin", "https://b.example")
        .header("Access-Control-Request-Method", "POST");
    let reply = fixture.gateway.send(preflight);
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://b.example"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "x-a"),
        ("access-control-expose-headers", "x-b"),
        ("access-control-max-age", "60"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(fixture.upstream.request_count(), 0);
    let stranger = fixture.gateway.send(get("/").header("Origin", "https://c.example"));
    assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (200, None));
}

#[test]
fn a_mock_answers_in_place_of_an_upstream() {
    let fixture = Fixture::with(json!({"mocking": {
        "response_status": 201, "content_type": "application/json", "response_example": "{\"a\":1}"}}));
    let reply = fixture.gateway.send(get("/"));
    assert_eq!((reply.status, reply.text().as_str()), (201, "{\"a\":1}"));
    assert_eq!(reply.header("x-mock-by"), Some("APISIX/3.18.0"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    fixture.route(json!({"plugins": {"mocking": {"with_mock_header": false, "response_schema":
        {"type": "object", "properties": {"n": {"type": "integer", "example": 7}}}}}}));
    let reply = fixture.gateway.send(get("/"));
    assert_eq!((reply.json(), reply.header("x-mock-by")), (json!({"n": 7}), None));
    assert_eq!(fixture.upstream.request_count(), 0);
}

#[test]
fn metrics_can_be_served_to_clients_by_a_route() {
    use crate::harness::{ADMIN_KEY, Launch};
    let attr = json!({"plugin_attr": {"prometheus": {"enable_export_server": false}}});
    let launch = Launch::new().admin_key(ADMIN_KEY);
    let (admin, proxy) = (launch.admin, launch.proxy);
    let _gateway = launch.config(attr).start();
    let route = json!({"uri": "/apisix/prometheus/metrics", "plugins": {"public-api": {}}});
    let request = Request::new("PUT", "/apisix/admin/routes/m").header("X-API-KEY", ADMIN_KEY).json(&route);
    assert_eq!(request.send(admin).status, 201);
    crate::harness::wait_until("the metrics are served", || {
        let reply = get("/apisix/prometheus/metrics").send(proxy);
        (reply.status == 200 && reply.text().contains("apisix_node_info{")).then_some(())
    });
}

#[test]
fn a_group_counts_together_and_must_say_the_same() {
    let gateway = Gateway::start();
    let upstream = Upstream::saying("served");
    let limited = |uri: &str, count: u32| {
        let mut limited = route(uri, upstream.addr);
        limited["plugins"] = quota(count, json!({"group": "both"}));
        limited
    };
    gateway.put("/routes/1", &limited("/one", 1));
    gateway.put("/routes/2", &limited("/two", 1));
    assert_eq!(gateway.send(get("/one")).status, 200);
    assert_eq!(gateway.send(get("/two")).status, 429);
    let refused = gateway.admin("PUT", "/routes/2", Some(&limited("/two", 2)));
    let text = "failed to check the configuration of plugin limit-count err: group conf mismatched";
    assert_eq!((refused.status, &refused.json()["error_msg"]), (400, &json!(text)));
}

#[test]
fn the_control_api_shows_plugins_with_their_defaults() {
    let meta = json!({"priority": 7});
    let fixture = Fixture::with(json!({"limit-count": {"count": 1, "time_window": 2, "_meta": meta}}));
    let shown = get("/v1/route/1").send(fixture.gateway.control).json();
    let limit = &shown["value"]["plugins"]["limit-count"];
    assert_eq!(
        (&limit["count"], &limit["key"], &limit["rejected_code"]),
        (&json!(1), &json!("remote_addr"), &json!(503))
    );
    assert_eq!(limit["_meta"], meta);
}
