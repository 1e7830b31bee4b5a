//! Both kinds of patch.

use serde_json::json;

use super::*;

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
