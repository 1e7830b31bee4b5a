//! The schemas of the resources. They are hand-written JSON, in `schemas/`, since they are an interface of APISIX's
//! which must not change when our types do; `{"$def": NAME}` in them stands for a definition of `shared.json`.
//! Served by the Admin API under `/schema/{name}`, checked by [`crate::check`], and filled in by `from_value`.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::{Map, Value};

use super::{Kind, SecretManager};
use crate::schema::Validator;

/// One schema, read when it is first asked for: a gateway knows few kinds of resources, and few ask for the JSON.
#[derive(Default)]
struct Schema {
    json: OnceLock<Value>,
    validator: OnceLock<Validator>,
}

/// By the name under which the Admin API serves them.
static SCHEMAS: LazyLock<BTreeMap<String, Schema>> =
    LazyLock::new(|| sources().schemas.into_iter().map(|(name, _)| (name, Schema::default())).collect());

/// What stands in the files.
struct Sources {
    schemas: Map<String, Value>,
    definitions: Map<String, Value>,
}

fn sources() -> Sources {
    let mut shared = object(include_str!("schemas/shared.json"));
    shared.insert("checks".to_owned(), object(include_str!("schemas/checks.json")).into());
    shared.insert("upstream".to_owned(), object(include_str!("schemas/upstream.json")).into());

    let mut all = Map::new();
    all.insert("route".to_owned(), object(include_str!("schemas/route.json")).into());
    all.insert("service".to_owned(), object(include_str!("schemas/service.json")).into());
    all.insert("ssl".to_owned(), object(include_str!("schemas/ssl.json")).into());
    all.extend(object(include_str!("schemas/consumers.json")));
    all.extend(object(include_str!("schemas/plugins.json")));
    all.extend(object(include_str!("schemas/secrets.json")));
    all.extend(object(include_str!("schemas/stream.json")));
    all.insert("upstream".to_owned(), shared["upstream"].clone());
    all.insert("plugins".to_owned(), shared["plugin_list"].clone());
    all.insert("upstream_hash_vars_schema".to_owned(), shared["hash_vars"].clone());
    all.insert("upstream_hash_header_schema".to_owned(), shared["hash_header"].clone());
    Sources { schemas: all, definitions: shared }
}

impl Schema {
    fn json(&self, name: &str) -> &Value {
        self.json.get_or_init(|| read(name))
    }

    fn validator(&self, name: &str) -> &Validator {
        self.validator.get_or_init(|| Validator::compile(&read(name)).expect("a resource schema compiles"))
    }
}

fn read(name: &str) -> Value {
    let Sources { mut schemas, definitions } = sources();
    expanded(schemas[name].take(), &definitions)
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("a resource schema is a JSON object")
}

/// `schema` with the definitions in place of their names.
fn expanded(schema: Value, shared: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(map) => match map.get("$def").and_then(Value::as_str) {
            Some(name) => expanded(shared[name].clone(), shared),
            None => map.into_iter().map(|(key, value)| (key, expanded(value, shared))).collect(),
        },
        Value::Array(list) => list.into_iter().map(|value| expanded(value, shared)).collect(),
        scalar => scalar,
    }
}

/// The kind's name in `/schema/{name}`.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Route => "route",
        Kind::Service => "service",
        Kind::Upstream => "upstream",
        Kind::Consumer => "consumer",
        Kind::Credential => "credential",
        Kind::ConsumerGroup => "consumer_group",
        Kind::PluginConfig => "plugin_config",
        Kind::GlobalRule => "global_rule",
        Kind::PluginMetadata => "plugin_metadata",
        Kind::Ssl => "ssl",
        Kind::Secret => "secret",
        Kind::Proto => "proto",
        Kind::StreamRoute => "stream_route",
    }
}

/// The schema of a kind. Those of secrets and plugin metadata say no more than "an object"; see
/// [`secret_schema`] and [`crate::catalog::PluginInfo::metadata_schema`].
pub fn schema(kind: Kind) -> &'static Value {
    let name = name(kind);
    SCHEMAS[name].json(name)
}

/// A schema by its name in `/schema/{name}`: the kinds, `plugins`, and `upstream_hash_…_schema`.
pub fn named_schema(name: &str) -> Option<&'static Value> {
    SCHEMAS.get(name).map(|schema| schema.json(name))
}

/// The schema of a secret manager's access data.
pub fn secret_schema(manager: SecretManager) -> &'static Value {
    let name = manager.as_str();
    SCHEMAS[name].json(name)
}

/// [`schema`], compiled.
pub fn validator(kind: Kind) -> &'static Validator {
    named_validator(name(kind))
}

/// [`named_schema`], compiled. Only for names of this build.
pub(crate) fn named_validator(name: &str) -> &'static Validator {
    SCHEMAS[name].validator(name)
}

/// [`secret_schema`], compiled.
pub(crate) fn secret_validator(manager: SecretManager) -> &'static Validator {
    named_validator(manager.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles() {
        for (name, schema) in SCHEMAS.iter() {
            schema.validator(name);
            assert!(schema.json(name).is_object(), "{name}");
        }
    }
}
