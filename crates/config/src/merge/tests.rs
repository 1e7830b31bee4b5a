//! Precedence of plugins, service under route, and both kinds of patch.

use serde_json::{Value, json};

use super::*;

fn plugins(value: Value) -> Plugins {
    value.as_object().cloned().unwrap_or_default()
}

fn route(value: Value) -> Route {
    serde_json::from_value(value).expect("a route")
}

fn service(value: Value) -> Service {
    serde_json::from_value(value).expect("a service")
}

#[test]
fn the_stronger_configuration_of_a_plugin_replaces_the_weaker_whole() {
    let mut base = plugins(json!({"a": {"x": 1, "y": 1}, "b": {}}));
    overlay(&mut base, &plugins(json!({"a": {"x": 2}, "c": {}})));
    assert_eq!(Value::from(base), json!({"a": {"x": 2}, "b": {}, "c": {}}));
}

#[test]
fn consumer_beats_group_beats_route_beats_plugin_config_beats_service() {
    let from = |name: &str| json!({"from": name});
    let service = service(json!({"plugins": {
        "1": from("service"), "2": from("service"), "3": from("service"), "4": from("service"), "5": from("service")
    }}));
    let config = json!({"id": "c", "plugins": {
        "2": from("config"), "3": from("config"), "4": from("config"), "5": from("config")
    }});
    let config: PluginConfig = serde_json::from_value(config).expect("a plugin config");
    let route = route(json!({"plugins": {"3": from("route"), "4": from("route"), "5": from("route")}}));
    let group = plugins(json!({"4": from("group"), "5": from("group")}));
    let consumer = plugins(json!({"5": from("consumer")}));

    let effective = effective_route(&route, Some(&config), Some(&service));
    let merged = with_consumer(&effective.plugins, Some(&group), &consumer);
    let winners: Vec<_> = merged.iter().map(|(name, conf)| (name.as_str(), conf["from"].as_str())).collect();
    let expected = [("1", "service"), ("2", "config"), ("3", "route"), ("4", "group"), ("5", "consumer")];
    assert_eq!(winners, expected.map(|(name, from)| (name, Some(from))));
}

#[test]
fn a_route_has_one_upstream_its_own_before_its_services() {
    let inline = json!({"nodes": {"a": 1}});
    let table = [
        (json!({"upstream_id": "r", "upstream": inline}), json!({"upstream_id": "s"}), Some("r")),
        (json!({"upstream": inline}), json!({"upstream_id": "s"}), None),
        (json!({}), json!({"upstream_id": "s", "upstream": inline}), Some("s")),
        (json!({}), json!({"upstream": inline}), None),
    ];
    for (of_route, of_service, id) in table {
        let effective = effective_route(&route(of_route.clone()), None, Some(&service(of_service)));
        assert_eq!(effective.upstream_id.as_deref(), id, "{of_route}");
        assert_eq!(effective.upstream.is_some(), id.is_none(), "{of_route}");
    }
}

#[test]
fn a_service_gives_what_the_route_leaves_open_except_its_name() {
    let service = service(json!({
        "name": "s", "hosts": ["s.example"], "enable_websocket": true, "labels": {"a": "b"}
    }));
    let open = effective_route(&route(json!({})), None, Some(&service));
    assert_eq!((open.name, open.enable_websocket), (None, Some(true)));
    assert_eq!(open.hosts, ["s.example"]);
    let said = route(json!({"host": "r.example", "enable_websocket": false}));
    let said = effective_route(&said, None, Some(&service));
    assert_eq!((said.hosts, said.enable_websocket), (vec!["r.example".to_owned()], Some(false)));
}

#[test]
fn merge_patches_follow_apisix() {
    let table = [
        (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}}), json!({"a": {"c": 2}})),
        (json!({"a": {"b": 1}}), json!({"a": {"c": {"d": 2}}}), json!({"a": {"b": 1, "c": {"d": 2}}})),
        (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
        (json!({"a": [1, 2]}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
        (json!({"a": {"b": 1}}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {}})),
        (json!({"a": {}}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
        (json!({"a": 1}), json!({"a": "x", "b": null, "c": {"d": null, "e": 1}}), json!({"a": "x", "c": {"e": 1}})),
    ];
    for (mut target, patch, expected) in table {
        merge_patch(&mut target, &patch).expect("the patch is an object");
        assert_eq!(target, expected, "{patch}");
    }
    for patch in [json!(1), json!([1]), json!(null)] {
        assert_eq!(merge_patch(&mut json!({}), &patch), Err(PatchError::NotAnObject));
    }
}

#[test]
fn deleting_by_patch_keeps_the_order_of_the_rest() {
    let mut target = json!({"a": 1, "b": 2, "c": 3});
    merge_patch(&mut target, &json!({"a": null})).expect("the patch is an object");
    assert_eq!(target.to_string(), r#"{"b":2,"c":3}"#);
}

#[test]
fn a_path_patch_replaces_what_stands_there() {
    let table = [
        (json!({}), "a/b/c", json!(1), json!({"a": {"b": {"c": 1}}})),
        (json!({"a": {"b": {"x": 1}}}), "a/b", json!([2]), json!({"a": {"b": [2]}})),
        (json!({"a": {"b": 1}}), "a/b", json!(null), json!({"a": {}})),
        (json!({"a": []}), "a/b", json!(1), json!({"a": {"b": 1}})),
    ];
    for (mut target, path, value, expected) in table {
        let steps: Vec<_> = path.split('/').collect();
        patch_path(&mut target, &steps, &value).expect("the path is right");
        assert_eq!(target, expected, "{path}");
    }
}

#[test]
fn a_path_through_something_else_than_an_object_is_refused() {
    let table = [(json!({"a": 1}), "a/b", "/a"), (json!({"a": {"b": [1]}}), "a/b/0/c", "/a/b")];
    for (mut target, path, wrong) in table {
        let steps: Vec<_> = path.split('/').collect();
        let error = patch_path(&mut target, &steps, &json!(1)).expect_err("the path is wrong");
        assert_eq!(error.to_string(), format!("invalid sub-path: {wrong}"));
    }
}
