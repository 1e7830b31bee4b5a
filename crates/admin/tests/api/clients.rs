//! The calls of clients in the wild, replayed: ADC with its `apisix` backend, and apisix-mcp.

use serde_json::{Value, json};

use crate::server::{ADMIN_KEY, Admin};

const SERVICE: &str = "1ca3b0bd3e0a2ec5f8d1bb2d5ae94c41a5d9d3aa";
const ROUTE: &str = "9d2a1c0f2b8e6bfae9e1f0d7f9c2b6a0a1b2c3d4";

/// What ADC dumps before it computes a difference.
const DUMPED: [&str; 8] =
    ["services", "routes", "upstreams", "ssls", "consumers", "plugin_configs", "global_rules", "plugin_metadata"];

#[tokio::test]
async fn adc_reads_the_version_from_the_server_header() {
    let admin = Admin::start();
    let headers = [("X-API-KEY", ADMIN_KEY), ("Content-Type", "application/json")];
    let ping = admin.send("GET", "/apisix/admin/routes", &headers, "").await;
    let version = ping.header("server").unwrap().strip_prefix("APISIX/").unwrap().to_owned();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 11, 0], "credentials are a feature of 3.11 and later: {version}");
    let standalone = admin.send("HEAD", "/apisix/admin", &[], "").await;
    assert_eq!(standalone.header("server"), ping.header("server"));
}

#[tokio::test]
async fn adc_dumps_everything_unpaged() {
    let admin = Admin::start();
    admin.put_ok("/plugin_metadata/file-logger", &json!({ "log_format": {} })).await;
    for collection in DUMPED {
        let dumped = admin.get(&format!("/{collection}")).await;
        assert_eq!(dumped.status, 200);
        for item in dumped.json()["list"].as_array().unwrap() {
            assert!(item["value"].is_object() && item["key"].is_string());
        }
    }
    let metadata = admin.get("/plugin_metadata").await.json();
    let key = metadata["list"][0]["key"].as_str().unwrap();
    assert_eq!(key.rsplit('/').next(), Some("file-logger"));
    assert!(admin.get("/stream_routes").await.status.as_u16() >= 400, "which it tolerates");
    assert_eq!(admin.get("/consumers/jack/credentials").await.status, 404, "which means none");
}

#[tokio::test]
async fn adc_syncs_in_dependency_order_and_back() {
    let admin = Admin::start();
    let limit = json!({ "limit-count": { "count": 1, "time_window": 60 } });
    let creations: [(&str, Value); 7] = [
        (
            &format!("/upstreams/{SERVICE}"),
            json!({ "id": SERVICE, "name": "svc", "type": "roundrobin", "nodes": [{ "host": "127.0.0.1", "port": 80, "weight": 1 }], "labels": { "__ADC_UPSTREAM_SERVICE_ID": SERVICE } }),
        ),
        (
            &format!("/services/{SERVICE}"),
            json!({ "id": SERVICE, "name": "svc", "upstream_id": SERVICE, "labels": { "managed-by": "adc" } }),
        ),
        (
            &format!("/routes/{ROUTE}"),
            json!({ "id": ROUTE, "name": "route", "uris": ["/a"], "service_id": SERVICE, "plugins": limit }),
        ),
        ("/consumers/jack", json!({ "username": "jack", "plugins": limit })),
        (
            "/consumers/jack/credentials/c1",
            json!({ "id": "c1", "name": "c1", "plugins": { "key-auth": { "key": "k" } } }),
        ),
        ("/global_rules/traffic-split", json!({ "id": "traffic-split", "plugins": { "traffic-split": {} } })),
        ("/plugin_metadata/file-logger", json!({ "log_format": { "host": "$host" } })),
    ];
    for (path, body) in &creations {
        assert_eq!(admin.put(path, body).await.status, 201, "{path}");
        assert_eq!(admin.put(path, body).await.status, 200, "{path}, again");
    }
    let route = admin.get("/routes").await.json()["list"][0]["value"].clone();
    assert_eq!((&route["service_id"], &route["id"]), (&json!(SERVICE), &json!(ROUTE)));
    let credential = admin.get("/consumers/jack/credentials").await.json()["list"][0]["value"].clone();
    assert_eq!(credential["plugins"]["key-auth"]["key"], "k");
    for (path, _) in creations.iter().rev() {
        assert_eq!(admin.delete(path).await.status, 200, "{path}");
    }
    assert!(admin.store.snapshot().is_empty());
}

#[tokio::test]
async fn adc_shows_the_text_of_a_failed_validation() {
    let admin = Admin::start();
    let body = json!({ "routes": [{ "id": ROUTE, "uri": "/a", "plugins": { "limit-count": {} } }] });
    let answer = admin.post("/configs/validate", &body).await;
    assert_eq!(answer.status, 400);
    let error = answer.json()["errors"][0].clone();
    assert_eq!(
        (&error["resource_type"], &error["index"], &error["resource_id"]),
        (&json!("routes"), &json!(0), &json!(ROUTE))
    );
    assert!(error["error"].as_str().unwrap().contains("limit-count"));
}

#[tokio::test]
async fn apisix_mcp_lists_with_pages_and_ignores_labels() {
    let admin = Admin::start();
    admin.put_ok("/routes/1", &json!({ "uri": "/a", "plugins": {}, "name": "n" })).await;
    for query in ["?page=1&page_size=50", "?page=1&page_size=50&name=n&uri=/a", "?page=1&page_size=50&labels=x"] {
        assert_eq!(admin.get(&format!("/routes{query}")).await.json()["total"], 1, "{query}");
    }
    assert_eq!(admin.get("/routes?page=1&page_size=50&label=").await.json()["total"], 0);
    for kind in
        ["services", "upstreams", "consumers", "ssls", "consumer_groups", "plugin_configs", "global_rules", "protos"]
    {
        assert_eq!(admin.get(&format!("/{kind}?page=1&page_size=50")).await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn apisix_mcp_writes_every_kind_it_knows() {
    let admin = Admin::start();
    let limit = json!({ "limit-count": { "count": 1, "time_window": 60 } });
    let posted = admin.post("/services", &json!({ "name": "svc", "upstream": { "nodes": {} } })).await;
    let id = posted.value()["id"].as_str().unwrap().to_owned();
    for (path, body) in [
        (format!("/services/{id}"), json!({ "name": "svc2" })),
        ("/consumers".to_owned(), json!({ "username": "jack" })),
        ("/plugin_configs".to_owned(), json!({ "id": "pc", "plugins": limit })),
        ("/global_rules/gr".to_owned(), json!({ "id": "gr", "plugins": limit })),
        ("/consumer_groups/cg".to_owned(), json!({ "plugins": limit })),
    ] {
        admin.put_ok(&path, &body).await;
    }
    for path in [
        format!("/services/{id}"),
        "/consumer_groups/cg".into(),
        "/global_rules/gr".into(),
        "/plugin_configs/pc".into(),
    ] {
        let patched =
            admin.patch(&path, &json!({ "plugins": { "limit-count": { "count": 2 , "time_window": 60 } } })).await;
        assert_eq!(patched.status, 200, "{path}: {patched:?}");
        assert_eq!(patched.value()["plugins"]["limit-count"]["count"], 2);
    }
}

#[tokio::test]
async fn apisix_mcp_gets_the_refusals_that_apisix_gives() {
    let admin = Admin::start();
    admin.put_ok("/consumers", &json!({ "username": "jack" })).await;
    let odd_credential = json!({ "username": "jack", "id": "c", "credential": { "plugins": {} } });
    let nested = json!({ "plugins": { "plugins": { "key-auth": { "key": "k" } } } });
    for (method, path, body, status) in [
        ("GET", "/plugins", json!(null), 404),
        ("GET", "/plugins?type=all", json!(null), 404),
        ("POST", "/secrets/vault", json!({}), 405),
        ("POST", "/consumer_groups", json!({}), 405),
        ("PUT", "/consumers/jack/credentials/c", odd_credential, 400),
        ("PUT", "/consumers/jack/credentials/c", nested, 400),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        assert_eq!(admin.call(method, path, body).await.status, status, "{method} {path}");
    }
}
