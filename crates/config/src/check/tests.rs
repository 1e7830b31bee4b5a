//! Every rule by which a write or delete is refused, one table per kind of resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::catalog::PluginInfo;

mod batches;
mod certificates;
mod deletes;
mod groups;
mod owners;

/// Resources in memory.
#[derive(Default)]
pub(super) struct Store(BTreeMap<(Kind, String), Arc<Value>>);

impl Store {
    pub(super) fn with(mut self, kind: Kind, id: &str, value: Value) -> Self {
        self.0.insert((kind, id.to_owned()), Arc::new(value));
        self
    }
}

impl References for Store {
    fn exists(&self, kind: Kind, id: &str) -> bool {
        self.get(kind, id).is_some()
    }

    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Value>> {
        self.0.get(&(kind, id.to_owned())).cloned()
    }

    fn each(&self, kind: Kind, each: &mut dyn FnMut(&str, &Value)) {
        for ((_, id), value) in self.0.iter().filter(|((other, _), _)| *other == kind) {
            each(id, value);
        }
    }
}

fn plugin(name: &'static str, schema: Value) -> PluginInfo {
    PluginInfo {
        name,
        priority: 0,
        version: 0.1,
        authenticates: false,
        schema: schema.into(),
        consumer_schema: None,
        metadata_schema: None,
        encrypt_fields: &[],
        unique_field: None,
        group_field: None,
        shared_field: None,
        check: |_, _| Ok(()),
    }
}

/// `echo` has a schema and a check, `key-auth` a consumer side, `limit` groups; `opa` exists only in APISIX.
pub(super) fn catalog() -> Catalog {
    let text = json!({"type": "object", "properties": {"body": {"type": "string", "default": "hi"}},
        "required": [], "additionalProperties": false});
    let key = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
    let echo = PluginInfo {
        metadata_schema: Some(
            json!({"properties": {"level": {"type": "integer"}}, "additionalProperties": false}).into(),
        ),
        check: |conf, side| match (side, conf["body"].as_str()) {
            (Side::Route, Some("bad")) => Err("body must not be bad".to_owned()),
            (Side::Route, None) => Err("defaults were not filled".to_owned()),
            _ => Ok(()),
        },
        ..plugin("echo", text)
    };
    let key_auth = PluginInfo {
        authenticates: true,
        consumer_schema: Some(key.into()),
        unique_field: Some("key"),
        ..plugin("key-auth", json!({"type": "object"}))
    };
    let count = json!({"properties": {"count": {"type": "integer"}, "group": {"type": "string"},
        "key": {"type": "string", "default": "remote_addr"}, "password": {"type": "string"}}});
    let limit = PluginInfo { group_field: Some("group"), encrypt_fields: &["password"], ..plugin("limit", count) };
    let log = PluginInfo { shared_field: Some("path"), ..plugin("log", json!({"type": "object"})) };
    Catalog::new([echo, key_auth, limit, log, plugin("traffic-split", json!({}))], &["opa"])
}

pub(super) fn refusal(store: &Store, kind: Kind, id: &str, value: Value) -> String {
    let catalog = catalog();
    let outcome = Checker::new(&catalog, store).check(kind, id, &value);
    match outcome {
        Ok(()) => panic!("{kind} {value} is accepted"),
        Err(rejection) => format!("{} {}", rejection.status, rejection.message),
    }
}

pub(super) fn accepts(store: &Store, kind: Kind, id: &str, value: Value) {
    let catalog = catalog();
    let outcome = Checker::new(&catalog, store).check(kind, id, &value);
    assert_eq!(outcome, Ok(()), "{kind} {value}");
}

/// `base` with the fields of `more`.
pub(super) fn with(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

const NO_TARGET: &str = "400 invalid configuration: object matches none of the required: [\"plugins\",\"uri\"] or \
    [\"upstream\",\"uri\"] or [\"upstream_id\",\"uri\"] or [\"service_id\",\"uri\"] or [\"plugins\",\"uris\"] or \
    [\"upstream\",\"uris\"] or [\"upstream_id\",\"uris\"] or [\"service_id\",\"uris\"] or [\"script\",\"uri\"] or \
    [\"script\",\"uris\"]";

#[test]
fn routes_are_refused_in_the_words_of_apisix() {
    let base = json!({"id": "r", "uri": "/a", "plugins": {}});
    let table = [
        (json!({"host": "a", "hosts": ["a"], "uri": 1}), "400 only one of host or hosts is allowed"),
        (
            json!({"remote_addr": "::1", "remote_addrs": ["::1"]}),
            "400 only one of remote_addr or remote_addrs is allowed",
        ),
        (
            json!({"uris": ["/a"]}),
            "400 invalid configuration: allOf 1 failed: value should match only one schema, \
             but matches both schemas 1 and 2",
        ),
        (
            json!({"uri": ""}),
            "400 invalid configuration: property \"uri\" validation failed: \
             string too short, expected at least 1, got 0",
        ),
        (json!({"more": 1}), "400 invalid configuration: additional properties forbidden, found more"),
        (
            json!({"methods": ["GOT"]}),
            "400 invalid configuration: property \"methods\" validation failed: \
             failed to validate item 1: matches none of the enum values",
        ),
        (
            json!({"remote_addr": "300.0.0.1"}),
            "400 invalid configuration: property \"remote_addr\" validation \
             failed: object matches none of the required",
        ),
        (
            json!({"labels": {"a": "b c"}}),
            "400 invalid configuration: property \"labels\" validation failed: \
             failed to validate a (matching \".*\"): failed to match pattern \"^\\\\S+$\" with \"b c\"",
        ),
        (
            json!({"timeout": {"connect": 1, "send": 0, "read": 1}}),
            "400 invalid configuration: property \"timeout\" \
             validation failed: property \"send\" validation failed: expected 0 to be greater than 0",
        ),
        (json!({"script": "return {} -- lua"}), "400 invalid configuration: value wasn't supposed to match schema"),
        (
            json!({"filter_func": "function"}),
            "400 invalid configuration: property \"filter_func\" validation \
             failed: string too short, expected at least 10, got 8",
        ),
        (json!({"filter_func": "function() end"}), "400 filter_func is not supported by this version of Tidegate"),
        (json!({"script_id": 1}), "400 script_id is not supported by this version of Tidegate"),
        (json!({"upstream_id": 9}), "400 failed to fetch upstream info by upstream id [9], response code: 404"),
        (json!({"service_id": "s"}), "400 failed to fetch service info by service id [s], response code: 404"),
        (
            json!({"plugin_config_id": "p"}),
            "400 failed to fetch plugin config info by plugin config id [p], response code: 404",
        ),
        (
            json!({"vars": ["arg_a", "==", "1"]}),
            "400 failed to validate the 'vars' expression: rule should be wrapped inside brackets",
        ),
        (
            json!({"vars": [["post_arg.messages[*", "==", "1"]]}),
            "400 failed to validate the 'vars' expression: invalid JSONPath in 'post_arg.messages[*': \
             at position 10, in long-hand segment, expected closing ']'",
        ),
        (json!({"upstream": {"nodes": {"a:0": 1}}}), "400 invalid port 0"),
    ];
    for (more, text) in table {
        assert_eq!(refusal(&Store::default(), Kind::Route, "r", with(base.clone(), more)), text);
    }
    let no_path = json!({"plugins": {}});
    let none = "400 invalid configuration: allOf 1 failed: value should match only one schema, but matches none";
    assert_eq!(refusal(&Store::default(), Kind::Route, "r", no_path), none);
    assert_eq!(refusal(&Store::default(), Kind::Route, "r", json!({"uri": "/a"})), NO_TARGET);
}

#[test]
fn a_route_with_all_that_it_needs_is_accepted() {
    let store = Store::default().with(Kind::Upstream, "9", json!({})).with(Kind::Service, "s", json!({})).with(
        Kind::PluginConfig,
        "p",
        json!({}),
    );
    let route = json!({
        "id": "r", "uris": ["/a", "/b/*"], "methods": ["GET"], "hosts": ["*.a.example", "*"], "priority": 3,
        "remote_addrs": ["127.0.0.1", "10.0.0.0/8", "::1", "fe80::/32"], "vars": [["arg_a", "==", "1"]],
        "plugins": {"echo": {}}, "upstream_id": 9, "service_id": "s", "plugin_config_id": "p", "status": 0,
        "labels": {"env": "prod"}, "timeout": {"connect": 1, "send": 1, "read": 0.5}, "enable_websocket": true
    });
    accepts(&store, Kind::Route, "r", route);
}

#[test]
fn references_that_are_ids_of_either_form_are_found() {
    let store = Store::default().with(Kind::Upstream, "9", json!({}));
    accepts(&store, Kind::Route, "r", json!({"uri": "/a", "upstream_id": "9"}));
    accepts(&store, Kind::Route, "r", json!({"uri": "/a", "upstream_id": 9.0}));
    accepts(&store, Kind::Service, "s", json!({"upstream_id": 9}));
    let missing = refusal(&store, Kind::Service, "s", json!({"upstream_id": "8"}));
    assert_eq!(missing, "400 failed to fetch upstream info by upstream id [8], response code: 404");
}

#[test]
fn services_are_refused_in_the_words_of_apisix() {
    let table = [
        (
            json!({"hosts": []}),
            "400 invalid configuration: property \"hosts\" validation failed: \
             expect array to have at least 1 items",
        ),
        (json!({"uri": "/a"}), "400 invalid configuration: additional properties forbidden, found uri"),
        (json!({"script": "return {} -- lua"}), "400 script is not supported by this version of Tidegate"),
        (json!({"plugins": {"nothing": {}}}), "400 unknown plugin [nothing]"),
        (json!({"upstream": {"nodes": {}, "type": "chash"}}), "400 missing key"),
    ];
    for (service, text) in table {
        assert_eq!(refusal(&Store::default(), Kind::Service, "s", service), text);
    }
    accepts(&Store::default(), Kind::Service, "s", json!({}));
}

#[test]
fn upstreams_are_refused_in_the_words_of_apisix() {
    let store = Store::default().with(Kind::Ssl, "server", json!({"type": "server"}));
    let base = json!({"nodes": {"a": 1}});
    let table = [
        (
            json!({"service_name": "x", "discovery_type": "dns"}),
            "400 invalid configuration: value should match only \
             one schema, but matches both schemas 1 and 2",
        ),
        (json!({"nodes": {"a:70000": 1}}), "400 invalid port 70000"),
        (
            json!({"nodes": {"a": -1}}),
            "400 invalid configuration: property \"nodes\" validation failed: \
             object matches none of the required",
        ),
        (
            json!({"nodes": [{"host": "::1", "weight": 1}]}),
            "400 invalid configuration: IPv6 address must be enclosed with '[' and ']'",
        ),
        (json!({"tls": {"client_cert_id": "x"}}), "400 failed to fetch ssl info by ssl id [x], response code: 404"),
        (
            json!({"tls": {"client_cert_id": "server"}}),
            "400 failed to fetch ssl info by ssl id [server], wrong ssl type",
        ),
        (json!({"pass_host": "rewrite"}), "400 `upstream_host` can't be empty when `pass_host` is `rewrite`"),
        (
            json!({"checks": {"passive": {}}}),
            "400 invalid configuration: property \"checks\" validation failed: \
             object matches none of the required: [\"active\"] or [\"active\",\"passive\"]",
        ),
        (json!({"type": "chash", "hash_on": "header"}), "400 missing key"),
        (
            json!({"type": "chash", "key": "no such"}),
            "400 invalid configuration: failed to match pattern \
             \"^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|\
             mqtt_client_id)|arg_[0-9a-zA-z_-]+)$\" with \"no such\"",
        ),
        (
            json!({"type": "chash", "hash_on": "cookie", "key": "a b"}),
            "400 invalid configuration: failed to match \
             pattern \"^[a-zA-Z0-9-_]+$\" with \"a b\"",
        ),
        (json!({"type": "fastest"}), "400 upstream type fastest is not supported by this version of Tidegate"),
        (json!({"scheme": "grpc"}), "400 upstream scheme grpc is not supported by this version of Tidegate"),
        (
            json!({"scheme": "gopher"}),
            "400 invalid configuration: property \"scheme\" validation failed: \
             matches none of the enum values",
        ),
    ];
    for (more, text) in table {
        assert_eq!(refusal(&store, Kind::Upstream, "u", with(base.clone(), more)), text);
    }
    let discovered = json!({"service_name": "x", "discovery_type": "dns"});
    let text = "400 service_name is not supported by this version of Tidegate";
    assert_eq!(refusal(&store, Kind::Upstream, "u", discovered), text);
}

#[test]
fn upstreams_of_every_supported_shape_are_accepted() {
    let store = Store::default().with(Kind::Ssl, "c", json!({"type": "client"}));
    let table = [
        json!({"nodes": {}}),
        json!({"nodes": [{"host": "[::1]", "port": 1, "weight": 0, "priority": -1, "metadata": {}}], "type": "ewma"}),
        json!({"nodes": {"a": 1}, "type": "chash", "key": "arg_user"}),
        json!({"nodes": {"a": 1}, "type": "chash", "hash_on": "consumer"}),
        json!({"nodes": {"a": 1}, "type": "chash", "hash_on": "vars_combinations", "key": "$host$uri"}),
        json!({"nodes": {"a": 1}, "scheme": "https", "tls": {"client_cert_id": "c", "verify": true}}),
        json!({"nodes": {"a": 1}, "pass_host": "rewrite", "upstream_host": "b", "checks": {"active": {}}}),
    ];
    for upstream in table {
        accepts(&store, Kind::Upstream, "u", upstream);
    }
}

#[test]
fn plugins_are_refused_in_the_words_of_apisix() {
    let table = [
        (json!({"echo": 1}), "400 invalid plugin conf 1 for plugin [echo]"),
        (json!({"nothing": {}}), "400 unknown plugin [nothing]"),
        (json!({"opa": {}}), "400 plugin opa is not supported by this version of Tidegate"),
        (
            json!({"echo": {"body": 1}}),
            "400 failed to check the configuration of plugin echo err: property \"body\" \
             validation failed: wrong type: expected string, got number",
        ),
        (
            json!({"echo": {"body": "bad"}}),
            "400 failed to check the configuration of plugin echo err: \
             body must not be bad",
        ),
        (
            json!({"echo": {"_meta": {"x": 1}}}),
            "400 failed to check the configuration of plugin echo err: property \
             \"_meta\" validation failed: additional properties forbidden, found x",
        ),
        (
            json!({"echo": {"_meta": {"filter": [["a", "??", 1]]}}}),
            "400 failed to validate the 'vars' expression: \
             invalid operator '??'",
        ),
        (
            json!({"echo": {"_meta": {"pre_function": "return 1"}}}),
            "400 _meta.pre_function is not supported by this \
             version of Tidegate",
        ),
    ];
    for (plugins, text) in table {
        for kind in [Kind::PluginConfig, Kind::ConsumerGroup, Kind::GlobalRule] {
            let value = json!({"id": "x", "plugins": plugins});
            assert_eq!(refusal(&Store::default(), kind, "x", value), text, "{kind}");
        }
    }
}

#[test]
fn a_disabled_plugin_may_be_wrong() {
    let plugins = json!({"echo": {"body": 1, "_meta": {"disable": true}}});
    accepts(&Store::default(), Kind::PluginConfig, "x", json!({"id": "x", "plugins": plugins}));
}

#[test]
fn a_plugin_that_is_not_enabled_is_unknown() {
    let catalog = catalog();
    catalog.enable(Some(&["key-auth".to_owned()]));
    let store = Store::default();
    let value = json!({"id": "x", "plugins": {"echo": {}}});
    let outcome = Checker::new(&catalog, &store).check(Kind::PluginConfig, "x", &value);
    assert_eq!(outcome, Err(Rejection::invalid("unknown plugin [echo]")));
}

#[test]
fn the_checked_value_is_not_changed_by_checking() {
    let value = json!({"uri": "/a", "plugins": {"echo": {}}, "upstream": {"nodes": {}}});
    let before = value.to_string();
    accepts(&Store::default(), Kind::Route, "r", value.clone());
    assert_eq!(value.to_string(), before);
}

#[test]
fn a_plugin_stands_in_at_most_one_global_rule() {
    let store = Store::default().with(Kind::GlobalRule, "1", json!({"id": "1", "plugins": {"echo": {}}}));
    let value = |id: &str| json!({"id": id, "plugins": {"echo": {}}});
    let text = "400 plugin 'echo' already exists in global rule with id '1'";
    assert_eq!(refusal(&store, Kind::GlobalRule, "2", value("2")), text);
    accepts(&store, Kind::GlobalRule, "1", value("1"));
    let named = json!({"id": "2", "plugins": {}, "name": "n"});
    let text = "400 invalid configuration: additional properties forbidden, found name";
    assert_eq!(refusal(&store, Kind::GlobalRule, "2", named), text);
}

#[test]
fn plugin_metadata_is_held_against_the_plugins_schema() {
    let store = Store::default();
    let table = [
        ("nothing", json!({}), "400 invalid plugin name"),
        ("opa", json!({}), "400 plugin opa is not supported by this version of Tidegate"),
        (
            "echo",
            json!({"level": "x"}),
            "400 invalid configuration: property \"level\" validation failed: \
             wrong type: expected integer, got string",
        ),
        ("key-auth", json!(1), "400 invalid configuration: wrong type: expected object, got number"),
    ];
    for (name, value, text) in table {
        assert_eq!(refusal(&store, Kind::PluginMetadata, name, value), text);
    }
    accepts(&store, Kind::PluginMetadata, "echo", json!({"id": "echo", "level": 1}));
    accepts(&store, Kind::PluginMetadata, "key-auth", json!({"anything": 1}));
}

#[test]
fn a_field_that_metadata_may_give_stands_in_one_of_the_two() {
    let route = |log: Value| json!({"uri": "/", "plugins": {"log": log}});
    let missing = "400 failed to check the configuration of plugin log err: \
        property \"path\" is not set in either the plugin conf or the metadata";
    assert_eq!(refusal(&Store::default(), Kind::Route, "1", route(json!({}))), missing);
    accepts(&Store::default(), Kind::Route, "1", route(json!({"path": "a.log"})));
    let shared = Store::default().with(Kind::PluginMetadata, "log", json!({"path": "all.log"}));
    accepts(&shared, Kind::Route, "1", route(json!({})));
}

#[test]
fn secrets_are_held_against_their_managers_schema() {
    let store = Store::default();
    let table = [
        ("ftp/1", json!({}), "400 invalid secret manager: ftp"),
        (
            "vault/1",
            json!({"uri": "x"}),
            "400 invalid configuration: property \"uri\" validation failed: failed to \
             match pattern \"^[^\\\\/]+:\\\\/\\\\/([\\\\da-zA-Z.-]+|\\\\[[\\\\da-fA-F:]+\\\\])(:\\\\d+)?\" with \"x\"",
        ),
        ("aws/1", json!({}), "400 invalid configuration: property \"access_key_id\" is required"),
        ("gcp/1", json!({}), "400 invalid configuration: value should match only one schema, but matches none"),
    ];
    for (id, value, text) in table {
        assert_eq!(refusal(&store, Kind::Secret, id, value), text);
    }
    let vault = json!({"id": "vault/1", "uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "$env://TOKEN"});
    accepts(&store, Kind::Secret, "vault/1", vault);
}

#[test]
fn what_this_build_does_not_serve_is_refused_after_its_schema() {
    let store = Store::default();
    let table = [
        (Kind::Proto, json!({}), "400 invalid configuration: property \"content\" is required"),
        (Kind::Proto, json!({"content": "x"}), "400 proto is not supported by this version of Tidegate"),
        (
            Kind::StreamRoute,
            json!({"server_port": 0}),
            "400 invalid configuration: property \"server_port\" \
             validation failed: expected 0 to be at least 1",
        ),
        (Kind::StreamRoute, json!({}), "400 stream route is not supported by this version of Tidegate"),
    ];
    for (kind, value, text) in table {
        assert_eq!(refusal(&store, kind, "x", value), text);
    }
}

#[test]
fn references_are_refused_where_they_are_not_resolved() {
    let refused = |kind, value: Value| {
        let text = refusal(&Store::default(), kind, "x", value);
        assert!(text.contains("references to secrets are resolved in plugins, consumers"), "{text}");
    };
    for field in ["uri", "host", "remote_addr"] {
        refused(Kind::Route, json!({"uri": "/", "plugins": {}, field: "$env://BAD"}));
    }
    for field in ["uris", "hosts", "methods"] {
        let mut route = json!({"plugins": {}, field: ["$env://BAD"]});
        if field != "uris" {
            route["uri"] = json!("/");
        }
        refused(Kind::Route, route);
    }
    refused(Kind::Service, json!({"hosts": ["$env://BAD"]}));
    refused(Kind::Upstream, json!({"nodes": [{"host": "$env://IP", "port": 80, "weight": 1}]}));
    refused(Kind::Upstream, json!({"nodes": {}, "pass_host": "rewrite", "upstream_host": "$secret://file/host"}));
    let described = json!({"uri": "/", "plugins": {}, "desc": "$env://NAME", "labels": {"a": "$env://NAME"}});
    accepts(&Store::default(), Kind::Route, "x", described);
}

#[test]
fn numbers_that_the_schema_allows_and_the_data_plane_cannot_hold_are_refused() {
    let table = [
        json!({"nodes": {"a": 5_000_000_000_u64}}),
        json!({"nodes": {}, "retries": 1e12}),
        json!({"nodes": {}, "timeout": {"connect": 1e300, "send": 1, "read": 1}}),
        json!({"nodes": {}, "timeout": {"connect": 1, "send": 1, "read": 1e19}}),
        json!({"nodes": {}, "keepalive_pool": {"idle_timeout": 1e19}}),
        json!({"nodes": {}, "checks": {"active": {"timeout": -1}}}),
    ];
    for upstream in table {
        let text = refusal(&Store::default(), Kind::Upstream, "u", upstream);
        assert!(text.starts_with("400 invalid configuration: "), "{text}");
    }
}

proptest! {
    #[test]
    fn no_value_makes_the_checks_panic(fields in vec((field_name(), field_value()), 0..8)) {
        let value: Value = fields.into_iter().collect();
        let (catalog, store) = (catalog(), Store::default());
        for kind in Kind::ALL {
            let _ = Checker::new(&catalog, &store).check(kind, "vault/1", &value);
        }
        let _ = validate_batch(&value, &catalog);
    }
}

/// Names that the checks look at.
fn field_name() -> impl Strategy<Value = String> {
    select(vec![
        "id",
        "uri",
        "uris",
        "vars",
        "plugins",
        "upstream",
        "nodes",
        "type",
        "key",
        "tls",
        "checks",
        "cert",
        "username",
        "routes",
        "consumers",
        "host",
        "client",
        "scheme",
    ])
    .prop_map(str::to_owned)
}

fn field_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!({"echo": {"_meta": {"filter": [["a", "~~", "("]]}}})),
        Just(json!({"nodes": {"[::1]:0x": 1}, "type": "chash"})),
        Just(json!("-----BEGIN CERTIFICATE-----".repeat(6))),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((field_name(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}
