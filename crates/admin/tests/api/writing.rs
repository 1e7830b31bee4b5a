//! The write pipeline: ids, forbidden fields, timestamps, and the texts of each resource's checks.

use serde_json::{Value, json};
use store::{Expect, Write};

use crate::server::Admin;

fn upstream() -> Value {
    json!({ "nodes": { "127.0.0.1:80": 1 } })
}

#[tokio::test]
async fn a_write_needs_a_body() {
    let admin = Admin::start();
    admin.put_ok("/upstreams/1", &upstream()).await;
    for (method, path, text) in [
        ("PUT", "/upstreams/1", "missing configurations"),
        ("POST", "/upstreams", "missing configurations"),
        ("PATCH", "/upstreams/1", "missing new configuration"),
    ] {
        assert_eq!(admin.call(method, path, "").await.refused(400), text);
    }
}

#[tokio::test]
async fn ids_of_path_and_body_must_agree() {
    let admin = Admin::start();
    let with_id = |id: Value| json!({ "id": id, "nodes": {} });
    for (method, path, body, text) in [
        ("PUT", "/upstreams", upstream(), "missing upstream id"),
        ("PUT", "/upstreams/1", with_id(json!("2")), "wrong upstream id"),
        ("PUT", "/upstreams/1", with_id(json!(2)), "wrong upstream id"),
        ("POST", "/upstreams/1", upstream(), "wrong upstream id, do not need it"),
        ("POST", "/upstreams", with_id(json!("2")), "wrong upstream id, do not need it"),
        ("PUT", "/consumer_groups", json!({ "plugins": {} }), "missing consumer group id"),
        ("PUT", "/consumers/jack/credentials", json!({ "plugins": {} }), "missing credential id"),
        ("PUT", "/consumers/jack", json!({ "username": "jill" }), "wrong username"),
        ("PUT", "/plugin_metadata", json!({}), "missing plugin name"),
        ("PATCH", "/upstreams", json!({}), "missing upstream id"),
        ("PATCH", "/secrets/vault", json!({}), "no secret id"),
        ("PUT", "/secrets/vault", json!({}), "missing secret id"),
        ("DELETE", "/secrets/vault", json!({}), "missing secret id"),
        ("DELETE", "/upstreams", json!({}), "missing upstream id"),
        ("DELETE", "/consumers/jack/credentials", json!({}), "missing credential id"),
    ] {
        let answer = admin.call(method, path, body.to_string()).await;
        assert_eq!(answer.refused(400), text, "{method} {path} {body}");
    }
    assert_eq!(admin.put_ok("/upstreams/7", &with_id(json!(7))).await.value()["id"], "7");
    let from_body = admin.put_ok("/upstreams", &with_id(json!(8))).await.json();
    assert_eq!((&from_body["key"], &from_body["value"]["id"]), (&json!("/apisix/upstreams/8"), &json!(8)));
}

#[tokio::test]
async fn timestamps_belong_to_the_server() {
    let admin = Admin::start();
    let node = || json!({ "nodes": {} });
    for (body, place) in [
        (json!({ "create_time": 1, "nodes": {} }), "create_time"),
        (json!({ "update_time": 1, "nodes": {} }), "update_time"),
        (json!({ "uri": "/", "upstream": { "create_time": 1, "nodes": {} } }), "upstream.create_time"),
        (json!({ "uri": "/", "plugins": { "update_time": 1 }, "upstream": node() }), "plugins.update_time"),
    ] {
        for (method, path) in [("PUT", "/routes/1"), ("POST", "/routes")] {
            let text = admin.call(method, path, body.to_string()).await.refused(400);
            assert_eq!(text, format!("the property is forbidden:  {place}"));
        }
    }
}

#[tokio::test]
async fn a_replacement_keeps_the_time_of_creation() {
    let admin = Admin::start();
    let old = json!({ "id": "1", "nodes": {}, "create_time": 5, "update_time": 6 });
    let put = Write::Put { key: "/apisix/upstreams/1".to_owned(), value: old, expect: Expect::Any, ttl: None };
    admin.store.write(vec![put]).await.unwrap();
    let replaced = admin.put_ok("/upstreams/1", &upstream()).await.value();
    assert_eq!(replaced["create_time"], 5);
    assert!(replaced["update_time"].as_u64() > Some(1_700_000_000), "{replaced}");
}

#[tokio::test]
async fn what_is_no_object_is_refused_by_the_schema() {
    let admin = Admin::start();
    for body in [json!("text"), json!(1), json!([1]), json!(true), json!(null)] {
        let text = admin.put("/upstreams/1", &body).await.refused(400);
        assert!(text.starts_with("invalid configuration: "), "{body}: {text}");
    }
}

#[tokio::test]
async fn routes_are_checked() {
    let admin = Admin::start();
    let up = upstream();
    let none = "invalid configuration: object matches none of the required: [\"plugins\",\"uri\"] or \
                [\"upstream\",\"uri\"] or [\"upstream_id\",\"uri\"] or [\"service_id\",\"uri\"] or \
                [\"plugins\",\"uris\"] or [\"upstream\",\"uris\"] or [\"upstream_id\",\"uris\"] or \
                [\"service_id\",\"uris\"] or [\"script\",\"uri\"] or [\"script\",\"uris\"]";
    for (body, text) in [
        (
            json!({ "upstream": up }),
            "invalid configuration: allOf 1 failed: value should match only one schema, but matches none",
        ),
        (json!({ "uri": "/a" }), none),
        (json!({ "uri": "/a", "host": "a", "hosts": ["b"], "upstream": up }), "only one of host or hosts is allowed"),
        (
            json!({ "uri": "/a", "remote_addr": "10.0.0.1", "remote_addrs": ["10.0.0.2"], "upstream": up }),
            "only one of remote_addr or remote_addrs is allowed",
        ),
        (
            json!({ "uri": "/a", "upstream": up, "x": 1 }),
            "invalid configuration: additional properties forbidden, found x",
        ),
        (
            json!({ "uri": "/a", "plugins": { "limit-count": { "count": 0, "time_window": 1 } } }),
            "failed to check the configuration of plugin limit-count err: property \"count\" validation failed: \
             expected 0 to be greater than 0",
        ),
        (
            json!({ "uri": "/a", "plugins": { "limit-count": { "count": 1, "time_window": 1, "key": "nonsense" } } }),
            "failed to check the configuration of plugin limit-count err: key is nonsense",
        ),
        (json!({ "uri": "/a", "plugins": { "nothing": {} } }), "unknown plugin [nothing]"),
    ] {
        assert_eq!(admin.put("/routes/1", &body).await.refused(400), text, "{body}");
    }
    assert_eq!(admin.get("/routes").await.json()["total"], 0);
}

#[tokio::test]
async fn upstreams_are_checked() {
    let admin = Admin::start();
    for (body, text) in [
        (json!({ "nodes": {}, "type": "chash" }), "missing key"),
        (
            json!({ "nodes": {}, "pass_host": "rewrite" }),
            "`upstream_host` can't be empty when `pass_host` is `rewrite`",
        ),
        (json!({ "nodes": { "a:70000": 1 } }), "invalid port 70000"),
        (
            json!({ "nodes": {}, "checks": { "passive": {} } }),
            "invalid configuration: property \"checks\" validation failed: object matches none of the required: \
             [\"active\"] or [\"active\",\"passive\"]",
        ),
        (
            json!({ "nodes": {}, "tls": { "client_cert_id": "none" } }),
            "failed to fetch ssl info by ssl id [none], response code: 404",
        ),
    ] {
        assert_eq!(admin.put("/upstreams/1", &body).await.refused(400), text, "{body}");
    }
}

#[tokio::test]
async fn consumers_groups_configs_and_rules_are_checked() {
    let admin = Admin::start();
    let limit = json!({ "limit-count": { "count": 1 } });
    let required = "property \"time_window\" is required";
    let of_plugin = format!("failed to check the configuration of plugin limit-count err: {required}");
    for (path, body, text) in [
        ("/consumers", json!({}), "invalid configuration: property \"username\" is required".to_owned()),
        (
            "/consumers/jack",
            json!({ "username": "jack", "plugins": limit }),
            format!("invalid plugins configuration: {of_plugin}"),
        ),
        (
            "/consumers/jack",
            json!({ "username": "jack", "plugins": { "key-auth": {} } }),
            "invalid plugins configuration: failed to check the configuration of plugin key-auth err: property \
             \"key\" is required"
                .to_owned(),
        ),
        ("/consumer_groups/1", json!({ "plugins": limit }), of_plugin.clone()),
        ("/consumer_groups/1", json!({}), "invalid configuration: property \"plugins\" is required".to_owned()),
        ("/plugin_configs/1", json!({ "plugins": limit }), of_plugin.clone()),
        ("/global_rules/1", json!({ "plugins": limit }), of_plugin.clone()),
    ] {
        assert_eq!(admin.put(path, &body).await.refused(400), text, "{path} {body}");
    }
}

#[tokio::test]
async fn credentials_live_under_their_consumer() {
    let admin = Admin::start();
    let key = |key: &str| json!({ "plugins": { "key-auth": { "key": key } } });
    let orphan = admin.put("/consumers/jack/credentials/one", &key("k1")).await;
    assert_eq!(orphan.refused(404), "consumer not found");
    admin.put_ok("/consumers", &json!({ "username": "jack" })).await;
    let created = admin.put("/consumers/jack/credentials/one", &key("k1")).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["key"], "/apisix/consumers/jack/credentials/one");
    assert_eq!(created.value()["id"], "one");

    let limit = json!({ "plugins": { "limit-count": { "count": 1, "time_window": 1 } } });
    let text = admin.put("/consumers/jack/credentials/two", &limit).await.refused(400);
    assert_eq!(text, "only supports auth type plugins in consumer credential");
    let mut both = limit.clone();
    both["plugins"]["key-auth"] = json!({ "key": "k" });
    assert_eq!(
        admin.put("/consumers/jack/credentials/two", &both).await.refused(400),
        "invalid configuration: property \"plugins\" validation failed: expect object to have at most 1 properties"
    );

    assert_eq!(admin.get("/consumers").await.json()["total"], 1, "credentials are not consumers");
    assert_eq!(admin.get("/consumers/jack/credentials").await.json()["total"], 1);
    admin.delete("/consumers/jack").await;
    assert_eq!(admin.get("/consumers/jack/credentials/one").await.status, 404, "gone with the consumer");
    assert!(admin.store.snapshot().is_empty());
}

#[tokio::test]
async fn plugin_metadata_belongs_to_a_plugin() {
    let admin = Admin::start();
    assert_eq!(admin.put("/plugin_metadata/nothing", &json!({})).await.refused(400), "invalid plugin name");
    let wrong = admin.put("/plugin_metadata/file-logger", &json!({ "log_format": 1 })).await.refused(400);
    assert!(wrong.starts_with("invalid configuration: property \"log_format\" validation failed"), "{wrong}");
    let stored = admin.put_ok("/plugin_metadata/file-logger", &json!({ "log_format": { "a": "$host" } })).await;
    assert_eq!(stored.json()["key"], "/apisix/plugin_metadata/file-logger");
    assert_eq!(stored.value(), json!({ "log_format": { "a": "$host" }, "id": "file-logger" }));
    assert_eq!(admin.get("/plugin_metadata").await.json()["total"], 1);
}

#[tokio::test]
async fn secrets_are_filed_by_manager() {
    let admin = Admin::start();
    let vault = json!({ "uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "t" });
    assert_eq!(admin.put("/secrets/other/1", &vault).await.refused(400), "invalid secret manager: other");
    let missing = admin.put("/secrets/vault/1", &json!({ "uri": "http://a" })).await.refused(400);
    assert!(missing.starts_with("invalid configuration: property"), "{missing}");
    let stored = admin.put_ok("/secrets/vault/1", &vault).await.json();
    assert_eq!((&stored["key"], &stored["value"]["id"]), (&json!("/apisix/secrets/vault/1"), &json!("vault/1")));
    let patched = admin.patch("/secrets/vault/1", &json!({ "prefix": "other" })).await;
    assert_eq!((patched.status.as_u16(), &patched.value()["prefix"]), (200, &json!("other")));
    let nested = admin.patch("/secrets/vault/1/prefix", &json!("deep")).await;
    assert_eq!(nested.value()["prefix"], "deep");
    for path in ["/secrets", "/secrets/vault", "/secrets/aws"] {
        assert_eq!(admin.get(path).await.json()["total"], 1, "{path}");
    }
    assert_eq!(admin.delete("/secrets/vault/1").await.status, 200);
}
