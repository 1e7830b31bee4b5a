//! `_meta` is read, refused when wrong, and shown.

use serde_json::json;

use super::*;

#[test]
fn meta_is_split_from_the_plugins_own_configuration() {
    let conf = json!({"a": 1, "_meta": {"disable": true, "priority": 7.0, "filter": [["arg_a", "==", "1"]]}, "b": 2});
    let (meta, own) = split(&conf).expect("it is right");
    assert_eq!(own, json!({"a": 1, "b": 2}));
    assert_eq!(meta.priority, Some(7));
    assert!(meta.disable);
    assert_eq!(meta, PluginMeta::of(&conf));
}

#[test]
fn without_meta_everything_is_as_usual() {
    let (meta, own) = split(&json!({"a": 1})).expect("it is right");
    assert_eq!((meta, own), (PluginMeta::default(), json!({"a": 1})));
}

#[test]
fn a_wrong_meta_is_refused_in_the_words_of_the_schema() {
    let table = [
        (json!({"other": 1}), "property \"_meta\" validation failed: additional properties forbidden, found other"),
        (
            json!({"disable": 1}),
            "property \"_meta\" validation failed: property \"disable\" validation failed: \
             wrong type: expected boolean, got number",
        ),
    ];
    for (meta, text) in table {
        assert_eq!(split(&json!({"_meta": meta})).expect_err("it is wrong"), text);
    }
}

#[test]
fn plugin_schemas_are_shown_with_meta() {
    let mut schema = json!({"type": "object"});
    inject(&mut schema);
    assert_eq!(schema["properties"]["_meta"]["properties"]["disable"]["type"], "boolean");
    assert!(schema["$comment"].is_string());
}
