//! Under which id a body is stored: the path's, else the body's, and what happens when they disagree.
//! Called by PUT, POST and PATCH before the resource is checked.

use config::resource::Kind;
use serde_json::Value;

use super::refusal::Refusal;
use super::target::Target;

/// Decides the id of a PUT and writes it into the value where the kind wants it there. The result is the last
/// segment of the store key. A consumer's may still be empty here; its schema asks for the name.
pub(super) fn for_put(target: &Target, value: &mut Value) -> Result<String, Refusal> {
    match target.kind {
        Kind::Consumer => consumer(target, value),
        Kind::PluginMetadata => {
            let name = target.id.clone().ok_or_else(|| invalid("missing plugin name"))?;
            insert_id(value, Value::String(name.clone()));
            Ok(name)
        }
        _ => ordinary(target, value),
    }
}

/// A POST gets its id from the store, so none may be given.
pub(super) fn refuse_for_post(target: &Target, value: &Value) -> Result<(), Refusal> {
    if target.id.is_some() || value.get("id").is_some() {
        return Err(invalid(format!("wrong {} id, do not need it", target.kind)));
    }
    Ok(())
}

/// Puts a fresh id into the value.
pub(super) fn insert_id(value: &mut Value, id: Value) {
    if let Value::Object(fields) = value {
        fields.insert("id".to_owned(), id);
    }
}

fn ordinary(target: &Target, value: &mut Value) -> Result<String, Refusal> {
    let label = target.kind.label();
    let given = value.get("id").map(as_text);
    let Some(id) = target.id.clone().or_else(|| given.clone()) else {
        return Err(invalid(format!("missing {label} id")));
    };
    // A secret's own `id` carries its manager; a credential's does not carry its consumer.
    let own = if target.kind == Kind::Secret { target.full_id(&id) } else { id.clone() };
    if given.is_some_and(|given| given != own) {
        return Err(invalid(format!("wrong {label} id")));
    }
    if target.id.is_some() {
        insert_id(value, Value::String(own));
    }
    Ok(id)
}

fn consumer(target: &Target, value: &Value) -> Result<String, Refusal> {
    let username = value.get("username").and_then(Value::as_str);
    match (target.id.as_deref(), username) {
        (Some(id), Some(username)) if id != username => Err(invalid("wrong username")),
        (id, username) => Ok(username.or(id).unwrap_or_default().to_owned()),
    }
}

/// As a key shows it: integers in decimal, also when written `1.0`.
fn as_text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => (float as i64).to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Invalid(text.into())
}
