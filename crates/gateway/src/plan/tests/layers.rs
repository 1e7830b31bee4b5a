//! Plugins of one layer over those of another.

use serde_json::{Value, json};

use super::fixture::Bench;

const OFF: &str = r#"{"_meta": {"disable": true}}"#;

fn off() -> Value {
    serde_json::from_str(OFF).expect("JSON")
}

#[test]
fn switching_a_plugin_off_on_a_route_holds_over_its_service() {
    let service = ("/apisix/services/s", json!({"id": "s", "plugins": {"recorder": {}, "picky": {}}}));
    let route =
        ("/apisix/routes/1", json!({"id": "1", "uri": "/*", "service_id": "s", "plugins": {"recorder": off()}}));
    let plan = Bench::plan_of(&[service, route]);
    let chain = &plan.routes()[0].chain;
    assert!(!chain.contains("recorder"));
    assert!(chain.contains("picky"));
}

#[test]
fn switching_a_plugin_off_for_a_consumer_holds_over_the_route() {
    let route = ("/apisix/routes/1", json!({"id": "1", "uri": "/*", "plugins": {"recorder": {}}}));
    let consumer = ("/apisix/consumers/jack", json!({"username": "jack", "plugins": {"recorder": off()}}));
    let plan = Bench::plan_of(&[route, consumer]);
    let jack = plan.consumer("jack").expect("jack");
    assert!(plan.routes()[0].chain.contains("recorder"));
    assert!(!plan.routes()[0].chain_for(jack).expect("a chain of jack's own").contains("recorder"));
}

#[test]
fn a_service_switches_protocols_for_routes_that_do_not_say() {
    let service = ("/apisix/services/s", json!({"id": "s", "name": "s", "enable_websocket": true}));
    let open = ("/apisix/routes/1", json!({"id": "1", "uri": "/1", "service_id": "s"}));
    let said = ("/apisix/routes/2", json!({"id": "2", "uri": "/2", "service_id": "s", "enable_websocket": false}));
    let plan = Bench::plan_of(&[service, open, said]);
    let told: Vec<_> = plan.routes().iter().map(|route| (route.enable_websocket, route.name.as_deref())).collect();
    assert_eq!(told, [(true, None), (false, None)], "a service's name is never the route's");
}

#[test]
fn a_plugin_in_two_global_rules_is_used_from_neither_unless_one_is_off() {
    let rules = |second: Value| {
        let rule = |id: &str, recorder: Value| json!({"id": id, "plugins": {"recorder": recorder}});
        [("/apisix/global_rules/1", rule("1", json!({}))), ("/apisix/global_rules/2", rule("2", second))]
    };
    assert!(!Bench::plan_of(&rules(json!({}))).global_chain().contains("recorder"));
    assert!(Bench::plan_of(&rules(off())).global_chain().contains("recorder"));
}
