//! The keywords for objects.

use serde_json::{Map, Value};

use super::apply::{Outcome, node};
use super::compile::{Dependency, Node, ObjectRules, Property};
use super::text::quoted;

type Object = Map<String, Value>;

pub(super) fn apply(rules: &ObjectRules, map: &mut Object) -> Outcome {
    for property in &rules.properties {
        self::property(property, map)?;
    }
    for name in &rules.required {
        if !map.contains_key(name) {
            return Err(format!("property {} is required", quoted(name)));
        }
    }
    for (on, dependency) in &rules.dependencies {
        if map.contains_key(on) {
            self::dependency(on, dependency, map)?;
        }
    }
    others(rules, map)?;
    if let Some(min) = rules.min.filter(|min| map.len() < *min) {
        return Err(format!("expect object to have at least {min} properties"));
    }
    if let Some(max) = rules.max.filter(|max| map.len() > *max) {
        return Err(format!("expect object to have at most {max} properties"));
    }
    Ok(())
}

fn property(property: &Property, map: &mut Object) -> Outcome {
    let Some(value) = map.get_mut(&property.name) else {
        if property.required {
            return Err(format!("property {} is required", quoted(&property.name)));
        }
        if let Some(default) = &property.default {
            map.insert(property.name.clone(), default.clone());
        }
        return Ok(());
    };
    node(&property.node, value)
        .map_err(|inner| format!("property {} validation failed: {inner}", quoted(&property.name)))?;
    property.dependency.as_ref().map_or(Ok(()), |rule| dependency(&property.name, rule, map))
}

fn dependency(on: &str, dependency: &Dependency, map: &mut Object) -> Outcome {
    match dependency {
        Dependency::Names(names) => match names.iter().find(|name| !map.contains_key(*name)) {
            Some(missing) => Err(format!("property {} is required when {} is set", quoted(missing), quoted(on))),
            None => Ok(()),
        },
        Dependency::Schema(schema) => {
            let mut whole = Value::Object(std::mem::take(map));
            let outcome = node(schema, &mut whole);
            if let Value::Object(filled) = whole {
                *map = filled;
            }
            outcome.map_err(|inner| format!("failed to validate dependent schema for {}: {inner}", quoted(on)))
        }
    }
}

/// `patternProperties` and `additionalProperties`, in one walk over the object.
fn others(rules: &ObjectRules, map: &mut Object) -> Outcome {
    if rules.patterns.is_empty() && matches!(rules.additional, None | Some(Node::Anything)) {
        return Ok(());
    }
    for (key, value) in map.iter_mut() {
        let mut known = rules.properties.iter().any(|property| property.name == *key);
        for (pattern, schema) in &rules.patterns {
            if pattern.is_match(key) {
                known = true;
                node(schema, value).map_err(|inner| {
                    format!("failed to validate {key} (matching {}): {inner}", quoted(pattern.as_str()))
                })?;
            }
        }
        match &rules.additional {
            _ if known => {}
            None | Some(Node::Anything) => {}
            Some(Node::Nothing) => {
                return Err(format!("additional properties forbidden, found {key}"));
            }
            Some(schema) => {
                node(schema, value).map_err(|inner| format!("failed to validate additional property {key}: {inner}"))?
            }
        }
    }
    Ok(())
}
