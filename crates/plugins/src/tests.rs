//! Rules that hold for every plugin of the table.

use std::collections::BTreeSet;

use config::catalog::Side;
use config::schema::Validator;
use serde_json::{Value, json};

use super::*;

#[test]
fn every_schema_compiles_and_accepts_what_it_defaults_to() {
    for def in definitions() {
        let info = &def.info;
        for schema in
            [Some(&info.schema), info.consumer_schema.as_ref(), info.metadata_schema.as_ref()].into_iter().flatten()
        {
            let schema = schema.make();
            if let Err(error) = Validator::compile(&schema) {
                panic!("{}: {error}\n{schema:#}", info.name);
            }
        }
    }
}

#[test]
fn names_are_unique_and_none_is_both_shipped_and_not_supported() {
    let mut seen = BTreeSet::new();
    for def in definitions() {
        assert!(seen.insert(def.info.name), "{} is registered twice", def.info.name);
    }
    for name in NOT_SUPPORTED {
        assert!(seen.insert(name), "{name} is listed twice");
    }
}

#[test]
fn the_table_is_in_order_of_priority() {
    let priorities: Vec<i32> = definitions().iter().map(|def| def.info.priority).collect();
    assert!(priorities.is_sorted_by(|earlier, later| earlier >= later), "{priorities:?}");
}

#[test]
fn only_enabled_plugins_can_be_used_and_foreign_ones_are_known_by_name() {
    let registry = registry(Some(&["cors".to_owned()]));
    assert!(registry.get("cors").is_some());
    assert!(registry.get("key-auth").is_none());
    assert!(registry.catalog().is_unsupported("openid-connect"));
    assert!(!registry.catalog().is_unsupported("opne-id"));
}

/// What a write of `config` on a route is told.
fn refusal(name: &str, config: Value) -> Option<String> {
    refusal_of(name, config, Side::Route)
}

fn refusal_of(name: &str, mut config: Value, side: Side) -> Option<String> {
    let registry = registry(None);
    let def = registry.get(name).expect("a plugin");
    let validator = registry.catalog().validator(name, side).expect("a schema").expect("a sound one");
    validator.check_and_fill(&mut config).and_then(|()| (def.info.check)(&config, side)).err()
}

#[test]
fn metadata_that_could_never_be_used_is_refused_when_it_is_written() {
    let mut deep = json!("$uri");
    (0..200).for_each(|_| deep = json!({"a": deep.take()}));
    for (name, metadata) in [
        ("http-logger", json!({"max_pending_entries": 1e308})),
        ("http-logger", json!({"log_format": {"a": deep}})),
        ("file-logger", json!({"log_format_extra": {"a": deep}})),
        ("limit-count", json!({"limit_header": "a b"})),
        ("prometheus", json!({"disabled_labels": {"http_status": ["nope"]}})),
    ] {
        assert!(refusal_of(name, metadata.clone(), Side::Metadata).is_some(), "{name} {metadata}");
    }
}

#[test]
fn what_could_never_be_compiled_is_refused_when_it_is_written() {
    let endpoint = |endpoint: &str| json!({"provider": "openai", "auth": {}, "override": {"endpoint": endpoint}});
    let no_url =
        |endpoint: &str| format!("override.endpoint must be a URL such as https://host:port/path, got {endpoint:?}");
    let mut rows = vec![
        (
            "ai-proxy",
            json!({"provider": "openai-compatible", "auth": {}}),
            "override.endpoint is required for openai-compatible provider".to_owned(),
        ),
        (
            "ai-proxy",
            json!({"provider": "azure-openai", "auth": {"header": {"api-key": "$env://KEY"}}}),
            "override.endpoint is required for azure-openai provider".to_owned(),
        ),
        (
            "ai-proxy",
            json!({"provider": "openai", "auth": {"header": {"Authorization": "Bearer key\n"}}}),
            "auth.header.authorization: the value holds characters that no header can carry".to_owned(),
        ),
        (
            "ai-proxy",
            json!({"provider": "bedrock", "auth": {"header": {"Authorization": "k"}}, "provider_conf": {"region": "us east"}}),
            r#"provider_conf makes "bedrock-runtime.us east.amazonaws.com" of bedrock's address, which is no host"#
                .to_owned(),
        ),
        (
            "ai-request-rewrite",
            json!({"prompt": "p", "provider": "openai", "auth": {}, "override": {"endpoint": "localhost:80"}}),
            no_url("localhost:80"),
        ),
        (
            "limit-count",
            json!({"count": "a", "time_window": 60}),
            r#"count must be a whole number above 0, got "a""#.to_owned(),
        ),
        (
            "limit-count",
            json!({"rules": [{"count": 1, "time_window": "1.5", "key": "$remote_addr"}]}),
            r#"time_window must be a whole number above 0, got "1.5""#.to_owned(),
        ),
        ("key-auth", json!({"header": "a b"}), r#"header "a b" is not a header name"#.to_owned()),
        ("jwt-auth", json!({"header": ""}), r#"header "" is not a header name"#.to_owned()),
        ("request-id", json!({"header_name": "X:Y"}), r#"header_name "X:Y" is not a header name"#.to_owned()),
        ("cors", json!({"expose_headers": "a\nb"}), r#""a\nb" cannot stand in a header"#.to_owned()),
        (
            "http-logger",
            json!({"uri": "http://x", "auth_header": "a\nb"}),
            "auth_header cannot be a header value".to_owned(),
        ),
    ];
    let unusable = ["localhost:80", "nourl", "http://", "ftp://x/", "http://x/a b", "http://x:70000/", "https://a_b!/"];
    rows.extend(unusable.map(|text| ("ai-proxy", endpoint(text), no_url(text))));
    for (name, config, expected) in rows {
        assert_eq!(refusal(name, config.clone()), Some(expected), "{name} {config}");
    }
    assert!(refusal("limit-count", json!({"rules": []})).is_some());
    assert!(refusal("request-id", json!({"range_id": {"length": 1025}})).is_some());
}

#[test]
fn headers_that_the_gateway_alone_sets_cannot_be_configured() {
    for name in ["Connection", "transfer-encoding", "Content-Length", "Upgrade", "Keep-Alive", "TE", "Trailer"] {
        let reason = format!("{name:?} is set by the gateway alone: it tells of a connection or of a body's length");
        assert_eq!(refusal("request-id", json!({"header_name": name})), Some(format!("header_name {reason}")));
        let provider = json!({"provider": "openai", "prompt": "p", "auth": {"header": {name: "1"}}});
        for plugin in ["ai-proxy", "ai-request-rewrite"] {
            assert_eq!(refusal(plugin, provider.clone()), Some(format!("auth.header: {reason}")), "{plugin}");
        }
        let metadata = json!({"limit_header": name});
        assert_eq!(refusal_of("limit-count", metadata, Side::Metadata), Some(reason));
    }
}

#[test]
fn what_is_known_only_later_is_taken() {
    let rows = [
        ("ai-proxy", json!({"provider": "openai-compatible", "auth": {}, "override": {"endpoint": "$env://WHERE"}})),
        (
            "ai-proxy",
            json!({"provider": "bedrock", "auth": {"header": {"Authorization": "k"}},
                   "provider_conf": {"region": "$env://REGION"}}),
        ),
        ("ai-proxy", json!({"provider": "openai", "auth": {}, "override": {"endpoint": "http://[::1]:8000"}})),
        ("limit-count", json!({"count": "$http_x_count", "time_window": "${http_x_window ?? 60}"})),
        ("limit-count", json!({"count": "$env://LIMIT", "time_window": "60"})),
        ("limit-count", json!({"count": 1, "time_window": 60, "key_type": "$env://TYPE"})),
        ("key-auth", json!({"header": "$env://HEADER"})),
        ("http-logger", json!({"uri": "$env://LOG_URL"})),
        ("proxy-rewrite", json!({"uri": "/", "method": "$env://METHOD"})),
        ("request-id", json!({"algorithm": "$env://ALGORITHM"})),
        ("consumer-restriction", json!({"type": "$env://TYPE", "whitelist": ["jack"]})),
    ];
    for (name, config) in rows {
        assert_eq!(refusal(name, config.clone()), None, "{name} {config}");
    }
}
