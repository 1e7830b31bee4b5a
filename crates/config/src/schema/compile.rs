//! From a schema's JSON to [`Node`]: every keyword parsed once, so that checking never looks at schema JSON again.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::format::Format;
use super::text::lua_type;
use super::{MAX_DEPTH, SchemaError};
use crate::pattern::Pattern;

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// The schema `true`, or one without keywords.
    Anything,
    /// The schema `false`.
    Nothing,
    Rules(Arc<Rules>),
}

/// The keywords of one schema, grouped as they are checked.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub types: Vec<Type>,
    pub object: Option<ObjectRules>,
    pub array: Option<ArrayRules>,
    pub string: Option<StringRules>,
    pub number: Option<NumberRules>,
    pub one_of_values: Option<Vec<Value>>,
    pub all_of: Vec<Node>,
    pub any_of: Option<AnyOf>,
    pub one_of: Vec<Node>,
    pub condition: Option<Condition>,
    pub not: Option<Node>,
    pub format: Option<Format>,
    pub constant: Option<Value>,
    pub contains: Option<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    Null,
}

#[derive(Debug)]
pub(super) struct ObjectRules {
    pub properties: Vec<Property>,
    /// Those which are not among `properties`.
    pub required: Vec<String>,
    pub dependencies: Vec<(String, Dependency)>,
    pub patterns: Vec<(Arc<Pattern>, Node)>,
    pub additional: Option<Node>,
    pub min: Option<usize>,
    pub max: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Property {
    pub name: String,
    pub node: Node,
    pub required: bool,
    pub default: Option<Value>,
    pub dependency: Option<Dependency>,
}

#[derive(Debug)]
pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(Node),
}

#[derive(Debug)]
pub(super) struct ArrayRules {
    pub min: Option<usize>,
    pub max: Option<usize>,
    pub items: Items,
    pub unique: bool,
}

#[derive(Debug)]
pub(super) enum Items {
    /// One schema for all.
    All(Node),
    /// One schema per place; places beyond are free.
    Each(Vec<Node>),
}

#[derive(Debug)]
pub(super) struct StringRules {
    pub min: Option<usize>,
    pub max: Option<usize>,
    pub pattern: Option<Arc<Pattern>>,
}

#[derive(Debug)]
pub(super) struct NumberRules {
    pub min: Option<f64>,
    pub above: Option<f64>,
    pub max: Option<f64>,
    pub below: Option<f64>,
    pub multiple_of: Option<f64>,
}

#[derive(Debug)]
pub(super) struct AnyOf {
    pub branches: Vec<Node>,
    /// The branches' `required` lists, for the error text; empty if there are none.
    pub hint: String,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub test: Node,
    pub then: Option<Node>,
    pub otherwise: Option<Node>,
}

type Compiled<T> = Result<T, SchemaError>;

pub(super) fn node(schema: &Value, depth: usize) -> Compiled<Node> {
    if depth > MAX_DEPTH {
        return Err(SchemaError::TooDeep);
    }
    match schema {
        Value::Bool(true) => Ok(Node::Anything),
        Value::Bool(false) => Ok(Node::Nothing),
        Value::Object(keywords) if keywords.is_empty() => Ok(Node::Anything),
        Value::Object(keywords) => rules(keywords, depth + 1).map(|rules| Node::Rules(Arc::new(rules))),
        other => Err(SchemaError::NotASchema(lua_type(other))),
    }
}

fn rules(schema: &Map<String, Value>, depth: usize) -> Compiled<Rules> {
    Ok(Rules {
        types: types(schema)?,
        object: object(schema, depth)?,
        array: array(schema, depth)?,
        string: string(schema)?,
        number: number(schema),
        one_of_values: schema.get("enum").and_then(Value::as_array).cloned(),
        all_of: branches(schema, "allOf", depth)?,
        any_of: any_of(schema, depth)?,
        one_of: branches(schema, "oneOf", depth)?,
        condition: condition(schema, depth)?,
        not: child(schema, "not", depth)?,
        format: schema.get("format").and_then(Value::as_str).and_then(Format::from_name),
        constant: schema.get("const").cloned(),
        contains: child(schema, "contains", depth)?,
    })
}

fn types(schema: &Map<String, Value>) -> Compiled<Vec<Type>> {
    match schema.get("type") {
        None => Ok(Vec::new()),
        Some(Value::Array(names)) => names.iter().map(one_type).collect(),
        Some(name) => one_type(name).map(|found| vec![found]),
    }
}

fn one_type(name: &Value) -> Compiled<Type> {
    let name = name.as_str().ok_or(SchemaError::Keyword("type"))?;
    Type::from_name(name).ok_or_else(|| SchemaError::UnknownType(name.to_owned()))
}

impl Type {
    const NAMES: [(&'static str, Type); 7] = [
        ("object", Type::Object),
        ("array", Type::Array),
        ("string", Type::String),
        ("integer", Type::Integer),
        ("number", Type::Number),
        ("boolean", Type::Boolean),
        ("null", Type::Null),
    ];

    fn from_name(name: &str) -> Option<Type> {
        Type::NAMES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
    }

    pub(super) fn name(self) -> &'static str {
        Type::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| *name)
    }
}

fn object(schema: &Map<String, Value>, depth: usize) -> Compiled<Option<ObjectRules>> {
    const KEYWORDS: [&str; 7] = [
        "properties",
        "required",
        "dependencies",
        "patternProperties",
        "additionalProperties",
        "minProperties",
        "maxProperties",
    ];
    if !KEYWORDS.iter().any(|keyword| schema.contains_key(*keyword)) {
        return Ok(None);
    }
    let mut required = names(schema.get("required"));
    let mut dependencies = dependencies(schema, depth)?;
    let mut properties = Vec::new();
    for (name, subschema) in entries(schema, "properties")? {
        let dependency = dependencies.iter().position(|(on, _)| on == name).map(|at| dependencies.remove(at).1);
        let is_required = required.iter().position(|other| other == name).map(|at| required.remove(at)).is_some();
        properties.push(Property {
            name: name.clone(),
            node: node(subschema, depth)?,
            required: is_required,
            default: subschema.get("default").filter(|default| !default.is_null()).cloned(),
            dependency,
        });
    }
    let mut patterns = Vec::new();
    for (pattern, subschema) in entries(schema, "patternProperties")? {
        patterns.push((Pattern::shared(pattern)?, node(subschema, depth)?));
    }
    let additional = child(schema, "additionalProperties", depth)?;
    let (min, max) = (count(schema, "minProperties"), count(schema, "maxProperties"));
    Ok(Some(ObjectRules { properties, required, dependencies, patterns, additional, min, max }))
}

fn dependencies(schema: &Map<String, Value>, depth: usize) -> Compiled<Vec<(String, Dependency)>> {
    entries(schema, "dependencies")?
        .map(|(on, rule)| {
            let dependency = match rule {
                Value::Array(_) => Dependency::Names(names(Some(rule))),
                subschema => Dependency::Schema(node(subschema, depth)?),
            };
            Ok((on.clone(), dependency))
        })
        .collect()
}

fn array(schema: &Map<String, Value>, depth: usize) -> Compiled<Option<ArrayRules>> {
    const KEYWORDS: [&str; 4] = ["items", "minItems", "maxItems", "uniqueItems"];
    if !KEYWORDS.iter().any(|keyword| schema.contains_key(*keyword)) {
        return Ok(None);
    }
    let items = match schema.get("items") {
        None => Items::All(Node::Anything),
        Some(Value::Array(_)) => Items::Each(branches(schema, "items", depth)?),
        Some(one) => Items::All(node(one, depth)?),
    };
    Ok(Some(ArrayRules {
        min: count(schema, "minItems"),
        max: count(schema, "maxItems"),
        items,
        unique: schema.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false),
    }))
}

fn string(schema: &Map<String, Value>) -> Compiled<Option<StringRules>> {
    let pattern = schema.get("pattern").and_then(Value::as_str).map(Pattern::shared).transpose()?;
    let (min, max) = (count(schema, "minLength"), count(schema, "maxLength"));
    let any = pattern.is_some() || min.is_some() || max.is_some();
    Ok(any.then_some(StringRules { min, max, pattern }))
}

fn number(schema: &Map<String, Value>) -> Option<NumberRules> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let rules = NumberRules {
        min: bound("minimum"),
        above: bound("exclusiveMinimum"),
        max: bound("maximum"),
        below: bound("exclusiveMaximum"),
        multiple_of: bound("multipleOf").filter(|factor| *factor > 0.0),
    };
    let all = [rules.min, rules.above, rules.max, rules.below, rules.multiple_of];
    all.iter().any(Option::is_some).then_some(rules)
}

fn any_of(schema: &Map<String, Value>, depth: usize) -> Compiled<Option<AnyOf>> {
    let branches = branches(schema, "anyOf", depth)?;
    if branches.is_empty() {
        return Ok(None);
    }
    let subschemas = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let required: Vec<String> = subschemas.filter_map(|sub| sub.get("required")).map(Value::to_string).collect();
    Ok(Some(AnyOf { branches, hint: required.join(" or ") }))
}

fn condition(schema: &Map<String, Value>, depth: usize) -> Compiled<Option<Condition>> {
    let Some(test) = child(schema, "if", depth)? else {
        return Ok(None);
    };
    Ok(Some(Condition { test, then: child(schema, "then", depth)?, otherwise: child(schema, "else", depth)? }))
}

fn branches(schema: &Map<String, Value>, keyword: &'static str, depth: usize) -> Compiled<Vec<Node>> {
    match schema.get(keyword) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|subschema| node(subschema, depth)).collect(),
        Some(_) => Err(SchemaError::Keyword(keyword)),
    }
}

fn child(schema: &Map<String, Value>, keyword: &str, depth: usize) -> Compiled<Option<Node>> {
    schema.get(keyword).map(|subschema| node(subschema, depth)).transpose()
}

/// The entries of a keyword that maps names to schemas. An empty array stands for an empty object.
fn entries<'a>(
    schema: &'a Map<String, Value>,
    keyword: &'static str,
) -> Compiled<impl Iterator<Item = (&'a String, &'a Value)>> {
    match schema.get(keyword) {
        Some(Value::Object(map)) => Ok(Some(map).into_iter().flatten()),
        None => Ok(None.into_iter().flatten()),
        Some(Value::Array(list)) if list.is_empty() => Ok(None.into_iter().flatten()),
        Some(_) => Err(SchemaError::Keyword(keyword)),
    }
}

fn names(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn count(schema: &Map<String, Value>, keyword: &str) -> Option<usize> {
    schema.get(keyword).and_then(Value::as_f64).map(|bound| bound as usize)
}
