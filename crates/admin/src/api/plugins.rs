//! `/plugins` and `/schema/plugins`: which plugins this build has, and the schemas of their configurations.
//! Read from the catalog alone. The Control API shows the same through [`all_plugins`].

use std::sync::Arc;

use config::catalog::{Catalog, PluginInfo, SchemaSource};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::query::Query;
use crate::reply::Reply;

/// `GET /plugins/list`: the names of enabled plugins, in the order in which they run.
pub(super) fn names(catalog: &Catalog, query: &Query) -> Result<Reply, Refusal> {
    let names: Vec<&str> = match query.get("subsystem") {
        None | Some("http") => catalog.by_priority().iter().map(|plugin| plugin.name).collect(),
        // L4 is not served, so no plugin is of this subsystem.
        Some("stream") => Vec::new(),
        Some(_) => return Err(Refusal::Argument("invalid subsystem passed")),
    };
    Ok(Reply::json(StatusCode::OK, &json!(names)))
}

/// `GET /plugins/{name}`: the schema of one plugin.
pub(super) fn one(catalog: &Catalog, name: &str, query: &Query) -> Result<Reply, Refusal> {
    let subsystem = subsystem(query)?;
    let plugin = catalog.get(name).filter(|_| subsystem == "http");
    let plugin = plugin.ok_or_else(|| not_found(subsystem))?;
    let schema = match query.get("schema_type") {
        Some("consumer") => plugin.consumer_schema.as_ref().map(SchemaSource::make),
        Some("metadata") => plugin.metadata_schema.as_ref().map(SchemaSource::make),
        _ => Some(plugin.shown_schema()),
    };
    let schema = schema.ok_or_else(|| Refusal::Invalid("not found schema".to_owned()))?;
    Ok(Reply::json(StatusCode::OK, &schema))
}

/// `GET /plugins?all=true`: everything about every plugin.
pub(super) fn all(catalog: &Catalog, query: &Query) -> Result<Reply, Refusal> {
    let subsystem = subsystem(query)?;
    if query.get("all") != Some("true") {
        return Err(not_found(subsystem));
    }
    let plugins = if subsystem == "http" { all_plugins(catalog) } else { json!({}) };
    Ok(Reply::json(StatusCode::OK, &plugins))
}

/// Enabled plugins by name; what a plugin has not is left out.
pub(crate) fn all_plugins(catalog: &Catalog) -> Value {
    let plugins = catalog.by_priority().into_iter();
    Value::Object(plugins.map(|plugin| (plugin.name.to_owned(), described(plugin))).collect())
}

fn described(plugin: &Arc<PluginInfo>) -> Value {
    let mut fields = Map::new();
    fields.insert("version".to_owned(), json!(plugin.version));
    fields.insert("priority".to_owned(), json!(plugin.priority));
    fields.insert("schema".to_owned(), plugin.shown_schema());
    let optional = [("metadata_schema", &plugin.metadata_schema), ("consumer_schema", &plugin.consumer_schema)];
    for (name, schema) in optional {
        fields.extend(schema.as_ref().map(|schema| (name.to_owned(), schema.make())));
    }
    if plugin.authenticates {
        fields.insert("type".to_owned(), json!("auth"));
    }
    Value::Object(fields)
}

fn subsystem(query: &Query) -> Result<&str, Refusal> {
    match query.get("subsystem") {
        None => Ok("http"),
        Some(known @ ("http" | "stream")) => Ok(known),
        Some(other) => Err(Refusal::Invalid(format!("unsupported subsystem: {other}"))),
    }
}

fn not_found(subsystem: &str) -> Refusal {
    Refusal::NotFound(format!("plugin not found in subsystem {subsystem}"))
}
