//! Copies of JSON Schemas that fit what providers accept where answers or arguments must follow a schema exactly.
//!
//! Invariant: what a schema describes only grows narrower in the open places providers refuse (unknown members, absent
//! members), and all that grows narrower but members that nobody has spoken of is told; the client's own schema is not
//! touched, and one walk rewrites it whatever its depth. Called by the writers of dialects whose providers are strict.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::dialect::Dialect;
use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, unescape};
use crate::model::{Feature, FunctionTool, Json, Losses};

/// What Anthropic's compiler of schemas refuses.
const BOUNDS: [&[u8]; 13] = [
    b"minimum",
    b"maximum",
    b"exclusiveMinimum",
    b"exclusiveMaximum",
    b"multipleOf",
    b"minLength",
    b"maxLength",
    b"minItems",
    b"maxItems",
    b"uniqueItems",
    b"minProperties",
    b"maxProperties",
    b"patternProperties",
];

/// What lets an object have members that it does not name.
const OPEN: &str = "additionalProperties";

/// The schema as OpenAI's strict mode wants it: every object with `properties` is closed and requires all
/// of them, their names sorted.
pub(crate) fn all_required(schema: &Json<'_>) -> Json<'static> {
    rewrite(schema, Rule::AllRequired, &mut |_| {})
}

/// As [`all_required`]; `None` if it would demand members that may be absent, or forbid some.
pub(crate) fn all_required_as_told(schema: &Json<'_>) -> Option<Json<'static>> {
    let mut is_narrower = false;
    let fitted = rewrite(schema, Rule::AllRequired, &mut |_| is_narrower = true);
    (!is_narrower).then_some(fitted)
}

/// The schema as Anthropic's strict mode wants it: every object is closed, and keywords that bound values are left out;
/// `dropped` is told their names, and `additionalProperties` where an object was open.
pub(crate) fn closed(schema: &Json<'_>, dropped: &mut dyn FnMut(&str)) -> Json<'static> {
    rewrite(schema, Rule::Closed, dropped)
}

/// [`closed`] would forbid members that the schema speaks of without naming them.
pub(crate) fn is_open(schema: &Json<'_>) -> bool {
    let mut is_open = false;
    closed(schema, &mut |keyword| is_open |= keyword == OPEN);
    is_open
}

fn rewrite(schema: &Json<'_>, rule: Rule, narrowed: &mut dyn FnMut(&str)) -> Json<'static> {
    let mut out = Vec::with_capacity(schema.bytes().len() + 64);
    Rewriter { rule, narrowed }.schema(schema.raw(), &mut out);
    Json::owned(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    AllRequired,
    Closed,
}

struct Rewriter<'d> {
    rule: Rule,
    /// Is told the keywords that are left out or say less.
    narrowed: &'d mut dyn FnMut(&str),
}

impl Rewriter<'_> {
    fn schema(&mut self, schema: Raw<'_>, out: &mut Vec<u8>) {
        if schema.kind != Kind::Object {
            return out.extend_from_slice(schema.bytes);
        }
        let mut object = ObjectWriter::new(out);
        let mut names: Option<Vec<Cow<'_, str>>> = None;
        let mut is_object = false;
        let (mut required, mut additional) = (None, None);
        for (key, value) in schema.members() {
            match key {
                b"required" => required = Some(value),
                b"additionalProperties" => additional = Some(value),
                b"properties" if value.is_object() => {
                    names = Some(value.members().map(|(name, _)| unescape(name)).collect());
                    self.map(value, object.key("properties"));
                }
                b"$defs" | b"definitions" => self.map(value, object.key(&unescape(key))),
                b"items" if value.is_object() => self.schema(value, object.key("items")),
                b"items" | b"anyOf" | b"oneOf" | b"allOf" => self.list(value, object.key(&unescape(key))),
                key if self.rule == Rule::Closed && BOUNDS.contains(&key) => (self.narrowed)(&unescape(key)),
                _ => {
                    is_object |= key == b"type" && names_object(value);
                    object.raw(&unescape(key), value.bytes);
                }
            }
        }
        let closes = names.is_some() || (self.rule == Rule::Closed && is_object);
        let is_open = additional.is_some_and(|additional| additional.boolean() != Some(false));
        if is_open || (is_object && names.is_none() && additional.is_none()) {
            (self.narrowed)(OPEN);
        }
        match (closes, additional) {
            (true, _) => object.boolean(OPEN, false),
            (false, Some(additional)) => object.raw(OPEN, additional.bytes),
            (false, None) => {}
        }
        match (self.rule, names, required) {
            (Rule::AllRequired, Some(mut names), required) => {
                names.sort_unstable();
                names.dedup();
                let told = required.map(|list| list.elements().filter_map(Raw::text).collect::<HashSet<_>>());
                if !names.iter().all(|name| told.as_ref().is_some_and(|told| told.contains(name))) {
                    (self.narrowed)("required");
                }
                let mut list = object.array("required");
                names.iter().for_each(|name| list.string(name));
            }
            (_, _, Some(required)) => object.raw("required", required.bytes),
            (_, _, None) => {}
        }
    }

    /// An object whose members are schemas.
    fn map(&mut self, schemas: Raw<'_>, out: &mut Vec<u8>) {
        if !schemas.is_object() {
            return out.extend_from_slice(schemas.bytes);
        }
        let mut object = ObjectWriter::new(out);
        for (name, schema) in schemas.members() {
            self.schema(schema, object.key(&unescape(name)));
        }
    }

    /// An array whose elements are schemas.
    fn list(&mut self, schemas: Raw<'_>, out: &mut Vec<u8>) {
        if schemas.kind != Kind::Array {
            return out.extend_from_slice(schemas.bytes);
        }
        let mut array = ArrayWriter::new(out);
        for schema in schemas.elements() {
            self.schema(schema, array.element());
        }
    }
}

/// A function as OpenAI takes it.
pub(crate) struct OpenAiFunction {
    pub strict: Option<bool>,
    /// The schema, if it had to be brought into the form of OpenAI's strict mode.
    pub fitted: Option<Json<'static>>,
}

impl OpenAiFunction {
    /// `function` of a client of `source`. Elsewhere strict functions may have arguments that can be absent; here they
    /// would all be demanded, and made up: such a function is not strict any more.
    pub(crate) fn of(function: &FunctionTool<'_>, source: Dialect, losses: &mut Losses) -> Self {
        let (Some(schema), Some(true), false) = (&function.parameters, function.strict, is_openais(source)) else {
            return Self { strict: function.strict, fitted: None };
        };
        let fitted = all_required_as_told(schema);
        if fitted.is_none() {
            losses.lose(Feature::StrictTools);
        }
        Self { strict: Some(fitted.is_some()), fitted }
    }
}

/// The form of an answer as OpenAI takes it from a client of `source`. Anthropic's and Converse's clients expect it to
/// follow its schema, which is brought into the form of OpenAI's strict mode.
pub(crate) fn answer_schema<'s, 'a>(schema: &'s Json<'a>, strict: Option<bool>, source: Dialect) -> Cow<'s, Json<'a>> {
    match strict {
        Some(true) if !is_openais(source) => Cow::Owned(all_required(schema)),
        Some(_) | None => Cow::Borrowed(schema),
    }
}

/// Clients of the dialect write strict schemas as OpenAI wants them.
fn is_openais(source: Dialect) -> bool {
    match source {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => true,
        Dialect::Anthropic | Dialect::Gemini | Dialect::BedrockConverse | Dialect::Cohere => false,
    }
}

/// What stands behind `type`, a name or a list of them, allows objects.
fn names_object(types: Raw<'_>) -> bool {
    types.quoted() == Some(b"object") || types.elements().any(|name| name.quoted() == Some(b"object"))
}

/// A schema of arguments that every provider takes for one: an object schema with a `type`.
pub(crate) fn object_schema<'a>(schema: &'a Json<'_>) -> Cow<'a, [u8]> {
    let raw = schema.raw();
    let typed = raw.members().any(|(key, _)| key == b"type");
    if typed && raw.is_object() {
        return Cow::Borrowed(schema.bytes());
    }
    let mut out = Vec::with_capacity(schema.bytes().len() + 20);
    let mut object = ObjectWriter::new(&mut out);
    object.string("type", "object");
    raw.members().for_each(|(key, value)| object.raw(&unescape(key), value.bytes));
    drop(object);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        Json(Cow::Borrowed(text.as_bytes()))
    }

    fn text(json: Json<'_>) -> String {
        String::from_utf8_lossy(json.bytes()).into_owned()
    }

    #[test]
    fn every_object_requires_all_its_properties_by_name() {
        let schema = r#"{"type":"object","properties":{"b":{"type":"object","properties":{}},"a":{"items":{"properties":{"x":{}}}}},"required":["b"]}"#;
        let expected = r#"{"type":"object","properties":{"b":{"type":"object","properties":{},"additionalProperties":false,"required":[]},"a":{"items":{"properties":{"x":{}},"additionalProperties":false,"required":["x"]}}},"additionalProperties":false,"required":["a","b"]}"#;
        assert_eq!(text(all_required(&json(schema))), expected);
    }

    #[test]
    fn branches_and_definitions_are_followed() {
        let schema = r#"{"anyOf":[{"properties":{"a":1}}],"$defs":{"D":{"properties":{}}}}"#;
        let expected = r#"{"anyOf":[{"properties":{"a":1},"additionalProperties":false,"required":["a"]}],"$defs":{"D":{"properties":{},"additionalProperties":false,"required":[]}}}"#;
        assert_eq!(text(all_required(&json(schema))), expected);
    }

    #[test]
    fn closing_keeps_optional_members_and_drops_bounds_but_no_property_of_that_name() {
        let mut dropped = Vec::new();
        let schema = r#"{"type":"object","properties":{"minimum":{"type":"integer","minimum":1}},"required":[]}"#;
        let expected = r#"{"type":"object","properties":{"minimum":{"type":"integer"}},"additionalProperties":false,"required":[]}"#;
        assert_eq!(text(closed(&json(schema), &mut |name| dropped.push(name.to_owned()))), expected);
        assert_eq!(dropped, ["minimum"]);
    }

    #[test]
    fn an_object_that_was_open_is_told_of() {
        let open = [
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"type":["object","null"],"properties":{},"additionalProperties":true}"#,
            r#"{"properties":{"a":{"type":"object"}}}"#,
        ];
        let shut = [
            r#"{"type":"object","properties":{}}"#,
            r#"{"type":"object","additionalProperties":false}"#,
            r#"{"type":"string"}"#,
            "true",
        ];
        assert!(open.iter().all(|schema| is_open(&json(schema))));
        assert!(!shut.iter().any(|schema| is_open(&json(schema))));
    }

    #[test]
    fn only_a_schema_that_requires_all_it_names_is_strict_as_told() {
        let rows = [
            (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, true),
            (r#"{"type":"object","properties":{"a":{},"b":{}},"required":["a"]}"#, false),
            (r#"{"type":"object","properties":{"a":{}}}"#, false),
            (r#"{"type":"object","properties":{},"additionalProperties":true}"#, false),
            (r#"{"type":"array","items":{"type":"string"}}"#, true),
        ];
        for (schema, expected) in rows {
            assert_eq!(all_required_as_told(&json(schema)).is_some(), expected, "{schema}");
        }
    }

    #[test]
    fn a_schema_without_a_type_becomes_an_object_schema() {
        assert_eq!(object_schema(&json("{}")).as_ref(), br#"{"type":"object"}"#);
        assert_eq!(object_schema(&json("null")).as_ref(), br#"{"type":"object"}"#);
        assert_eq!(object_schema(&json(r#"{"type":"object"}"#)).as_ref(), br#"{"type":"object"}"#);
    }
}
