//! `_meta`: what may be said of any plugin beside the plugin's own configuration. The plan compiler reads it; a plugin
//! never sees it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::schema::Validator;

const KEY: &str = "_meta";

/// A plugin's `_meta`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginMeta {
    /// The plugin does not run.
    pub disable: bool,
    /// Text or object: the body of every answer with status 400 and above that the plugin gives.
    pub error_response: Option<Value>,
    /// Instead of the plugin's own priority, within its set.
    pub priority: Option<i64>,
    /// An expression (see [`crate::expr`]): the plugin runs only for requests for which it holds.
    pub filter: Option<Value>,
    /// Lua; refused when written, kept here so that the refusal can say so.
    pub pre_function: Option<String>,
}

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let whole = json!({"properties": {KEY: schema()}});
    Validator::compile(&whole).expect("the schema of _meta compiles")
});

/// The schema of `_meta`, which the Admin API shows as a property of every plugin's schema.
pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "disable": {"type": "boolean"},
            "error_response": {"oneOf": [{"type": "string"}, {"type": "object"}]},
            "priority": {"type": "integer", "description": "priority of the plugin in its set"},
            "filter": {"type": "array", "description": "the plugin runs only if this expression holds"},
            "pre_function": {"type": "string", "description": "Lua that runs before each phase"}
        },
        "additionalProperties": false
    })
}

/// Shows `_meta` in a plugin's schema, with APISIX's mark that it was put there.
pub fn inject(plugin_schema: &mut Value) {
    let Value::Object(keywords) = plugin_schema else {
        return;
    };
    keywords.insert("$comment".to_owned(), json!("this is a mark for our injected plugin schema"));
    let properties = keywords.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(properties) = properties {
        properties.insert(KEY.to_owned(), schema());
    }
}

/// The `_meta` of a plugin configuration, and the configuration without it.
///
/// # Errors
/// If `_meta` is not as its schema says, in the schema's words.
pub fn split(conf: &Value) -> Result<(PluginMeta, Value), String> {
    let mut rest = conf.clone();
    let Some(meta) = rest.as_object_mut().and_then(|map| map.shift_remove(KEY)) else {
        return Ok((PluginMeta::default(), rest));
    };
    let mut whole = json!({KEY: meta});
    VALIDATOR.check_and_fill(&mut whole)?;
    Ok((PluginMeta::from_checked(&whole[KEY]), rest))
}

impl PluginMeta {
    /// The `_meta` of a plugin configuration. What is not as it should be counts as absent: configurations are
    /// checked when written.
    pub fn of(conf: &Value) -> PluginMeta {
        conf.get(KEY).map(PluginMeta::from_checked).unwrap_or_default()
    }

    fn from_checked(meta: &Value) -> PluginMeta {
        PluginMeta {
            disable: meta.get("disable").and_then(Value::as_bool).unwrap_or(false),
            error_response: meta.get("error_response").cloned(),
            priority: meta.get("priority").and_then(Value::as_f64).map(|priority| priority as i64),
            filter: meta.get("filter").filter(|filter| filter.is_array()).cloned(),
            pre_function: meta.get("pre_function").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests;
