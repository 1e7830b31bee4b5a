//! Validation without writing: `POST /schema/validate/{resource}` holds one value against one schema, and
//! `POST /configs/validate` checks a whole configuration, each resource by itself.

use config::catalog::Catalog;
use config::check::validate_batch;
use config::resource::{Kind, validator};
use http::StatusCode;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::reply::Reply;

/// Only the schema is asked; references and plugins are not. `credentials`, though they have no folder of their own,
/// count as a collection here.
pub(super) fn schema(resource: &str, body: &[u8]) -> Result<Reply, Refusal> {
    let kind = Kind::from_collection(resource)
        .or_else(|| (resource == "credentials").then_some(Kind::Credential))
        .ok_or_else(|| Refusal::NotFound(format!("Unsupported resource type: {resource}")))?;
    let value = super::parse(body)?.unwrap_or_default();
    validator(kind).check(&value).map_err(Refusal::Invalid)?;
    Ok(Reply::empty(StatusCode::OK))
}

/// The body is an object of collections, in YAML if `content_type` says so, else in JSON.
pub(super) fn configs(catalog: &Catalog, content_type: &str, body: &[u8]) -> Result<Reply, Refusal> {
    if body.is_empty() {
        return Err(Refusal::Invalid("invalid request body: empty request body".to_owned()));
    }
    let document = document(content_type, body)?;
    let errors = validate_batch(&document, catalog);
    if errors.is_empty() {
        return Ok(Reply::json(StatusCode::OK, &json!({})));
    }
    let body = json!({ "error_msg": "Configuration validation failed", "errors": errors });
    Ok(Reply::json(StatusCode::BAD_REQUEST, &body))
}

fn document(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let invalid = |text: String| Refusal::Invalid(format!("invalid request body: {text}"));
    let document: Value = if content_type.starts_with("application/yaml") {
        serde_yaml_ng::from_slice(body).map_err(|error| invalid(format!("invalid yaml request body: {error}")))?
    } else {
        serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?
    };
    match document {
        Value::Object(_) => Ok(document),
        _ => Err(invalid("expected an object of collections".to_owned())),
    }
}
