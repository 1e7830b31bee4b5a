//! Data that fits a JSON schema: its examples where it has some, random values elsewhere.

use serde_json::{Map, Value, json};

/// Schemas nested deeper than this get `null`.
const MAX_DEPTH: usize = 32;
const MAX_ITEMS: usize = 3;
const TEXT_LENGTHS: std::ops::RangeInclusive<usize> = 1..=10;

/// Something that fits `schema`. A schema that says no type is one of an object.
pub(super) fn of(schema: &Value) -> Value {
    value(schema, 0)
}

fn value(schema: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Value::String(text()),
        Some("integer") => json!(fastrand::u16(1..=10000)),
        Some("number") => json!(f64::from(fastrand::u32(..1_000_000)) / 100.0),
        Some("boolean") => Value::Bool(fastrand::bool()),
        Some("array") => array(schema, depth),
        Some("null") => Value::Null,
        _ => object(schema, depth),
    }
}

fn object(schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let made = properties.map(|(name, schema)| (name.clone(), value(schema, depth + 1)));
    Value::Object(made.collect::<Map<_, _>>())
}

fn array(schema: &Value, depth: usize) -> Value {
    let Some(items) = schema.get("items") else { return Value::Array(Vec::new()) };
    (0..fastrand::usize(1..=MAX_ITEMS)).map(|_| value(items, depth + 1)).collect()
}

fn text() -> String {
    (0..fastrand::usize(TEXT_LENGTHS)).map(|_| fastrand::alphabetic()).collect()
}
