//! A plugin's schema from its Rust configuration type, in the plain draft-07 dress that APISIX's own schemas wear:
//! nothing referred to, no titles, no `null`, no formats of Rust integers.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::MAX_DEPTH;

/// The schema of `T` as JSON reads it. An `Option` field is its inner type, not required. Where a type contains
/// itself, the inner occurrence accepts anything.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema, 0);
    schema
}

/// Rewrites one schema and those inside it.
fn plain(schema: &mut Value, depth: usize) {
    if depth > MAX_DEPTH {
        *schema = Value::Bool(true);
    }
    let Value::Object(keywords) = schema else {
        return;
    };
    without_null(keywords);
    // With everything inlined, only a type that contains itself is still referred to.
    if keywords.contains_key("$ref") {
        *schema = Value::Bool(true);
        return;
    }
    for noise in ["$schema", "$defs", "definitions", "title"] {
        keywords.shift_remove(noise);
    }
    without_rust_formats(keywords);
    subschemas(keywords, depth);
    constants_to_enum(keywords);
}

fn subschemas(keywords: &mut Map<String, Value>, depth: usize) {
    for (keyword, value) in keywords.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(map)) => {
                map.values_mut().for_each(|schema| plain(schema, depth + 1));
            }
            ("allOf" | "anyOf" | "oneOf" | "items", Value::Array(list)) => {
                list.iter_mut().for_each(|schema| plain(schema, depth + 1));
            }
            ("items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains", one) => {
                plain(one, depth + 1);
            }
            ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf", bound) => {
                without_point(bound);
            }
            _ => {}
        }
    }
}

/// `Option<T>` is `T`: absence says "none", `null` is not a value.
fn without_null(keywords: &mut Map<String, Value>) {
    match keywords.get_mut("default") {
        Some(Value::Null) => {
            keywords.shift_remove("default");
        }
        Some(default) => without_null_fields(default),
        None => {}
    }
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            keywords.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = keywords.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(branches)) = keywords.get_mut("anyOf") else {
        return;
    };
    branches.retain(|branch| branch.get("type") != Some(&json!("null")));
    if branches.len() == 1 {
        let only = branches.remove(0);
        keywords.shift_remove("anyOf");
        merge_under(keywords, only);
    }
}

/// The default of a struct has `null` where its options are `None`.
fn without_null_fields(default: &mut Value) {
    if let Value::Object(map) = default {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(without_null_fields);
    }
}

/// Adds the keywords of `schema` to those which are there; what is there wins (a field's own description).
fn merge_under(keywords: &mut Map<String, Value>, schema: Value) {
    if let Value::Object(inner) = schema {
        for (keyword, value) in inner {
            keywords.entry(keyword).or_insert(value);
        }
    }
}

fn without_rust_formats(keywords: &mut Map<String, Value>) {
    let is_number = |name: &str| {
        let digits = name.trim_start_matches('u').strip_prefix("int");
        matches!(name, "float" | "double") || digits.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    if keywords.get("format").and_then(Value::as_str).is_some_and(is_number) {
        keywords.shift_remove("format");
    }
}

fn without_point(bound: &mut Value) {
    if let Some(float) = bound.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15) {
        *bound = json!(float as i64);
    }
}

/// A Rust enum whose variants have docs comes as `oneOf` of constants; APISIX's schemas say `enum`, and so does
/// its error text.
fn constants_to_enum(keywords: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = keywords.get("oneOf") else {
        return;
    };
    let texts = |branch: &Value| -> Option<Vec<Value>> {
        let plain = branch.as_object()?.keys().all(|k| matches!(k.as_str(), "const" | "enum" | "type" | "description"));
        let constant = branch.get("const").filter(|constant| constant.is_string());
        let listed = branch.get("enum").and_then(Value::as_array);
        constant.map(|one| vec![one.clone()]).or_else(|| listed.cloned()).filter(|_| plain)
    };
    let Some(values) = branches.iter().map(texts).collect::<Option<Vec<_>>>() else {
        return;
    };
    keywords.shift_remove("oneOf");
    keywords.insert("type".to_owned(), json!("string"));
    keywords.insert("enum".to_owned(), values.into_iter().flatten().collect());
}
