//! Whole configurations.

use super::*;

fn errors(doc: Value) -> Value {
    serde_json::to_value(validate_batch(&doc, &catalog())).expect("errors are JSON")
}

#[test]
fn a_right_configuration_has_no_errors() {
    let doc = json!({
        "routes": [{"id": "r", "uri": "/a", "service_id": "elsewhere", "modifiedIndex": 3}],
        "consumers": [
            {"username": "jack", "group_id": "elsewhere"},
            {"id": "jack/credentials/c1", "plugins": {"key-auth": {"key": "k"}}}
        ],
        "plugin_metadata": [{"id": "echo", "level": 1}],
        "secrets": [{"id": "aws/1", "access_key_id": "a", "secret_access_key": "s"}],
        "plugins": [{"name": "echo"}],
        "routes_conf_version": 1_790_000_000_000_u64,
        "global_rules": {}
    });
    assert_eq!(errors(doc), json!([]));
}

#[test]
fn every_wrong_item_is_reported_with_its_place() {
    let doc = json!({"routes": [
        {"id": "r1", "uri": "/a", "plugins": {}},
        {"id": "r2", "uri": "/a"},
        {"id": "r3", "uri": "/a", "plugins": {"nothing": {}}}
    ], "upstreams": [{"nodes": {"a:0": 1}}]});
    let found = errors(doc);
    assert_eq!(found[0]["resource_id"], "r2");
    assert_eq!(found[0]["index"], 1);
    let third =
        json!({"resource_type": "routes", "resource_id": "r3", "index": 2, "error": "unknown plugin [nothing]"});
    assert_eq!(found[1], third);
    assert_eq!(found[2], json!({"resource_type": "upstreams", "index": 0, "error": "invalid port 0"}));
    assert_eq!(found.as_array().map(Vec::len), Some(3));
}

#[test]
fn duplicates_are_reported_by_their_kind() {
    let credential = json!({"id": "jack/credentials/c", "plugins": {}});
    let doc = json!({
        "services": [{"id": 1}, {"id": "1"}],
        "consumers": [{"username": "jack"}, {"username": "jack"}, credential, credential]
    });
    let texts: Vec<_> = validate_batch(&doc, &catalog()).into_iter().map(|found| found.error).collect();
    let expected = [
        "found duplicate id 1 in services",
        "found duplicate username jack in consumers",
        "found duplicate credential id jack/credentials/c in consumers",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn versions_and_shapes_are_checked() {
    let table = [
        (json!({"routes_conf_version": "1"}), "routes", "routes_conf_version must be a number, got string"),
        (json!({"plugins_conf_version": null}), "plugins", "plugins_conf_version must be a number, got userdata"),
        (json!({"routes": {"a": 1}}), "routes", "routes must be an array"),
        (
            json!({"plugins": [{}]}),
            "plugins",
            "invalid configuration: failed to validate item 1: property \"name\" is required",
        ),
    ];
    for (doc, collection, text) in table {
        assert_eq!(errors(doc), json!([{"resource_type": collection, "error": text}]));
    }
    let found = validate_batch(&json!({"secrets": [{"id": "vault"}]}), &catalog());
    assert_eq!(found[0].error, "invalid secret id: vault");
}
