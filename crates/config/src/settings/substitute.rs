//! `${{NAME}}` and `${{NAME:=default}}` in values and keys. A value that had one in it and then looks like a
//! number or a flag becomes one, so that ports can come from the environment.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::SettingsError;

/// The texts of substituted values by path, before conversion: a key that happens to be all digits must reach
/// a text field as it was written, leading zeros included.
pub(super) type Substituted = BTreeMap<String, String>;

/// Replaces every reference to an environment variable in `document`.
pub(super) fn environment(
    document: &mut Value,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Substituted, SettingsError> {
    let mut substitution = Substitution { file_name, env, substituted: Substituted::new() };
    substitution.walk(document, "")?;
    Ok(substitution.substituted)
}

struct Substitution<'a> {
    file_name: &'a str,
    env: &'a dyn Fn(&str) -> Option<String>,
    substituted: Substituted,
}

impl Substitution<'_> {
    fn walk(&mut self, value: &mut Value, path: &str) -> Result<(), SettingsError> {
        match value {
            Value::String(text) => {
                if let Some(replaced) = self.replace(text, path)? {
                    *value = convert(&replaced);
                    self.substituted.insert(path.to_owned(), replaced);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(item, &element(path, index))?;
                }
            }
            Value::Object(fields) => {
                let mut walked = Map::new();
                for (key, mut inner) in std::mem::take(fields) {
                    let key = self.replace(&key, path)?.unwrap_or(key);
                    self.walk(&mut inner, &field(path, &key))?;
                    walked.insert(key, inner);
                }
                *fields = walked;
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }

    /// The text with its references replaced; `None` if it has none.
    fn replace(&self, text: &str, path: &str) -> Result<Option<String>, SettingsError> {
        let mut replaced = String::new();
        let mut found = false;
        let mut rest = text;
        while let Some((before, name, default, after)) = next_reference(rest) {
            let value = (self.env)(name).or_else(|| default.map(str::to_owned));
            let value = value.ok_or_else(|| SettingsError::MissingVariable {
                file: self.file_name.to_owned(),
                path: path.to_owned(),
                name: name.to_owned(),
            })?;
            replaced.push_str(before);
            replaced.push_str(&value);
            found = true;
            rest = after;
        }
        replaced.push_str(rest);
        Ok(found.then_some(replaced))
    }
}

/// The path of `key` below `path`.
pub(super) fn field(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path of the element `index` of the list at `path`.
pub(super) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Splits at the first well-formed reference: text before, name, default, text behind.
fn next_reference(text: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find("${{")?;
        let inner_at = start + 3;
        let length = text[inner_at..].find("}}")?;
        let inner = &text[inner_at..inner_at + length];
        let (name, default) = match inner.split_once(":=") {
            Some((name, default)) => (name.trim(), Some(default.trim())),
            None => (inner.trim(), None),
        };
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some((&text[..start], name, default, &text[inner_at + length + 2..]));
        }
        from = inner_at;
    }
}

fn convert(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Value::from(integer);
    }
    let looks_numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    let number = if looks_numeric { text.parse().ok().and_then(Number::from_f64) } else { None };
    number.map_or_else(|| Value::from(text), Value::Number)
}
