//! PATCH: merge patches and values at sub-paths.

use serde_json::{Value, json};

use crate::server::Admin;

async fn with_route() -> Admin {
    let admin = Admin::start();
    let route = json!({
        "uri": "/a", "name": "one", "labels": { "a": "1", "b": "2" }, "hosts": ["a.com", "b.com"],
        "upstream": { "nodes": { "127.0.0.1:80": 1 }, "timeout": { "connect": 1, "send": 2, "read": 3 } }
    });
    admin.put_ok("/routes/1", &route).await;
    admin
}

#[tokio::test]
async fn a_merge_patch_follows_the_table() {
    for (patch, pointer, expected) in [
        (json!({ "name": "two" }), "/name", json!("two")),
        (json!({ "name": null }), "/name", Value::Null),
        (json!({ "labels": { "a": null, "c": "3" } }), "/labels", json!({ "b": "2", "c": "3" })),
        (json!({ "hosts": ["c.com"] }), "/hosts", json!(["c.com"])),
        (
            json!({ "upstream": { "timeout": { "read": 9 } } }),
            "/upstream/timeout",
            json!({ "connect": 1, "send": 2, "read": 9 }),
        ),
        (
            json!({ "upstream": { "nodes": { "127.0.0.1:80": null, "127.0.0.1:81": 2 } } }),
            "/upstream/nodes",
            json!({ "127.0.0.1:81": 2 }),
        ),
        (
            json!({ "upstream": { "nodes": [{ "host": "a", "port": 1, "weight": 1 }] } }),
            "/upstream/nodes",
            json!([{ "host": "a", "port": 1, "weight": 1 }]),
        ),
        (json!({ "desc": "new" }), "/desc", json!("new")),
    ] {
        let admin = with_route().await;
        let answer = admin.patch("/routes/1", &patch).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.value().pointer(pointer).cloned().unwrap_or_default(), expected, "{patch}");
        let stored = admin.get("/routes/1").await.value();
        assert_eq!(stored, answer.value(), "the whole new value is shown");
    }
}

#[tokio::test]
async fn a_sub_path_replaces_one_value() {
    for (path, body, pointer, expected) in [
        ("/name", json!("two"), "/name", json!("two")),
        ("/labels/c", json!("3"), "/labels", json!({ "a": "1", "b": "2", "c": "3" })),
        ("/upstream/nodes", json!({ "127.0.0.1:9": 1 }), "/upstream/nodes", json!({ "127.0.0.1:9": 1 })),
        ("/upstream/timeout/read", json!(7), "/upstream/timeout/read", json!(7)),
        ("/plugins/limit-count", json!({ "count": 1, "time_window": 1 }), "/plugins/limit-count/count", json!(1)),
    ] {
        let admin = with_route().await;
        let answer = admin.patch(&format!("/routes/1{path}"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.value().pointer(pointer), Some(&expected), "{path}");
    }
}

#[tokio::test]
async fn bad_patches_leave_everything_as_it_was() {
    let admin = with_route().await;
    let before = admin.get("/routes/1").await.json();
    for (path, body, text) in [
        ("", json!("text"), "invalid configuration"),
        ("", json!([1]), "invalid configuration"),
        ("", json!(null), "invalid configuration"),
        ("/name/first", json!("x"), "invalid sub-path: /name"),
        ("", json!({ "id": "2" }), "wrong route id"),
        ("", json!({ "upstream": null }), "invalid configuration: object matches none"),
        ("/uri", json!(1), "invalid configuration: property \"uri\" validation failed"),
    ] {
        let got = admin.patch(&format!("/routes/1{path}"), &body).await.refused(400);
        assert!(got.starts_with(text), "{path} {body}: {got}");
    }
    assert_eq!(admin.get("/routes/1").await.json(), before);
}

#[tokio::test]
async fn a_patch_may_carry_timestamps() {
    let admin = with_route().await;
    let patched = admin.patch("/routes/1", &json!({ "create_time": 1, "update_time": 2 })).await.value();
    assert_eq!((&patched["create_time"], &patched["update_time"]), (&json!(1), &json!(2)));
    let again = admin.patch("/routes/1/name", &json!("x")).await.value();
    assert_eq!(again["create_time"], 1);
    assert!(again["update_time"].as_u64() > Some(2), "a sub-path resets it");
}

#[tokio::test]
async fn a_patch_keeps_the_fields_that_are_encrypted() {
    let admin = Admin::start();
    let limit = json!({ "plugins": { "limit-count": { "count": 1, "time_window": 1, "redis_password": "hush" } } });
    admin.put_ok("/plugin_configs/1", &limit).await;
    let stored = || {
        let snapshot = admin.store.snapshot();
        snapshot.get("/apisix/plugin_configs/1").unwrap().value["plugins"]["limit-count"]["redis_password"].clone()
    };
    let sealed = stored();
    assert_ne!(sealed, "hush");
    let patched = admin.patch("/plugin_configs/1", &json!({ "plugins": { "limit-count": { "count": 2 } } })).await;
    assert_eq!(patched.value()["plugins"]["limit-count"]["count"], 2);
    assert_eq!(stored(), sealed, "not encrypted twice");
    let read = admin.get("/plugin_configs/1").await.value();
    assert_eq!(read["plugins"]["limit-count"]["redis_password"], "hush");
}
