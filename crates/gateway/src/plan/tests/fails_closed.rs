//! What cannot be used never serves as if it were not there.

use http::StatusCode;
use serde_json::{Value, json};

use super::fixture::{Bench, compilations};

fn route(plugins: Value) -> (&'static str, Value) {
    ("/apisix/routes/1", json!({"id": "1", "uri": "/*", "plugins": plugins}))
}

#[test]
fn a_route_with_an_unusable_plugin_answers_503() {
    for plugins in [
        json!({"picky": {"mood": "bad"}}),
        json!({"picky": {"mood": "terrible"}}),
        json!({"picky": "no object"}),
        json!({"elsewhere": {}}),
        json!({"unheard-of": {}}),
    ] {
        let plan = Bench::plan_of(&[route(plugins.clone())]);
        assert_eq!(plan.routes()[0].broken, Some(StatusCode::SERVICE_UNAVAILABLE), "{plugins}");
    }
}

#[test]
fn a_route_does_without_plugins_that_are_switched_off() {
    for plugins in [
        json!({"picky": {"mood": "bad", "_meta": {"disable": true}}}),
        json!({"unheard-of": {"_meta": {"disable": true}}}),
    ] {
        let plan = Bench::plan_of(&[route(plugins.clone())]);
        assert_eq!(plan.routes()[0].broken, None, "{plugins}");
    }
}

#[test]
fn a_plugin_that_the_process_does_not_use_is_left_out() {
    let enabled = ["recorder".to_owned()];
    let plan = Bench::with_enabled(&enabled, &[route(json!({"picky": {"mood": "bad"}, "recorder": {}}))]).plan();
    assert_eq!(plan.routes()[0].broken, None);
    assert!(plan.routes()[0].chain.contains("recorder"));
    assert!(!plan.routes()[0].chain.contains("picky"));
}

#[test]
fn a_global_rule_that_never_compiled_breaks_the_plan() {
    for plugins in [json!({"picky": {"mood": "bad"}}), json!({"unheard-of": {}}), json!("no plugins")] {
        let rule = ("/apisix/global_rules/1", json!({"id": "1", "plugins": plugins.clone()}));
        let other = ("/apisix/global_rules/2", json!({"id": "2", "plugins": {"recorder": {}}}));
        let plan = Bench::plan_of(&[rule, other]);
        assert!(plan.is_broken(), "{plugins}");
        assert!(plan.global_chain().contains("recorder"), "{plugins}");
    }
}

#[test]
fn a_global_rule_that_compiled_before_stays_in_force() {
    let rule = |mood: &str| ("/apisix/global_rules/1", json!({"id": "1", "plugins": {"picky": {"mood": mood}}}));
    let mut bench = Bench::new(&[rule("good")]);
    assert!(!bench.plan().is_broken());
    bench.put(&[rule("bad")]);
    let plan = bench.plan();
    assert!(!plan.is_broken());
    assert!(plan.global_chain().contains("picky"));
}

#[test]
fn what_no_write_would_have_passed_leaves_nothing_older_in_force() {
    let mut bench = Bench::new(&[route(json!({"picky": {"mood": "good"}}))]);
    assert_eq!(bench.plan().routes()[0].broken, None);
    bench.put(&[route(json!({"picky": {"mood": "forbidden"}}))]);
    assert_eq!(bench.plan().routes()[0].broken, Some(StatusCode::SERVICE_UNAVAILABLE));
    bench.put(&[route(json!({"picky": {"mood": "good"}}))]);
    assert_eq!(bench.plan().routes()[0].broken, None);
}

#[test]
fn a_plugin_beside_a_faulty_one_keeps_what_it_was_compiled_to() {
    let rule = |mood: &str| {
        ("/apisix/global_rules/1", json!({"id": "1", "plugins": {"elsewhere": {"mood": mood}, "recorder": {}}}))
    };
    let mut bench = Bench::new(&[rule("bad")]);
    assert!(bench.plan().is_broken());
    bench.put(&[("/apisix/global_rules/1", json!({"id": "1", "plugins": {"recorder": {}}}))]);
    assert!(!bench.plan().is_broken());
    assert_eq!(compilations(), 1);
}

#[test]
fn one_bad_route_does_not_take_the_others_along() {
    let bad = ("/apisix/routes/2", json!({"id": "2", "uri": "/*", "hosts": [""]}));
    let plan = Bench::plan_of(&[bad, route(json!({}))]);
    let ids: Vec<&str> = plan.routes().iter().map(|route| &*route.id).collect();
    assert_eq!(ids, ["1"]);
}
