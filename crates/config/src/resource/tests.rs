//! What the types make of the forms in which users write resources, and that their defaults are the schema's.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn upstream(value: Value) -> Upstream {
    Upstream::from_value(&value).expect("the upstream is right")
}

#[test]
fn both_forms_of_nodes_give_the_same_list() {
    let list = upstream(json!({"nodes": [
        {"host": "a.example", "port": 8080, "weight": 2},
        {"host": "[::1]", "weight": 1}
    ]}));
    let map = upstream(json!({"nodes": {"a.example:8080": 2, "[::1]": 1.0}}));
    assert_eq!(list.nodes, map.nodes);
    assert_eq!(list.nodes[0].port, Some(8080));
    assert_eq!(map.nodes[1], Node { host: "[::1]".into(), port: None, weight: 1, priority: 0, metadata: None });
}

#[test]
fn an_empty_list_of_nodes_is_an_upstream_without_nodes() {
    assert_eq!(upstream(json!({"nodes": {}})).nodes, []);
    assert_eq!(upstream(json!({"nodes": []})).nodes, []);
}

#[test]
fn addresses_are_split_at_the_port() {
    let table = [
        ("a.example", Ok(("a.example", None))),
        ("a.example:1", Ok(("a.example", Some(1)))),
        ("[::1]:65535", Ok(("[::1]", Some(65535)))),
        ("[::1]", Ok(("[::1]", None))),
        ("a:0", Err(InvalidPort("0".into()))),
        ("a:65536", Err(InvalidPort("65536".into()))),
        ("a:x", Err(InvalidPort("x".into()))),
    ];
    for (address, expected) in table {
        assert_eq!(split_host_port(address), expected, "{address}");
    }
}

#[test]
fn an_upstream_has_the_defaults_of_apisix() {
    let upstream = upstream(json!({"nodes": {"a": 1}, "keepalive_pool": {}, "tls": {}}));
    assert_eq!(upstream.kind, UpstreamType::RoundRobin);
    assert_eq!(upstream.scheme, Scheme::Http);
    assert_eq!(upstream.pass_host, PassHost::Pass);
    assert_eq!(upstream.retries, None);
    assert_eq!(upstream.keepalive_pool, Some(KeepalivePool::default()));
    assert_eq!(upstream.tls, Some(UpstreamTls::default()));
}

/// Two places know the defaults: the schemas, which APISIX's users read, and the types.
#[test]
fn the_defaults_of_the_types_are_those_of_the_schemas() {
    let written = [
        json!({"nodes": {}}),
        json!({"nodes": {}, "keepalive_pool": {}, "tls": {}, "checks": {"active": {}}}),
        json!({"nodes": {}, "checks": {
            "active": {"healthy": {}, "unhealthy": {}}, "passive": {"healthy": {}, "unhealthy": {}}
        }}),
    ];
    for value in written {
        let by_types: Upstream = serde_json::from_value(value.clone()).expect("the types read it");
        assert_eq!(upstream(value), by_types);
    }
    let route = json!({"uri": "/a", "service_id": 1});
    let by_types: Route = serde_json::from_value(route.clone()).expect("the types read it");
    assert_eq!(Route::from_value(&route).expect("the route is right"), by_types);
}

#[test]
fn nodes_are_probed_only_as_far_as_the_user_said() {
    let checks = |active: Value| {
        let value = json!({"nodes": {}, "checks": {"active": active}});
        upstream(value).checks.expect("there are checks").active
    };
    let none = checks(json!({}));
    assert_eq!((none.healthy.interval, none.unhealthy.interval), (None, None));
    let second = Some(Duration::from_secs(1));
    assert_eq!(checks(json!({"healthy": {}})).healthy.interval, second);
    assert_eq!(checks(json!({"unhealthy": {}})).unhealthy.interval, second);
}

#[test]
fn one_and_many_become_one_list() {
    let route = |value: Value| Route::from_value(&value).expect("the route is right");
    let one = route(json!({"uri": "/a", "host": "A.Example", "remote_addr": "127.0.0.1", "service_id": "s"}));
    let many = route(json!({"uris": ["/a"], "hosts": ["a.example"], "remote_addrs": ["127.0.0.1"], "service_id": "s"}));
    assert_eq!(one, many);
    assert_eq!(one.hosts, ["a.example"]);
}

#[test]
fn ids_are_text_whatever_they_were() {
    let route = Route::from_value(&json!({"id": 7, "uri": "/a", "service_id": 1.0, "upstream_id": "u"}));
    let route = route.expect("the route is right");
    assert_eq!((route.id.as_str(), route.service_id.as_deref()), ("7", Some("1")));
    assert_eq!(route.upstream_id.as_deref(), Some("u"));
}

#[test]
fn plugins_keep_the_order_in_which_they_were_written() {
    let route = Route::from_value(&json!({"uri": "/a", "plugins": {"z": {}, "a": {}, "m": {}}})).expect("it is right");
    assert_eq!(route.plugins.keys().collect::<Vec<_>>(), ["z", "a", "m"]);
    let none = Route::from_value(&json!({"uri": "/a", "plugins": []})).expect("it is right");
    assert!(none.plugins.is_empty());
}

#[test]
fn status_0_disables() {
    let route = |status: u8| Route::from_value(&json!({"uri": "/a", "plugins": {}, "status": status}));
    assert!(route(1).expect("it is right").enabled);
    assert!(!route(0).expect("it is right").enabled);
}

#[test]
fn timeouts_are_seconds_with_fractions() {
    let value = json!({"nodes": {}, "timeout": {"connect": 0.5, "send": 6, "read": 7}, "retry_timeout": 0});
    let upstream = upstream(value);
    let timeout = upstream.timeout.expect("there is a timeout");
    assert_eq!(timeout.connect, Duration::from_millis(500));
    assert_eq!(upstream.retry_timeout, None);
}

#[test]
fn what_the_schema_refuses_is_no_resource() {
    let error = Route::from_value(&json!({"uri": "/a"})).expect_err("it has no target");
    assert!(error.to_string().starts_with("invalid route: object matches none of the required: [\"plugins\",\"uri\"]"));
    let error = Upstream::from_value(&json!({"nodes": {"a:0": 1}})).expect_err("there is no port 0");
    assert_eq!(error.to_string(), "invalid upstream: invalid port 0");
    for seconds in [1e300, 1e19, 3_153_600_001.0] {
        let error = Upstream::from_value(&json!({"nodes": {}, "timeout": {"connect": seconds, "send": 1, "read": 1}}));
        assert!(matches!(error, Err(ConfigError::Value { kind: Kind::Upstream, .. })), "{seconds}");
    }
}

#[test]
fn an_ssl_has_its_pairs_and_names_in_lists() {
    let pem = "-".repeat(128);
    let ssl = Ssl::from_value(&json!({
        "snis": ["A.example.", "*.b.example"], "cert": pem, "key": pem, "certs": [pem], "keys": [pem]
    }));
    let ssl = ssl.expect("the shape is right");
    assert_eq!(ssl.snis, ["a.example", "*.b.example"]);
    assert_eq!((ssl.pairs.len(), ssl.kind, ssl.enabled), (2, SslType::Server, true));
    assert!(!format!("{ssl:?}").contains(&format!("key: \"{pem}")), "keys are not printed");
}

#[test]
fn declarative_items_may_carry_their_version() {
    let consumer = Consumer::from_value(&json!({"username": "jack", "group_id": 3, "modifiedIndex": 12}));
    assert_eq!(consumer.expect("it is right").group_id.as_deref(), Some("3"));
    let credential = Credential::from_value(&json!({"id": "jack/credentials/c1", "plugins": {}}));
    assert_eq!(credential.expect("it is right").id, "jack/credentials/c1");
}

#[test]
fn kinds_are_found_by_their_collection_and_take_their_verbs() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential) {
        assert_eq!(Kind::from_collection(kind.collection()), Some(kind));
        assert!(kind.allows(Write::Put));
    }
    assert_eq!(Kind::from_collection("route"), None);
    let refused = |verb| Kind::ALL.into_iter().filter(move |kind| !kind.allows(verb)).map(Kind::label);
    assert_eq!(
        refused(Write::Patch).collect::<Vec<_>>(),
        ["consumer", "credential", "plugin_metadata", "proto", "stream route"]
    );
    assert_eq!(
        refused(Write::Post).collect::<Vec<_>>(),
        ["consumer", "credential", "consumer group", "plugin config", "global rule", "plugin_metadata", "secret"]
    );
}

#[test]
fn every_schema_is_served_whole() {
    for kind in Kind::ALL {
        assert!(!schema(kind).to_string().contains("$def"), "{kind}");
    }
    assert!(named_schema("consumer_group").is_some());
    assert!(named_schema("nothing").is_none());
    assert_eq!(secret_schema(SecretManager::Aws)["properties"]["region"]["default"], "us-east-1");
}
