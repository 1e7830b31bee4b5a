//! Status codes and the shapes of answers.

use config::settings::AdminApiVersion;
use serde_json::json;
use tidegate_admin::AdminSettings;

use crate::server::{Admin, settings};

fn route() -> serde_json::Value {
    json!({ "uri": "/hello", "upstream": { "nodes": { "127.0.0.1:80": 1 } } })
}

#[tokio::test]
async fn a_put_creates_then_replaces() {
    let admin = Admin::start();
    let created = admin.put("/routes/1", &route()).await;
    assert_eq!(created.status, 201);
    assert!(created.text.ends_with("}\n"));
    let body = created.json();
    assert_eq!(body["key"], "/apisix/routes/1");
    assert_eq!(body["value"]["id"], "1");
    assert_eq!(body["value"]["uri"], "/hello");
    assert_eq!(body.as_object().unwrap().len(), 2, "no indexes: {body}");
    assert!(body["value"]["create_time"].is_u64() && body["value"]["update_time"].is_u64());
    assert_eq!(admin.put("/routes/1", &route()).await.status, 200);
}

#[tokio::test]
async fn stored_values_are_what_was_sent_without_defaults() {
    let admin = Admin::start();
    let created = admin.put_ok("/routes/1", &route()).await.value();
    let mut names: Vec<_> = created.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["create_time", "id", "update_time", "upstream", "uri"]);
    assert_eq!(created["upstream"], route()["upstream"]);
}

#[tokio::test]
async fn a_get_shows_revisions_that_grow() {
    let admin = Admin::start();
    admin.put_ok("/routes/1", &route()).await;
    let first = admin.get("/routes/1").await;
    assert_eq!(first.status, 200);
    let first = first.json();
    assert_eq!(first["createdIndex"], first["modifiedIndex"]);
    admin.put_ok("/upstreams/1", &json!({ "nodes": {} })).await;
    admin.put_ok("/routes/1", &route()).await;
    let second = admin.get("/routes/1").await.json();
    assert_eq!(second["createdIndex"], first["createdIndex"]);
    assert!(second["modifiedIndex"].as_u64() > first["modifiedIndex"].as_u64());
    assert_eq!(second["value"]["create_time"], first["value"]["create_time"]);
}

#[tokio::test]
async fn a_post_gets_a_fresh_id_of_twenty_digits() {
    let admin = Admin::start();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = admin.post("/routes", &route()).await;
        assert_eq!(answer.status, 201);
        let body = answer.json();
        let id = body["value"]["id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 20);
        assert!(id.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(body["key"], format!("/apisix/routes/{id}"));
        assert_eq!(admin.get(&format!("/routes/{id}")).await.status, 200);
        seen.push(id);
    }
    assert!(seen.is_sorted() && seen[0] != seen[1] && seen[1] != seen[2]);
}

#[tokio::test]
async fn a_delete_tells_the_key_and_the_count_as_text() {
    let admin = Admin::start();
    admin.put_ok("/routes/1", &route()).await;
    let deleted = admin.delete("/routes/1").await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json(), json!({ "key": "/apisix/routes/1", "deleted": "1" }));
    assert_eq!(admin.get("/routes/1").await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let admin = Admin::start();
    for (method, path, body) in [
        ("GET", "/routes/none", ""),
        ("DELETE", "/routes/none", ""),
        ("PATCH", "/routes/none", "{}"),
        ("GET", "/consumers/jack/credentials", ""),
        ("GET", "/consumers/jack/credentials/one", ""),
        ("GET", "/secrets/vault/1", ""),
    ] {
        let answer = admin.call(method, path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.json(), json!({ "message": "Key not found" }), "{method} {path}");
    }
}

#[tokio::test]
async fn a_verb_that_a_resource_has_not_is_named() {
    let admin = Admin::start();
    for (method, path, label) in [
        ("PATCH", "/protos/1", "proto"),
        ("POST", "/consumers", "consumer"),
        ("PATCH", "/consumers/jack", "consumer"),
        ("POST", "/consumers/jack/credentials", "credential"),
        ("PATCH", "/consumers/jack/credentials/1", "credential"),
        ("POST", "/consumer_groups", "consumer group"),
        ("POST", "/plugin_configs", "plugin config"),
        ("POST", "/global_rules", "global rule"),
        ("POST", "/plugin_metadata/file-logger", "plugin_metadata"),
        ("PATCH", "/plugin_metadata/file-logger", "plugin_metadata"),
        ("POST", "/secrets/vault", "secret"),
    ] {
        let text = admin.call(method, path, "{}").await.refused(405);
        assert_eq!(text, format!("not supported `{method}` method for {label}"), "{path}");
    }
}

#[tokio::test]
async fn a_path_may_be_encoded_and_end_with_a_slash() {
    let admin = Admin::start();
    admin.put_ok("/routes/a.b-c_d/", &route()).await;
    assert_eq!(admin.get("/%72outes/a%2Eb-c_d").await.json()["key"], "/apisix/routes/a.b-c_d");
}

#[tokio::test]
async fn an_item_with_a_ttl_says_so_to_the_store_only() {
    let admin = Admin::start();
    let answer = admin.put_ok("/routes/1?ttl=60", &route()).await;
    assert_eq!(answer.json().as_object().unwrap().len(), 2);
    assert!(admin.store.snapshot().get("/apisix/routes/1").unwrap().expires_at.is_some());
    admin.put_ok("/routes/1", &route()).await;
    assert!(admin.store.snapshot().get("/apisix/routes/1").unwrap().expires_at.is_none());
}

#[tokio::test]
async fn the_old_envelope_is_there_for_those_who_ask() {
    let admin = Admin::start_with(AdminSettings { api_version: AdminApiVersion::V2, ..settings() });
    let created = admin.put("/routes/1", &route()).await;
    assert_eq!((created.status.as_u16(), created.header("x-api-version")), (201, Some("v2")));
    let body = created.json();
    assert_eq!((&body["action"], &body["node"]["key"]), (&json!("create"), &json!("/apisix/routes/1")));
    assert_eq!(admin.put("/routes/1", &route()).await.json()["action"], "set");
    assert_eq!(admin.patch("/routes/1", &json!({ "name": "x" })).await.json()["action"], "compareAndSwap");
    let one = admin.get("/routes/1").await.json();
    assert_eq!((&one["action"], &one["node"]["value"]["name"]), (&json!("get"), &json!("x")));
    let list = admin.get("/routes?name=nothing").await.json();
    assert_eq!((&list["count"], &list["node"]["dir"]), (&json!(1), &json!(true)), "not filtered");
    assert_eq!(list["node"]["nodes"][0], one["node"]);
    let deleted = admin.delete("/routes/1").await.json();
    assert_eq!((&deleted["action"], &deleted["deleted"]), (&json!("delete"), &json!("1")));
}
