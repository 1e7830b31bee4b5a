//! A patch over a resource: a merge patch, or a value for one place in it, as the Admin API's `PATCH` takes them.

use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Why a patch cannot be applied; the texts are the Admin API's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// A merge patch that is not an object.
    #[error("invalid configuration")]
    NotAnObject,
    /// A step of the path, given up to and with it, is there and is not an object.
    #[error("invalid sub-path: {0}")]
    Path(String),
}

/// Merges `patch` into `target`: `null` deletes, objects merge key by key, all else replaces. An empty object replaces
/// too, on either side, since APISIX cannot tell it from an empty array.
///
/// # Errors
/// [`PatchError::NotAnObject`].
pub fn merge_patch(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else {
        return Err(PatchError::NotAnObject);
    };
    merge_objects(target, patch);
    Ok(())
}

fn merge_objects(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, new) in patch {
        match (target.get_mut(key), new) {
            (_, Value::Null) => {
                target.shift_remove(key);
            }
            (Some(Value::Object(old)), Value::Object(new)) if !old.is_empty() && !new.is_empty() => {
                merge_objects(old, new);
            }
            _ => {
                target.insert(key.clone(), without_nulls(new));
            }
        }
    }
}

/// A `null` that has nothing to delete deletes itself.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, inner)| !inner.is_null())
            .map(|(key, inner)| (key.clone(), without_nulls(inner)))
            .collect(),
        other => other.clone(),
    }
}

/// Replaces what stands at `path` in `target` by `value`, making the objects on the way that are missing; `null`
/// deletes. Steps are keys of objects, never places in arrays.
///
/// # Errors
/// [`PatchError::Path`], and [`PatchError::NotAnObject`] for an empty path.
pub fn patch_path(target: &mut Value, path: &[&str], value: &Value) -> Result<(), PatchError> {
    let Some((last, steps)) = path.split_last() else {
        return Err(PatchError::NotAnObject);
    };
    let mut here = target;
    for (depth, step) in steps.iter().enumerate() {
        let wrong = || PatchError::Path(format!("/{}", path[..=depth].join("/")));
        let object = here.as_object_mut().ok_or_else(wrong)?;
        here = object.entry(*step).or_insert_with(|| Value::Object(Map::new()));
        if here.as_array().is_some_and(Vec::is_empty) {
            *here = Value::Object(Map::new());
        }
        if !here.is_object() {
            return Err(wrong());
        }
    }
    let object = here.as_object_mut().ok_or(PatchError::NotAnObject)?;
    match value {
        Value::Null => object.shift_remove(*last),
        value => object.insert((*last).to_owned(), value.clone()),
    };
    Ok(())
}
