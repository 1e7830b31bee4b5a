//! References are checked when they are made, and what is referred to cannot be deleted.

use serde_json::json;

use crate::server::Admin;

#[tokio::test]
async fn a_dangling_reference_is_refused() {
    let admin = Admin::start();
    let not_there = |what: &str| format!("failed to fetch {what} info by {what} id [9], response code: 404");
    for (path, body, what) in [
        ("/routes/1", json!({ "uri": "/", "upstream_id": "9" }), "upstream"),
        ("/routes/1", json!({ "uri": "/", "service_id": 9 }), "service"),
        ("/routes/1", json!({ "uri": "/", "plugins": {}, "plugin_config_id": "9" }), "plugin config"),
        ("/services/1", json!({ "upstream_id": "9" }), "upstream"),
        ("/consumers/jack", json!({ "username": "jack", "group_id": "9" }), "consumer group"),
    ] {
        assert_eq!(admin.put(path, &body).await.refused(400), not_there(what), "{path} {body}");
    }
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let admin = Admin::start();
    let limit = json!({ "limit-count": { "count": 1, "time_window": 1 } });
    let split = json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [{ "upstream_id": "split" }] }] } });
    for (path, body) in [
        ("/upstreams/up", json!({ "nodes": {} })),
        ("/upstreams/own", json!({ "nodes": {} })),
        ("/upstreams/split", json!({ "nodes": {} })),
        ("/plugin_configs/pc", json!({ "plugins": limit })),
        ("/consumer_groups/cg", json!({ "plugins": limit })),
        ("/services/svc", json!({ "upstream_id": "own" })),
        (
            "/routes/r",
            json!({ "uri": "/", "upstream_id": "up", "service_id": "svc", "plugin_config_id": "pc", "plugins": split }),
        ),
        ("/consumers/jack", json!({ "username": "jack", "group_id": "cg" })),
    ] {
        admin.put_ok(path, &body).await;
    }
    for (path, text) in [
        ("/upstreams/up", "can not delete this upstream, route [r] is still using it now"),
        ("/upstreams/own", "can not delete this upstream, service [svc] is still using it now"),
        ("/upstreams/split", "can not delete this upstream, plugin in route [r] is still using it now"),
        ("/services/svc", "can not delete this service directly, route [r] is still using it now"),
        ("/plugin_configs/pc", "can not delete this plugin config, route [r] is still using it now"),
        ("/consumer_groups/cg", "can not delete this consumer group, consumer [jack] is still using it now"),
    ] {
        assert_eq!(admin.delete(path).await.refused(400), text);
        let unforced = admin.delete(&format!("{path}?force=1")).await;
        assert_eq!(unforced.status, 400, "only `true` forces");
        assert_eq!(admin.delete(&format!("{path}?force=true")).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_consumer_key_belongs_to_one_consumer() {
    let admin = Admin::start();
    let consumer = |name: &str, key: &str| json!({ "username": name, "plugins": { "key-auth": { "key": key } } });
    let credential = |key: &str| json!({ "plugins": { "key-auth": { "key": key } } });
    admin.put_ok("/consumers", &consumer("bob", "k1")).await;
    admin.put_ok("/consumers", &consumer("bob", "k1")).await;
    let taken = "duplicate key of plugin key-auth found with consumer: bob";
    assert_eq!(admin.put("/consumers", &consumer("eve", "k1")).await.refused(400), taken);
    admin.put_ok("/consumers", &consumer("eve", "k2")).await;
    assert_eq!(admin.put("/consumers/eve/credentials/c", &credential("k1")).await.refused(400), taken);
    admin.put_ok("/consumers/eve/credentials/c", &credential("k3")).await;
    admin.put_ok("/consumers/eve/credentials/c", &credential("k3")).await;
    assert_eq!(
        admin.put("/consumers", &consumer("bob", "k3")).await.refused(400),
        "duplicate key of plugin key-auth found with credential: c of consumer: eve"
    );
    admin.put_ok("/consumers", &consumer("eve", "k3")).await;
    admin.put_ok("/consumers", &consumer("ann", "$env://KEY")).await;
    admin.put_ok("/consumers", &consumer("amy", "$env://KEY")).await;
}

#[tokio::test]
async fn a_plugin_is_in_one_global_rule_only() {
    let admin = Admin::start();
    let rule = json!({ "plugins": { "limit-count": { "count": 1, "time_window": 1 } } });
    admin.put_ok("/global_rules/1", &rule).await;
    admin.put_ok("/global_rules/1", &rule).await;
    assert_eq!(
        admin.put("/global_rules/2", &rule).await.refused(400),
        "plugin 'limit-count' already exists in global rule with id '1'"
    );
}

#[tokio::test]
async fn writes_are_seen_by_the_next_request() {
    let admin = Admin::start();
    for round in 0..20 {
        admin.put_ok("/upstreams/u", &json!({ "nodes": {} })).await;
        admin.put_ok("/services/s", &json!({ "upstream_id": "u" })).await;
        assert_eq!(admin.delete("/services/s").await.status, 200, "round {round}");
        assert_eq!(admin.delete("/upstreams/u").await.status, 200, "round {round}");
    }
}
