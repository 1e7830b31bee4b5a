//! Whose configuration of a plugin counts, when it runs, and with what it answers.

use serde_json::{Value, json};

use super::Fixture;
use crate::harness::{Reply, get, upstream};

/// A plugin that shows who configured it.
fn shows(who: &str) -> Value {
    json!({"response-rewrite": {"headers": {"set": {"X-Who": who}}}})
}

fn both(a: Value, b: Value) -> Value {
    let mut both = a;
    both.as_object_mut().unwrap().extend(b.as_object().unwrap().clone());
    both
}

#[test]
fn consumer_comes_before_group_before_route_before_plugin_config_before_service() {
    let fixture = Fixture::new();
    let gateway = &fixture.gateway;
    gateway.put(
        "/services/s",
        &json!({"plugins": both(shows("service"), json!({"key-auth": {}})),
        "upstream": upstream(fixture.upstream.addr)}),
    );
    gateway.put("/plugin_configs/p", &json!({"plugins": shows("plugin config")}));
    gateway.put("/consumer_groups/g", &json!({"plugins": shows("group")}));
    fixture.consumer("jack", json!({"key-auth": {"key": "k"}}));
    let who = || {
        let reply = gateway.send(get("/").header("apikey", "k"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.header("x-who").unwrap().to_owned()
    };
    let mut route = json!({"uri": "/*", "service_id": "s"});
    gateway.put("/routes/1", &route);
    assert_eq!(who(), "service");
    route["plugin_config_id"] = json!("p");
    gateway.put("/routes/1", &route);
    assert_eq!(who(), "plugin config");
    route["plugins"] = shows("route");
    gateway.put("/routes/1", &route);
    assert_eq!(who(), "route");
    let mut jack = json!({"username": "jack", "group_id": "g", "plugins": {"key-auth": {"key": "k"}}});
    gateway.put("/consumers/jack", &jack);
    assert_eq!(who(), "group");
    jack["plugins"] = both(json!({"key-auth": {"key": "k"}}), shows("consumer"));
    gateway.put("/consumers/jack", &jack);
    assert_eq!(who(), "consumer");
    assert_eq!(gateway.send(get("/")).status, 401, "the service's key-auth still stands");
}

#[test]
fn a_route_takes_its_upstream_hosts_and_timeouts_over_those_of_its_service() {
    let fixture = Fixture::new();
    let other = crate::harness::Upstream::saying("the service's");
    fixture.gateway.put("/services/s", &json!({"upstream": upstream(other.addr), "hosts": ["service.example"]}));
    fixture.gateway.put("/routes/1", &json!({"uri": "/*", "service_id": "s"}));
    let ask = |host: &str| fixture.gateway.send(get("/").header("Host", host));
    assert_eq!(ask("service.example").text(), "the service's");
    assert_eq!(ask("other.example").status, 404);
    fixture.route(json!({"service_id": "s", "hosts": ["route.example"]}));
    assert_eq!(ask("route.example").text(), "GET /");
    assert_eq!(ask("service.example").status, 404);
}

#[test]
fn meta_filters_reorders_silences_and_disables() {
    let fixture = Fixture::new();
    let ask = |path: &str| -> Reply { fixture.gateway.send(get(path)) };
    let mut plugins = shows("filtered");
    plugins["response-rewrite"]["_meta"] = json!({"filter": [["arg_show", "==", "yes"]]});
    fixture.route(json!({"plugins": plugins}));
    assert_eq!(ask("/").header("x-who"), None);
    assert_eq!(ask("/?show=yes").header("x-who"), Some("filtered"));

    let mut plugins =
        json!({"ip-restriction": {"blacklist": ["127.0.0.1"]}, "mocking": {"response_example": "mocked"}});
    fixture.route(json!({"plugins": plugins}));
    assert_eq!(ask("/").text(), "mocked", "mocking has the higher priority");
    plugins["ip-restriction"]["_meta"] = json!({"priority": 20_000});
    fixture.route(json!({"plugins": plugins}));
    assert_eq!(ask("/").status, 403);
    plugins["ip-restriction"]["_meta"]["error_response"] = json!({"code": 7, "text": "no"});
    fixture.route(json!({"plugins": plugins}));
    let refused = ask("/");
    assert_eq!((refused.status, refused.json()), (403, json!({"code": 7, "text": "no"})));
    plugins["ip-restriction"]["_meta"]["error_response"] = json!("plain no");
    fixture.route(json!({"plugins": plugins}));
    assert_eq!((ask("/").status, ask("/").text().as_str()), (403, "plain no"));
    plugins["ip-restriction"]["_meta"] = json!({"disable": true});
    fixture.route(json!({"plugins": plugins}));
    assert_eq!(ask("/").text(), "mocked");
}

#[test]
fn a_global_rule_runs_in_addition_and_also_without_a_route() {
    let fixture = Fixture::with(shows("route"));
    let rule = json!({"plugins": {"cors": {"allow_origins": "https://a.example"}, "ip-restriction": {"blacklist": ["198.51.100.1"]}}});
    fixture.gateway.put("/global_rules/1", &rule);
    let ask = |path: &str, address: &str| {
        fixture.gateway.send(get(path).header("X-Real-IP", address).header("Origin", "https://a.example"))
    };
    let reply = ask("/", "203.0.113.1");
    assert_eq!((reply.status, reply.header("x-who")), (200, Some("route")));
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(ask("/", "198.51.100.1").status, 403);
    fixture.gateway.admin("DELETE", "/routes/1", None);
    crate::harness::wait_until("the route is gone", || (ask("/", "203.0.113.1").status == 404).then_some(()));
    assert_eq!(ask("/", "198.51.100.1").status, 403, "a rule also guards what has no route");
    assert_eq!(fixture.gateway.admin("DELETE", "/global_rules/1", None).status, 200);
    crate::harness::wait_until("the rule is gone", || (ask("/", "198.51.100.1").status == 404).then_some(()));
}
