//! A whole configuration in one document: collections, each a list. Every item is checked by itself; references
//! between items are not followed. Called for `POST /configs/validate`.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::{Checker, id_text};
use crate::catalog::Catalog;
use crate::resource::{Kind, named_validator};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchError {
    /// The collection.
    pub resource_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Place in the collection, from 0. Absent if the collection as a whole is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    pub error: String,
}

/// Checks every item of every collection, in the order of [`Kind::ALL`]. No error: an empty list. Keys of `doc` that
/// are no collection are passed over.
pub fn validate_batch(doc: &Value, catalog: &Catalog) -> Vec<BatchError> {
    let checker = Checker::without_references(catalog);
    let mut errors = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential) {
        let collection = kind.collection();
        version(doc, collection, &mut errors);
        match doc.get(collection) {
            Some(Value::Array(items)) => self::collection(&checker, kind, items, &mut errors),
            Some(Value::Object(map)) if map.is_empty() => {}
            Some(_) => errors.push(whole(collection, format!("{collection} must be an array"))),
            None => {}
        }
    }
    plugin_list(doc, &mut errors);
    errors
}

fn plugin_list(doc: &Value, errors: &mut Vec<BatchError>) {
    version(doc, "plugins", errors);
    if let Some(list) = doc.get("plugins")
        && let Err(error) = named_validator("plugins").check(list)
    {
        errors.push(whole("plugins", format!("invalid configuration: {error}")));
    }
}

fn whole(collection: &str, error: String) -> BatchError {
    BatchError { resource_type: collection.to_owned(), resource_id: None, index: None, error }
}

fn version(doc: &Value, collection: &str, errors: &mut Vec<BatchError>) {
    let key = format!("{collection}_conf_version");
    if let Some(version) = doc.get(&key).filter(|version| !version.is_number()) {
        let got = crate::schema::lua_type(version);
        errors.push(whole(collection, format!("{key} must be a number, got {got}")));
    }
}

fn collection(checker: &Checker<'_>, kind: Kind, items: &[Value], errors: &mut Vec<BatchError>) {
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let id = item_id(kind, item);
        let error = match &id {
            Some(id) if !seen.insert(id.clone()) => Some(duplicate(kind, id)),
            _ => check(checker, kind, id.as_deref().unwrap_or_default(), item).err(),
        };
        if let Some(error) = error {
            let resource_type = kind.collection().to_owned();
            errors.push(BatchError { resource_type, resource_id: id, index: Some(index), error });
        }
    }
}

/// An item's id: its `id`, or the name of a consumer.
fn item_id(kind: Kind, item: &Value) -> Option<String> {
    let id = item.get("id").and_then(id_text);
    match kind {
        Kind::Consumer if !is_credential(item) => item.get("username").and_then(id_text).or(id),
        _ => id,
    }
}

/// Credentials stand among the consumers, with an id of the form `{username}/credentials/{id}`.
fn is_credential(item: &Value) -> bool {
    item.get("id").and_then(Value::as_str).is_some_and(|id| id.contains("/credentials/"))
}

fn duplicate(kind: Kind, id: &str) -> String {
    let what = match kind {
        Kind::Consumer if id.contains("/credentials/") => "credential id",
        Kind::Consumer => "username",
        _ => "id",
    };
    format!("found duplicate {what} {id} in {}", kind.collection())
}

fn check(checker: &Checker<'_>, kind: Kind, id: &str, item: &Value) -> Result<(), String> {
    let kind = match kind {
        Kind::Consumer if is_credential(item) => Kind::Credential,
        Kind::Secret if id.split('/').filter(|part| !part.is_empty()).count() != 2 => {
            return Err(format!("invalid secret id: {id}"));
        }
        other => other,
    };
    let mut item = item.clone();
    if let Value::Object(map) = &mut item {
        map.shift_remove("modifiedIndex");
    }
    checker.check(kind, id, &item).map_err(|rejection| rejection.message)
}
