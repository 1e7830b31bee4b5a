//! `GET /schema/{name}`: the schemas of the resources, as clients and the Control API see them.

use config::resource::named_schema;
use http::StatusCode;
use serde_json::Value;

use super::refusal::Refusal;
use crate::reply::Reply;

/// What the Control API lists under `main`; also schemas of kinds that this build refuses.
const MAIN: [&str; 14] = [
    "route",
    "service",
    "upstream",
    "consumer",
    "consumer_group",
    "global_rule",
    "plugin_config",
    "plugins",
    "proto",
    "ssl",
    "stream_route",
    "graphql_cost_decoration",
    "upstream_hash_header_schema",
    "upstream_hash_vars_schema",
];

pub(super) fn one(name: &str) -> Result<Reply, Refusal> {
    let schema = named_schema(name).ok_or_else(|| Refusal::Invalid(format!("not found schema: {name}")))?;
    Ok(Reply::json(StatusCode::OK, schema))
}

/// Schemas of the resources by name.
pub(crate) fn main_schemas() -> Value {
    let known = MAIN.into_iter().filter_map(|name| Some((name.to_owned(), named_schema(name)?.clone())));
    Value::Object(known.collect())
}
