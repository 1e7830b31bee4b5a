//! Fields whose texts are meant as they stand: references to secrets are resolved in plugins, consumers and
//! certificates alone. One anywhere else is refused, where the schema has let it pass: a route that waits for the host
//! `$env://HOST` would leave its requests to a less strict one.

use serde_json::Value;

use super::{Outcome, Rejection};
use crate::schema::is_secret_reference;

const OF_ROUTES: [&str; 7] = ["uri", "uris", "host", "hosts", "methods", "remote_addr", "remote_addrs"];
const OF_UPSTREAMS: [&str; 8] = ["nodes", "upstream_host", "pass_host", "scheme", "type", "hash_on", "key", "checks"];

/// Of a route or a service.
pub(super) fn route(conf: &Value) -> Outcome {
    without_references(conf, &OF_ROUTES)
}

pub(super) fn upstream(conf: &Value) -> Outcome {
    without_references(conf, &OF_UPSTREAMS)
}

fn without_references(conf: &Value, fields: &[&str]) -> Outcome {
    let field = fields.iter().find(|field| conf.get(field).is_some_and(refers));
    field.map_or(Ok(()), |field| {
        let why = "references to secrets are resolved in plugins, consumers and certificates only";
        Err(Rejection::invalid(format!("invalid configuration: property \"{field}\" validation failed: {why}")))
    })
}

/// `true` if a text in `value` is a reference.
fn refers(value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret_reference(text),
        Value::Array(items) => items.iter().any(refers),
        Value::Object(fields) => fields.values().any(refers),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
