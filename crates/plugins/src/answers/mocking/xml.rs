//! JSON data as XML: an element per property, repeated for the items of an array, inside one called `data`.

use serde_json::Value;

const ROOT: &str = "data";

/// `value` as an XML document.
pub(super) fn of(value: &Value) -> String {
    let mut out = String::new();
    element(ROOT, value, &mut out);
    out
}

fn element(name: &str, value: &Value, out: &mut String) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| element(name, item, out));
        return;
    }
    out.push('<');
    out.push_str(name);
    out.push('>');
    match value {
        Value::Object(properties) => properties.iter().for_each(|(name, value)| element(name, value, out)),
        Value::String(text) => escape(text, out),
        Value::Null => {}
        other => out.push_str(&other.to_string()),
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
}
