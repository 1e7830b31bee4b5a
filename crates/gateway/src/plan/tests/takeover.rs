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
