//! What must not be deleted while something needs it.

use super::*;

fn refused(store: &Store, kind: Kind, id: &str) -> String {
    check_delete(kind, id, &catalog(), store).expect_err("something needs it").message
}

#[test]
fn what_is_still_needed_is_not_deleted() {
    let table = [
        (Kind::Route, json!({"upstream_id": 1}), Kind::Upstream, "this upstream, route [x]"),
        (Kind::Service, json!({"upstream_id": "1"}), Kind::Upstream, "this upstream, service [x]"),
        (Kind::Route, json!({"service_id": "1"}), Kind::Service, "this service directly, route [x]"),
        (Kind::StreamRoute, json!({"service_id": 1}), Kind::Service, "this service directly, stream_route [x]"),
        (Kind::Consumer, json!({"group_id": "1"}), Kind::ConsumerGroup, "this consumer group, consumer [x]"),
        (Kind::Route, json!({"plugin_config_id": "1"}), Kind::PluginConfig, "this plugin config, route [x]"),
    ];
    for (user, value, needed, text) in table {
        let store = Store::default().with(user, "x", value);
        assert_eq!(refused(&store, needed, "1"), format!("can not delete {text} is still using it now"));
        assert_eq!(check_delete(needed, "2", &catalog(), &store), Ok(()));
    }
}

#[test]
fn an_upstream_that_traffic_is_split_to_is_not_deleted() {
    let plugins = json!({"traffic-split": {"rules": [{}, {"weighted_upstreams": [
        {"weight": 1}, {"upstream_id": 1, "weight": 1}
    ]}]}});
    let table = [
        (Kind::Route, "route"),
        (Kind::Service, "service"),
        (Kind::PluginConfig, "plugin_config"),
        (Kind::Consumer, "consumer"),
        (Kind::ConsumerGroup, "consumer_group"),
        (Kind::GlobalRule, "global_rules"),
    ];
    for (kind, name) in table {
        let store = Store::default().with(kind, "x", json!({"plugins": plugins}));
        let text = format!("can not delete this upstream, plugin in {name} [x] is still using it now");
        assert_eq!(refused(&store, Kind::Upstream, "1"), text);
        assert_eq!(check_delete(Kind::Upstream, "2", &catalog(), &store), Ok(()));
    }
}

#[test]
fn what_nothing_can_need_is_always_deleted() {
    let store = Store::default().with(Kind::Route, "1", json!({"upstream_id": "1"}));
    for kind in [Kind::Route, Kind::Consumer, Kind::Credential, Kind::GlobalRule, Kind::Ssl, Kind::Secret] {
        assert_eq!(check_delete(kind, "1", &catalog(), &store), Ok(()));
    }
}

#[test]
fn metadata_is_not_deleted_while_a_plugin_leaves_its_field_to_it() {
    let metadata = json!({"id": "log", "path": "/var/log/requests"});
    let with = |conf: Value| {
        let route = json!({"plugins": {"log": conf}});
        Store::default().with(Kind::PluginMetadata, "log", metadata.clone()).with(Kind::Route, "x", route)
    };
    let text = "can not delete this plugin metadata, plugin in route [x] is still using it now";
    assert_eq!(refused(&with(json!({})), Kind::PluginMetadata, "log"), text);
    for conf in [json!({"path": "/its/own"}), json!({"_meta": {"disable": true}})] {
        assert_eq!(check_delete(Kind::PluginMetadata, "log", &catalog(), &with(conf)), Ok(()));
    }
}

#[test]
fn a_certificate_that_upstreams_show_is_not_deleted() {
    let upstream = json!({"nodes": {}, "tls": {"client_cert_id": "1"}});
    for (kind, name, value) in [
        (Kind::Upstream, "upstream", upstream.clone()),
        (Kind::Route, "route", json!({"uri": "/", "upstream": upstream})),
        (Kind::Service, "service", json!({"upstream": upstream})),
    ] {
        let store = Store::default().with(kind, "x", value);
        assert_eq!(
            refused(&store, Kind::Ssl, "1"),
            format!("can not delete this ssl, {name} [x] is still using it now")
        );
        assert_eq!(check_delete(Kind::Ssl, "2", &catalog(), &store), Ok(()));
    }
}
