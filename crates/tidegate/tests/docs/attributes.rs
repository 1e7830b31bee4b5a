//! A plugin's attributes as a table, read off its JSON schema.

use serde_json::{Map, Value};

/// What the table says of one attribute.
struct Row {
    name: String,
    kind: String,
    default: String,
    accepts: String,
    description: String,
}

/// The table of `schema`'s attributes, those inside objects by their dotted paths.
pub fn table(schema: &Value) -> String {
    let mut rows = Vec::new();
    collect(schema, "", &mut rows);
    if rows.is_empty() {
        return "No attributes.\n".to_owned();
    }
    let mut table = "| Attribute | Type | Default | Accepts | Description |\n|---|---|---|---|---|\n".to_owned();
    for Row { name, kind, default, accepts, description } in rows {
        table.push_str(&format!("| `{name}` | {kind} | {default} | {accepts} | {description} |\n"));
    }
    table
}

fn collect(schema: &Value, prefix: &str, rows: &mut Vec<Row>) {
    let required: Vec<&str> = texts(&schema["required"]).collect();
    for (name, attribute) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        rows.push(row(&path, attribute, required.contains(&name.as_str())));
        for variant in variants(attribute) {
            collect(variant, &format!("{path}."), rows);
            collect(&variant["items"], &format!("{path}[]."), rows);
        }
    }
}

/// The alternatives of a value that has several forms; otherwise the value itself.
fn variants(schema: &Value) -> Vec<&Value> {
    ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].as_array()).map_or_else(
        || vec![schema],
        |forms| if schema.get("properties").is_some() { vec![schema] } else { forms.iter().collect() },
    )
}

fn row(path: &str, schema: &Value, required: bool) -> Row {
    let default = match schema.get("default") {
        _ if required => "**required**".to_owned(),
        None => String::new(),
        Some(value) => code(&plain(value)),
    };
    Row {
        name: path.to_owned(),
        kind: kind(schema),
        default,
        accepts: accepts(schema),
        description: cell(schema["description"].as_str().unwrap_or_default()),
    }
}

fn kind(schema: &Value) -> String {
    let name = |schema: &Value| match (schema["type"].as_str(), &schema["items"]) {
        (Some("array"), items) if items["type"].is_string() => format!("array of {}", plain_kind(items)),
        (Some(_), _) => plain_kind(schema),
        (None, _) => "any".to_owned(),
    };
    let mut kinds: Vec<String> = variants(schema).into_iter().map(name).collect();
    kinds.dedup();
    kinds.join(" or ")
}

/// An object whose keys are the user's is a map.
fn plain_kind(schema: &Value) -> String {
    let is_map = schema.get("properties").is_none() && schema.get("additionalProperties").is_some_and(|it| it != false);
    if is_map { "map".to_owned() } else { schema["type"].as_str().unwrap_or("any").to_owned() }
}

fn accepts(schema: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for form in variants(schema) {
        // The bounds beside a list of values are only those of its type.
        parts.extend(values(form).or_else(|| bounds(form, "minimum", "maximum", "")));
        parts.extend(form["exclusiveMinimum"].as_f64().map(|low| format!("more than {low}")));
        parts.extend(bounds(form, "minLength", "maxLength", " characters"));
        parts.extend(bounds(form, "minItems", "maxItems", " items"));
        parts.extend(bounds(form, "minProperties", "maxProperties", " entries"));
        parts.extend(form["pattern"].as_str().map(|pattern| code(&pattern.replace("\\/", "/"))));
        parts.extend(values(&form["items"]));
    }
    parts.dedup();
    parts.join(", ")
}

fn values(schema: &Value) -> Option<String> {
    let values = schema["enum"].as_array()?;
    Some(values.iter().map(|value| code(&plain(value))).collect::<Vec<_>>().join(", "))
}

fn bounds(schema: &Value, low: &str, high: &str, unit: &str) -> Option<String> {
    let schema: &Map<String, Value> = schema.as_object()?;
    match (schema.get(low), schema.get(high)) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (None, Some(high)) => Some(format!("up to {high}{unit}")),
        (Some(low), None) => Some(format!("from {low}{unit}")),
        (None, None) => None,
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A value as a user writes it; whole numbers without a point.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 1e15) => {
            format!("{}", number.as_f64().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// Text that fits into one cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
