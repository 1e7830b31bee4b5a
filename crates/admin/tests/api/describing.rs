//! What the API tells about plugins and schemas.

use serde_json::{Value, json};

use crate::server::Admin;

#[tokio::test]
async fn plugins_are_listed_in_the_order_in_which_they_run() {
    let admin = Admin::start();
    let names = admin.get("/plugins/list").await;
    assert_eq!(names.json(), json!(["key-auth", "limit-count", "traffic-split", "file-logger"]));
    assert_eq!(admin.get("/plugins/list?subsystem=http").await.json(), names.json());
    assert_eq!(admin.get("/plugins/list?subsystem=stream").await.json(), json!([]));
    let wrong = admin.get("/plugins/list?subsystem=x").await;
    assert_eq!((wrong.status.as_u16(), wrong.text.as_str()), (400, "invalid subsystem passed"));
}

#[tokio::test]
async fn a_plugins_schema_shows_meta_too() {
    let admin = Admin::start();
    for path in ["/plugins/limit-count", "/schema/plugins/limit-count", "/plugins/limit-count?subsystem=http"] {
        let schema = admin.get(path).await.json();
        assert_eq!(schema["required"], json!(["count", "time_window"]), "{path}");
        assert_eq!(schema["properties"]["_meta"]["properties"]["disable"]["type"], "boolean");
        assert!(schema["$comment"].is_string());
    }
    let consumer = admin.get("/plugins/key-auth?schema_type=consumer").await.json();
    assert_eq!(consumer["required"], json!(["key"]));
}

#[tokio::test]
async fn what_has_no_schema_says_so() {
    let admin = Admin::start();
    for (path, status, text) in [
        ("/plugins", 404, "plugin not found in subsystem http"),
        ("/plugins?type=x", 404, "plugin not found in subsystem http"),
        ("/plugins/nothing", 404, "plugin not found in subsystem http"),
        ("/plugins/key-auth?subsystem=stream", 404, "plugin not found in subsystem stream"),
        ("/plugins/key-auth?subsystem=x", 400, "unsupported subsystem: x"),
        ("/plugins/limit-count?schema_type=consumer", 400, "not found schema"),
        ("/schema/nothing", 400, "not found schema: nothing"),
        ("/schema", 400, "not found schema: nil"),
        ("/schema/plugins/nothing", 404, "plugin not found in subsystem http"),
    ] {
        assert_eq!(admin.get(path).await.refused(status), text, "{path}");
    }
}

#[tokio::test]
async fn everything_about_every_plugin_in_one_answer() {
    let admin = Admin::start();
    let all = admin.get("/plugins?all=true").await.json();
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(names, ["key-auth", "limit-count", "traffic-split", "file-logger"]);
    let key_auth = &all["key-auth"];
    assert_eq!(
        (&key_auth["type"], &key_auth["priority"], &key_auth["version"]),
        (&json!("auth"), &json!(2500), &json!(0.1))
    );
    assert!(key_auth["consumer_schema"].is_object());
    assert_eq!(all["limit-count"].get("consumer_schema"), None);
    assert_eq!(all["limit-count"].get("type"), None);
    assert!(all["file-logger"]["metadata_schema"].is_object());
    assert_eq!(admin.get("/plugins?all=true&subsystem=stream").await.json(), json!({}));
}

#[tokio::test]
async fn schemas_of_resources_are_served() {
    let admin = Admin::start();
    for name in [
        "route",
        "service",
        "upstream",
        "consumer",
        "credential",
        "consumer_group",
        "plugin_config",
        "global_rule",
        "ssl",
        "proto",
        "stream_route",
        "plugins",
    ] {
        let answer = admin.get(&format!("/schema/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.json().is_object(), "{name}");
    }
}

#[tokio::test]
async fn a_value_is_held_against_the_schema_alone() {
    let admin = Admin::start();
    let route = json!({ "uri": "/", "upstream_id": "not-there", "plugins": { "nothing": {} } });
    let valid = admin.post("/schema/validate/routes", &route).await;
    assert_eq!((valid.status.as_u16(), valid.text.as_str()), (200, ""));
    let credential = json!({ "plugins": { "key-auth": { "key": "k" } } });
    assert_eq!(admin.post("/schema/validate/credentials", &credential).await.status.as_u16(), 200);
    let cases: [(&str, Value, u16, &str); 5] = [
        ("credentials", json!({ "username": "a" }), 400, "additional properties forbidden, found username"),
        (
            "routes",
            json!({ "uri": 1 }),
            400,
            "property \"uri\" validation failed: wrong type: expected string, got number",
        ),
        ("consumers", json!({}), 400, "property \"username\" is required"),
        ("routes", json!("text"), 400, "wrong type: expected object, got string"),
        ("nothing", json!({}), 404, "Unsupported resource type: nothing"),
    ];
    for (resource, body, status, text) in cases {
        let answer = admin.post(&format!("/schema/validate/{resource}"), &body).await;
        assert_eq!(answer.refused(status), text, "{resource} {body}");
    }
    assert!(admin.call("POST", "/schema/validate/routes", "{").await.json()["req_body"].is_string());
}

#[tokio::test]
async fn reloading_plugins_wants_a_put() {
    let admin = Admin::start();
    let done = admin.call("PUT", "/plugins/reload", "").await;
    assert_eq!((done.status.as_u16(), done.text.as_str()), (200, "done"));
    assert_eq!(done.header("content-type"), Some("application/json"));
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        let text = admin.call(method, "/plugins/reload", "").await.refused(405);
        assert_eq!(text, format!("please use PUT method to reload the plugins, {method} method is not allowed."));
    }
}

#[tokio::test]
async fn plugins_are_not_reloaded_from_a_file_that_is_wrong() {
    let admin = Admin::start_unreloadable("config.yaml: plugins must be a list, got 1");
    let text = admin.call("PUT", "/plugins/reload", "").await.refused(503);
    assert_eq!(text, "config.yaml: plugins must be a list, got 1");
}
