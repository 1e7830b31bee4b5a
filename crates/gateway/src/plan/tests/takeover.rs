//! What one plan takes over from the one before.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fixture::{Bench, compilations};

fn consumer(key: &str) -> (&'static str, Value) {
    ("/apisix/consumers/jack", json!({"username": "jack", "plugins": {"guard": {"key": key}, "recorder": {}}}))
}

#[test]
fn consumers_and_credentials_that_did_not_change_are_taken_over() {
    let mut bench = Bench::new(&[consumer("one")]);
    let credential = |plan: &crate::plan::Plan, key: &str| plan.credentials("guard").find(key).cloned();
    let first = credential(&bench.plan(), "one").expect("a credential");
    bench.put(&[("/apisix/routes/1", json!({"uri": "/", "plugins": {}}))]);
    let plan = bench.plan();
    assert!(Arc::ptr_eq(&first, &credential(&plan, "one").expect("a credential")));
    assert!(Arc::ptr_eq(&first.consumer, plan.consumer("jack").expect("jack")));
    assert_eq!(compilations(), 1);
    bench.put(&[consumer("two")]);
    let plan = bench.plan();
    assert!(credential(&plan, "one").is_none());
    assert!(credential(&plan, "two").is_some());
    assert_eq!(compilations(), 1, "the plugin beside the key is the same");
}

#[test]
fn a_consumer_follows_its_group() {
    let group = |plugins: Value| ("/apisix/consumer_groups/g", json!({"plugins": plugins}));
    let jack = ("/apisix/consumers/jack", json!({"username": "jack", "group_id": "g"}));
    let mut bench = Bench::new(&[jack]);
    let has_recorder = |plan: &crate::plan::Plan| {
        let jack = plan.consumer("jack").expect("jack");
        (jack.group_missing, jack.plugins.0.contains_key("recorder"))
    };
    assert_eq!(has_recorder(&bench.plan()), (true, false));
    bench.put(&[group(json!({}))]);
    assert_eq!(has_recorder(&bench.plan()), (false, false));
    bench.put(&[group(json!({"recorder": {}}))]);
    assert_eq!(has_recorder(&bench.plan()), (false, true));
}

#[test]
fn a_plan_that_was_given_up_half_way_leaves_the_next_one_whole() {
    let mut bench = Bench::new(&[consumer("one"), ("/apisix/routes/1", json!({"uri": "/1", "plugins": {}}))]);
    bench.plan();
    bench.put(&[("/apisix/routes/2", json!({"uri": "/2", "plugins": {"impossible": {}}}))]);
    assert!(crate::plan::caught::caught(|| bench.plan()).is_err());
    bench.put(&[("/apisix/routes/2", json!({"uri": "/2", "plugins": {}}))]);
    let plan = bench.plan();
    assert_eq!(plan.routes().len(), 2);
    assert!(plan.credentials("guard").find("one").is_some());
}

#[test]
fn a_route_that_did_not_change_is_taken_over_and_follows_what_it_names() {
    let service = |plugins: Value| ("/apisix/services/s", json!({"name": "service", "plugins": plugins}));
    let upstream =
        |port: u16| ("/apisix/upstreams/u", json!({"type": "roundrobin", "nodes": {format!("127.0.0.1:{port}"): 1}}));
    let route = ("/apisix/routes/1", json!({"uri": "/1", "service_id": "s", "upstream_id": "u"}));
    let mut bench = Bench::new(&[service(json!({})), upstream(1), route, consumer("one")]);
    let mut last = bench.plan().routes()[0].clone();
    let mut changed = |change: (&'static str, Value)| {
        bench.put(&[change]);
        let route = bench.plan().routes()[0].clone();
        !Arc::ptr_eq(&std::mem::replace(&mut last, route.clone()), &route)
    };
    assert!(!changed(("/apisix/routes/2", json!({"uri": "/2", "plugins": {}}))));
    assert!(changed(service(json!({"recorder": {}}))));
    assert!(changed(upstream(2)));
    assert!(!changed(consumer("two")));
    assert!(changed(("/apisix/routes/1", json!({"uri": "/1", "service_id": "missing"}))));
}

#[test]
fn a_route_and_a_changed_consumer_are_joined_anew() {
    let jack = |plugins: Value| ("/apisix/consumers/jack", json!({"username": "jack", "plugins": plugins}));
    let route = ("/apisix/routes/1", json!({"uri": "/1", "plugins": {"guard": {}}}));
    let mut bench = Bench::new(&[route, jack(json!({"recorder": {}}))]);
    let joined = |plan: &crate::plan::Plan, name: &str| {
        let chain = plan.routes()[0].chain_for(plan.consumer("jack").expect("jack"));
        chain.expect("a chain of jack's own").contains(name)
    };
    let first = bench.plan();
    assert!(joined(&first, "recorder"));
    bench.put(&[jack(json!({"picky": {}}))]);
    let second = bench.plan();
    assert!(Arc::ptr_eq(&first.routes()[0], &second.routes()[0]));
    assert!(joined(&second, "picky"));
    assert!(!joined(&second, "recorder"));
    assert!(joined(&first, "recorder"), "requests in flight keep the consumer they began with");
}

#[test]
fn a_plugin_that_was_taken_away_is_let_go() {
    let rule = |plugins: Value| ("/apisix/global_rules/1", json!({"plugins": plugins}));
    let mut bench = Bench::new(&[rule(json!({"recorder": {}, "picky": {}}))]);
    let entry = |plan: &crate::plan::Plan| Arc::downgrade(&plan.global_chain().entry("recorder").expect("recorder"));
    let first = entry(&bench.plan());
    bench.put(&[rule(json!({"picky": {}}))]);
    bench.plan();
    assert!(first.upgrade().is_none());
    bench.put(&[rule(json!({"recorder": {}, "picky": {}}))]);
    assert!(entry(&bench.plan()).upgrade().is_some());
    assert_eq!(compilations(), 2);
}

#[test]
fn a_plugin_that_is_taken_off_the_list_goes_from_plans_and_comes_back() {
    let mut bench = Bench::new(&[consumer("one")]);
    let catalog = bench.catalog.clone();
    let mut holds = |enabled: Option<&[String]>| {
        catalog.enable(enabled);
        let plan = bench.plan();
        let records = plan.consumer("jack").expect("jack").plugins.0.contains_key("recorder");
        (records, plan.credentials("guard").find("one").is_some())
    };
    assert_eq!(holds(None), (true, true));
    assert_eq!(holds(Some(&[])), (false, false));
    assert_eq!(holds(Some(&["guard".to_owned()])), (false, true));
    assert_eq!(holds(None), (true, true));
}
