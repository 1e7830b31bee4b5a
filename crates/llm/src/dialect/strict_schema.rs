//! Copies of JSON Schemas that fit what providers accept where answers or arguments must follow a schema exactly.
//!
//! Invariant: what a schema describes only grows narrower in the open places providers refuse (unknown members, absent
//! members); the client's own schema is not touched, and one walk rewrites it whatever its depth. Called by the writers
//! of dialects whose providers are strict.

use std::borrow::Cow;

use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, unescape};
use crate::model::Json;

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

/// The schema as OpenAI's strict mode wants it: every object with `properties` is closed and requires all
/// of them, their names sorted.
pub(crate) fn all_required(schema: &Json<'_>) -> Json<'static> {
    rewrite(schema, Rule::AllRequired, &mut |_| {})
}

/// The schema as Anthropic's strict mode wants it: every object is closed, and keywords that bound values are left out;
/// `dropped` is told their names.
pub(crate) fn closed(schema: &Json<'_>, dropped: &mut dyn FnMut(&str)) -> Json<'static> {
    rewrite(schema, Rule::Closed, dropped)
}

fn rewrite(schema: &Json<'_>, rule: Rule, dropped: &mut dyn FnMut(&str)) -> Json<'static> {
    let mut out = Vec::with_capacity(schema.bytes().len() + 64);
    Rewriter { rule, dropped }.schema(schema.raw(), &mut out);
    Json::owned(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    AllRequired,
    Closed,
}

struct Rewriter<'d> {
    rule: Rule,
    dropped: &'d mut dyn FnMut(&str),
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
                key if self.rule == Rule::Closed && BOUNDS.contains(&key) => (self.dropped)(&unescape(key)),
                _ => {
                    is_object |= key == b"type" && value.bytes == br#""object""#;
                    object.raw(&unescape(key), value.bytes);
                }
            }
        }
        let closes = names.is_some() || (self.rule == Rule::Closed && is_object);
        match (closes, additional) {
            (true, _) => object.boolean("additionalProperties", false),
            (false, Some(additional)) => object.raw("additionalProperties", additional.bytes),
            (false, None) => {}
        }
        match (self.rule, names, required) {
            (Rule::AllRequired, Some(mut names), _) => {
                names.sort_unstable();
                names.dedup();
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
    fn a_schema_without_a_type_becomes_an_object_schema() {
        assert_eq!(object_schema(&json("{}")).as_ref(), br#"{"type":"object"}"#);
        assert_eq!(object_schema(&json("null")).as_ref(), br#"{"type":"object"}"#);
        assert_eq!(object_schema(&json(r#"{"type":"object"}"#)).as_ref(), br#"{"type":"object"}"#);
    }
}
