//! Four plugins that stand for all: one that finds consumers, one with a secret field, one with metadata, and
//! one that refers to upstreams.

use std::sync::Arc;

use config::catalog::{Catalog, PluginInfo, Side};
use serde_json::{Value, json};

pub fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::new([key_auth(), limit_count(), file_logger(), traffic_split()], &["serverless-pre-function"]))
}

fn plugin(name: &'static str, priority: i32, schema: Value) -> PluginInfo {
    PluginInfo {
        name,
        priority,
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

fn key_auth() -> PluginInfo {
    let consumer = json!({
        "type": "object", "properties": { "key": { "type": "string", "minLength": 1 } }, "required": ["key"]
    });
    PluginInfo {
        authenticates: true,
        consumer_schema: Some(consumer.into()),
        encrypt_fields: &["key"],
        unique_field: Some("key"),
        ..plugin(
            "key-auth",
            2500,
            json!({
                "type": "object", "properties": { "header": { "type": "string", "default": "apikey" } }
            }),
        )
    }
}

fn limit_count() -> PluginInfo {
    let schema = json!({
        "type": "object",
        "properties": {
            "count": { "type": "integer", "exclusiveMinimum": 0 },
            "time_window": { "type": "integer", "exclusiveMinimum": 0 },
            "key": { "type": "string", "default": "remote_addr" },
            "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 503 },
            "rejected_msg": { "type": "string", "minLength": 1 },
            "redis_password": { "type": "string" }
        },
        "required": ["count", "time_window"]
    });
    let check = |conf: &Value, side: Side| match (side, conf["key"].as_str()) {
        (Side::Route, Some("nonsense")) => Err("key is nonsense".to_owned()),
        _ => Ok(()),
    };
    PluginInfo { encrypt_fields: &["redis_password"], check, ..plugin("limit-count", 1002, schema) }
}

fn file_logger() -> PluginInfo {
    let metadata = json!({ "type": "object", "properties": { "log_format": { "type": "object" } } });
    let schema = json!({ "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"] });
    PluginInfo { metadata_schema: Some(metadata.into()), ..plugin("file-logger", 399, schema) }
}

fn traffic_split() -> PluginInfo {
    plugin("traffic-split", 966, json!({ "type": "object", "properties": { "rules": { "type": "array" } } }))
}
