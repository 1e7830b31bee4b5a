//! Holds a value against a compiled schema, in APISIX's order, filling defaults on the way.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::compile::{ArrayRules, Condition, Items, Node, NumberRules, Rules, StringRules, Type};
use super::object;
use super::text::{is_secret_reference, lua_type, number_text, quoted, same};

pub(super) type Outcome = Result<(), String>;

pub(super) fn node(node: &Node, value: &mut Value) -> Outcome {
    match node {
        Node::Anything => Ok(()),
        Node::Nothing => Err("expect false always".to_owned()),
        Node::Rules(rules) => apply(rules, value),
    }
}

fn apply(rules: &Rules, value: &mut Value) -> Outcome {
    if matches!(rules.types.as_slice(), [] | [Type::String]) && value.as_str().is_some_and(is_secret_reference) {
        return Ok(());
    }
    types(&rules.types, value)?;
    if let Some(object) = &rules.object {
        as_empty_object(value);
        if let Value::Object(map) = value {
            object::apply(object, map)?;
        }
    }
    if let Some(rules) = &rules.array {
        array(rules, value)?;
    }
    match (&*value, &rules.string, &rules.number) {
        (Value::String(text), Some(rules), _) => string(rules, text)?,
        (Value::Number(number), _, Some(rules)) => self::number(rules, number)?,
        _ => {}
    }
    if let Some(values) = &rules.one_of_values
        && !values.iter().any(|allowed| same(allowed, value))
    {
        return Err("matches none of the enum values".to_owned());
    }
    combined(rules, value)?;
    if let (Some(format), Value::String(text)) = (rules.format, &*value)
        && !format.accepts(text)
    {
        return Err(format!("expect valid {} format but got: {text}", format.name()));
    }
    if rules.constant.as_ref().is_some_and(|constant| !same(constant, value)) {
        return Err("failed to check const value".to_owned());
    }
    rules.contains.as_ref().map_or(Ok(()), |item| contains(item, value))
}

/// The type check, which also gives the lenient forms their proper one.
fn types(types: &[Type], value: &mut Value) -> Outcome {
    if types.is_empty() || types.iter().any(|wanted| has_type(*wanted, value)) {
        return Ok(());
    }
    let got = lua_type(value);
    match types {
        [one] => Err(format!("wrong type: expected {}, got {got}", one.name())),
        several => {
            let names: Vec<_> = several.iter().map(|one| one.name()).collect();
            Err(format!("wrong type: expected one of {}, got {got}", names.join(", ")))
        }
    }
}

fn has_type(wanted: Type, value: &mut Value) -> bool {
    match wanted {
        Type::Object => {
            as_empty_object(value);
            value.is_object()
        }
        Type::Array => {
            as_empty_array(value);
            value.is_array()
        }
        Type::String => value.is_string(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Null => value.is_null(),
        Type::Integer => {
            let Value::Number(number) = value else {
                return false;
            };
            as_integer(number)
        }
    }
}

fn as_empty_object(value: &mut Value) {
    if value.as_array().is_some_and(Vec::is_empty) {
        *value = Value::Object(Map::new());
    }
}

fn as_empty_array(value: &mut Value) {
    if value.as_object().is_some_and(Map::is_empty) {
        *value = Value::Array(Vec::new());
    }
}

/// `true` for whole numbers; those written with a point lose it, if an `i64` can hold them.
fn as_integer(number: &mut Number) -> bool {
    if !number.is_f64() {
        return true;
    }
    let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) else {
        return false;
    };
    if float.abs() < i64::MAX as f64 {
        *number = Number::from(float as i64);
    }
    true
}

fn array(rules: &ArrayRules, value: &mut Value) -> Outcome {
    // An empty object is an empty array here, but stays what it is: only a declared type decides.
    let mut none = Vec::new();
    let items = match value {
        Value::Array(items) => items,
        Value::Object(map) if map.is_empty() => &mut none,
        _ => return Ok(()),
    };
    if let Some(min) = rules.min.filter(|min| items.len() < *min) {
        return Err(format!("expect array to have at least {min} items"));
    }
    if let Some(max) = rules.max.filter(|max| items.len() > *max) {
        return Err(format!("expect array to have at most {max} items"));
    }
    for (index, item) in items.iter_mut().enumerate() {
        let rule = match &rules.items {
            Items::All(node) => Some(node),
            Items::Each(nodes) => nodes.get(index),
        };
        if let Some(rule) = rule {
            node(rule, item).map_err(|inner| format!("failed to validate item {}: {inner}", index + 1))?;
        }
    }
    if rules.unique { unique(items) } else { Ok(()) }
}

/// A value that can be looked up, so that long lists of texts are not compared pair by pair.
#[derive(PartialEq, Eq, Hash)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    /// The bits of the double; `-0` is `0`.
    Number(u64),
    Text(&'a str),
}

impl Scalar<'_> {
    fn of(value: &Value) -> Option<Scalar<'_>> {
        match value {
            Value::Null => Some(Scalar::Null),
            Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            Value::Number(number) => number.as_f64().map(|float| Scalar::Number((float + 0.0).to_bits())),
            Value::String(text) => Some(Scalar::Text(text)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

fn unique(items: &[Value]) -> Outcome {
    let mut scalars = HashMap::new();
    let mut tables: Vec<usize> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let earlier = match Scalar::of(item) {
            Some(scalar) => scalars.insert(scalar, index),
            None => {
                let earlier = tables.iter().copied().find(|other| same(&items[*other], item));
                tables.push(index);
                earlier
            }
        };
        if let Some(earlier) = earlier {
            let (first, second) = (earlier + 1, index + 1);
            return Err(format!("expected unique items but items {first} and {second} are equal"));
        }
    }
    Ok(())
}

fn string(rules: &StringRules, text: &str) -> Outcome {
    if rules.min.is_some() || rules.max.is_some() {
        let length = text.chars().count();
        if let Some(min) = rules.min.filter(|min| length < *min) {
            return Err(format!("string too short, expected at least {min}, got {length}"));
        }
        if let Some(max) = rules.max.filter(|max| length > *max) {
            return Err(format!("string too long, expected at most {max}, got {length}"));
        }
    }
    match &rules.pattern {
        Some(pattern) if !pattern.is_match(text) => {
            Err(format!("failed to match pattern {} with {}", quoted(pattern.as_str()), quoted(text)))
        }
        _ => Ok(()),
    }
}

fn number(rules: &NumberRules, number: &Number) -> Outcome {
    let Some(value) = number.as_f64() else {
        return Ok(());
    };
    let broken = |bound: Option<f64>, breaks: fn(f64, f64) -> bool| bound.filter(|bound| breaks(value, *bound));
    let failure = if let Some(bound) = broken(rules.min, |v, b| v < b) {
        ("at least", bound)
    } else if let Some(bound) = broken(rules.above, |v, b| v <= b) {
        ("greater than", bound)
    } else if let Some(bound) = broken(rules.max, |v, b| v > b) {
        ("at most", bound)
    } else if let Some(bound) = broken(rules.below, |v, b| v >= b) {
        ("smaller than", bound)
    } else if let Some(factor) = broken(rules.multiple_of, |v, b| (v / b).fract() != 0.0) {
        ("a multiple of", factor)
    } else {
        return Ok(());
    };
    Err(format!("expected {} to be {} {}", number_text(value), failure.0, number_text(failure.1)))
}

fn combined(rules: &Rules, value: &mut Value) -> Outcome {
    for (index, branch) in rules.all_of.iter().enumerate() {
        node(branch, value).map_err(|inner| format!("allOf {} failed: {inner}", index + 1))?;
    }
    if let Some(any_of) = &rules.any_of
        && !any_of.branches.iter().any(|branch| node(branch, value).is_ok())
    {
        let colon = if any_of.hint.is_empty() { "" } else { ": " };
        return Err(format!("object matches none of the required{colon}{}", any_of.hint));
    }
    if !rules.one_of.is_empty() {
        exactly_one(&rules.one_of, value)?;
    }
    if let Some(rule) = &rules.condition {
        condition(rule, value)?;
    }
    match &rules.not {
        Some(not) if node(not, value).is_ok() => Err("value wasn't supposed to match schema".to_owned()),
        _ => Ok(()),
    }
}

fn exactly_one(branches: &[Node], value: &mut Value) -> Outcome {
    let mut matched = None;
    for (index, branch) in branches.iter().enumerate() {
        if node(branch, value).is_err() {
            continue;
        }
        if let Some(first) = matched {
            let second = index + 1;
            return Err(format!("value should match only one schema, but matches both schemas {first} and {second}"));
        }
        matched = Some(index + 1);
    }
    let none = "value should match only one schema, but matches none";
    matched.map(|_| ()).ok_or_else(|| none.to_owned())
}

fn condition(rule: &Condition, value: &mut Value) -> Outcome {
    let (branch, name) = match node(&rule.test, value) {
        Ok(()) => (&rule.then, "then"),
        Err(_) => (&rule.otherwise, "else"),
    };
    match branch {
        Some(branch) => node(branch, value).map_err(|_| format!("{name} clause did not match")),
        None => Ok(()),
    }
}

fn contains(item: &Node, value: &mut Value) -> Outcome {
    as_empty_array(value);
    let Value::Array(items) = value else {
        return Ok(());
    };
    if items.is_empty() {
        return Err("check contains: empty array is invalid".to_owned());
    }
    match items.iter_mut().any(|one| node(item, one).is_ok()) {
        true => Ok(()),
        false => Err("failed to check contains".to_owned()),
    }
}
