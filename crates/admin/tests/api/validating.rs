//! `POST /configs/validate`.

use serde_json::{Value, json};

use crate::server::{ADMIN_KEY, Admin};

async fn errors(admin: &Admin, document: &Value) -> Value {
    let answer = admin.post("/configs/validate", document).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["error_msg"], "Configuration validation failed");
    body["errors"].clone()
}

#[tokio::test]
async fn a_valid_configuration_is_an_empty_object() {
    let admin = Admin::start();
    let document = json!({
        "routes": [{ "id": "r", "uri": "/", "upstream_id": "checked-by-nobody" }],
        "consumers": [
            { "username": "jack", "plugins": { "key-auth": { "key": "k" } } },
            { "id": "jack/credentials/one", "plugins": { "key-auth": { "key": "k2" } } }
        ],
        "plugin_metadata": [{ "id": "file-logger", "log_format": {} }],
        "routes_conf_version": 1700000000000_u64
    });
    let answer = admin.post("/configs/validate", &document).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}\n"));
    assert!(admin.store.snapshot().is_empty(), "nothing is written");
}

#[tokio::test]
async fn every_wrong_item_is_reported() {
    let admin = Admin::start();
    let document = json!({
        "routes": [
            { "id": "r1", "uri": "/", "plugins": {} },
            { "id": "r1", "uri": "/", "plugins": {} },
            { "id": "r2", "uri": "/", "plugins": { "nothing": {} } }
        ],
        "consumers": [{ "username": "jack" }, { "username": "jack" }]
    });
    assert_eq!(
        errors(&admin, &document).await,
        json!([
            { "resource_type": "routes", "resource_id": "r1", "index": 1, "error": "found duplicate id r1 in routes" },
            { "resource_type": "routes", "resource_id": "r2", "index": 2, "error": "unknown plugin [nothing]" },
            { "resource_type": "consumers", "resource_id": "jack", "index": 1, "error": "found duplicate username jack in consumers" }
        ])
    );
    assert_eq!(
        errors(&admin, &json!({ "routes_conf_version": "1" })).await,
        json!([{ "resource_type": "routes", "error": "routes_conf_version must be a number, got string" }])
    );
}

#[tokio::test]
async fn yaml_is_read_if_the_content_type_says_so() {
    let admin = Admin::start();
    let send = async |content_type: &str, body: &'static str| {
        let headers = [("X-API-KEY", ADMIN_KEY), ("Content-Type", content_type)];
        admin.send("POST", "/apisix/admin/configs/validate", &headers, body).await
    };
    let good = "routes:\n  - id: r\n    uri: /a\n    plugins: {}\n";
    assert_eq!(send("application/yaml", good).await.status, 200);
    assert_eq!(send("application/yaml; charset=utf-8", good).await.status, 200);
    assert!(send("application/json", good).await.refused(400).starts_with("invalid request body: "));
    let broken = send("application/yaml", "routes: [").await.refused(400);
    assert!(broken.starts_with("invalid request body: invalid yaml request body"), "{broken}");
}

#[tokio::test]
async fn a_body_that_is_no_configuration_is_refused() {
    let admin = Admin::start();
    let empty = admin.call("POST", "/configs/validate", "").await;
    assert_eq!(empty.refused(400), "invalid request body: empty request body");
    for body in ["{", "[]", "1"] {
        let text = admin.call("POST", "/configs/validate", body).await.refused(400);
        assert!(text.starts_with("invalid request body: "), "{body}: {text}");
    }
    let without_key = admin.send("POST", "/apisix/admin/configs/validate", &[], "{}").await;
    assert_eq!(without_key.status, 401);
}
