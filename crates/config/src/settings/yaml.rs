//! From YAML text to JSON values. YAML's own extras (tags, keys that are no text) have no meaning in a
//! configuration and are refused.

use serde_json::{Map, Number, Value};
use serde_yaml_ng::Value as Yaml;

use super::SettingsError;

/// Parses one document; an empty one is an empty mapping.
pub(super) fn parse(text: &str, file_name: &str) -> Result<Value, SettingsError> {
    let refused = |reason: String| SettingsError::Yaml { file: file_name.to_owned(), reason };
    let mut yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| refused(error.to_string()))?;
    yaml.apply_merge().map_err(|error| refused(error.to_string()))?;
    match to_json(yaml).map_err(refused)? {
        Value::Null => Ok(Value::Object(Map::new())),
        value => Ok(value),
    }
}

fn to_json(yaml: Yaml) -> Result<Value, String> {
    match yaml {
        Yaml::Null => Ok(Value::Null),
        Yaml::Bool(flag) => Ok(Value::Bool(flag)),
        Yaml::Number(number) => to_number(&number).map(Value::Number),
        Yaml::String(text) => Ok(Value::String(text)),
        Yaml::Sequence(items) => items.into_iter().map(to_json).collect::<Result<_, _>>().map(Value::Array),
        Yaml::Mapping(fields) => fields
            .into_iter()
            .map(|(key, value)| Ok((to_key(key)?, to_json(value)?)))
            .collect::<Result<_, String>>()
            .map(Value::Object),
        Yaml::Tagged(tagged) => Err(format!("the tag {} has no meaning here", tagged.tag)),
    }
}

fn to_number(number: &serde_yaml_ng::Number) -> Result<Number, String> {
    if let Some(integer) = number.as_i64() {
        return Ok(Number::from(integer));
    }
    if let Some(integer) = number.as_u64() {
        return Ok(Number::from(integer));
    }
    number.as_f64().and_then(Number::from_f64).ok_or_else(|| format!("{number} is no finite number"))
}

fn to_key(key: Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        _ => Err("the keys of a mapping must be text".to_owned()),
    }
}
