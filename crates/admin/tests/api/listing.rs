//! Lists, pages and filters.

use serde_json::{Value, json};

use crate::server::Admin;

fn route(fields: Value) -> Value {
    let mut route = json!({ "uri": "/default", "plugins": {} });
    route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    route
}

async fn ids(admin: &Admin, query: &str) -> Vec<String> {
    let answer = admin.get(&format!("/routes{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = answer.json()["list"].as_array().unwrap().clone();
    items.iter().map(|item| item["value"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_collection_is_an_empty_list() {
    let admin = Admin::start();
    for collection in [
        "routes",
        "services",
        "upstreams",
        "consumers",
        "ssls",
        "plugin_configs",
        "consumer_groups",
        "global_rules",
        "plugin_metadata",
        "protos",
        "secrets",
    ] {
        let answer = admin.get(&format!("/{collection}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text, "{\"list\":[],\"total\":0}\n", "{collection}");
    }
}

#[tokio::test]
async fn items_of_a_list_look_like_single_ones() {
    let admin = Admin::start();
    admin.put_ok("/routes/1", &route(json!({}))).await;
    let list = admin.get("/routes").await.json();
    assert_eq!(list["total"], 1);
    assert_eq!(list["list"][0], admin.get("/routes/1").await.json());
}

#[tokio::test]
async fn pages_are_in_order_of_creation_and_the_full_list_in_order_of_keys() {
    let admin = Admin::start();
    let names: Vec<String> = (0..25).rev().map(|number| format!("r{number:02}")).collect();
    for name in &names {
        admin.put_ok(&format!("/routes/{name}"), &route(json!({}))).await;
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(ids(&admin, "").await, sorted);
    for (query, expected) in [
        ("?page=1&page_size=10", &names[..10]),
        ("?page=2&page_size=10", &names[10..20]),
        ("?page=3&page_size=10", &names[20..]),
        ("?page=4&page_size=10", &[][..]),
        ("?page=0&page_size=10", &names[..10]),
        ("?page=-5&page_size=500", &names[..]),
        ("?page=1", &sorted[..]),
        ("?page_size=10", &sorted[..]),
        ("?page=one&page_size=10", &sorted[..]),
        ("?page=1e18&page_size=10", &[][..]),
    ] {
        assert_eq!(ids(&admin, query).await, expected, "{query}");
        assert_eq!(admin.get(&format!("/routes{query}")).await.json()["total"], 25, "{query}");
    }
}

#[tokio::test]
async fn a_page_size_out_of_range_is_a_bare_text() {
    let admin = Admin::start();
    for size in ["9", "501", "0", "-1", "9.9"] {
        let answer = admin.get(&format!("/routes?page=1&page_size={size}")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.text, "page_size must be between 10 and 500");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn filters_are_all_applied() {
    let admin = Admin::start();
    admin.put_ok("/services/1", &json!({})).await;
    admin.put_ok("/upstreams/1", &json!({ "nodes": {} })).await;
    admin
        .put_ok("/routes/a", &route(json!({ "name": "chat-one", "labels": { "team": "x" }, "service_id": "1" })))
        .await;
    admin
        .put_ok("/routes/b", &route(json!({ "name": "chat-two", "labels": { "env": "team" }, "upstream_id": "1" })))
        .await;
    admin.put_ok("/routes/c", &json!({ "uris": ["/v1/a", "/v2/b"], "plugins": {}, "service_id": 1 })).await;
    for (query, expected) in [
        ("?name=chat", vec!["a", "b"]),
        ("?name=%5Echat-o", vec!["a"]),
        ("?name=nil", vec![]),
        ("?name=(", vec![]),
        ("?label=team", vec!["a"]),
        ("?label=env", vec!["b"]),
        ("?label=", vec![]),
        ("?labels=nothing", vec!["a", "b", "c"]),
        ("?uri=%2Fv2", vec!["c"]),
        ("?uri=default%24", vec!["a", "b"]),
        ("?filter=service_id%3D1", vec!["a"]),
        ("?filter=upstream_id%3D1", vec!["b"]),
        ("?filter=service_id%3D1%26upstream_id%3D1", vec![]),
        ("?filter=service_id%3D2%26service_id%3D1", vec!["a"]),
        ("?filter=other%3D1", vec!["a", "b", "c"]),
        ("?name=chat&label=team", vec!["a"]),
    ] {
        assert_eq!(ids(&admin, query).await, expected, "{query}");
    }
    let paged = admin.get("/routes?name=chat&page=2&page_size=10").await.json();
    assert_eq!((&paged["total"], &paged["list"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn only_routes_are_filtered_by_reference() {
    let admin = Admin::start();
    admin.put_ok("/services/1", &json!({})).await;
    assert_eq!(admin.get("/services?filter=upstream_id%3D1").await.json()["total"], 1);
}
