//! OpenAPI's subset of schemas, read as JSON Schema.
//!
//! Invariant: names of properties stay as they are; keywords, whose spelling varies between SDKs, become JSON Schema's.
//! An order of properties, for which JSON Schema has no keyword, becomes the order in which they stand.

use std::collections::HashMap;

use crate::json::{ArrayWriter, Kind, ObjectWriter, Raw, unescape, write_string};
use crate::model::Json;

/// The JSON Schema that means the same as `schema`.
pub(in crate::dialect::gemini) fn from_openapi(schema: Raw<'_>) -> Json<'static> {
    let mut out = Vec::with_capacity(schema.bytes.len() + 32);
    rewrite(schema, &mut out);
    Json::owned(out)
}

/// `schema`, which is JSON Schema but for an order of properties that Google lets stand in it.
pub(in crate::dialect::gemini) fn from_json_schema(schema: Raw<'_>) -> Json<'_> {
    match memchr::memmem::find(schema.bytes, b"propertyOrdering") {
        None => schema.into(),
        Some(_) => from_openapi(schema),
    }
}

fn rewrite(schema: Raw<'_>, out: &mut Vec<u8>) {
    if !schema.is_object() {
        return out.extend_from_slice(schema.bytes);
    }
    let is_nullable = schema.members().any(|(key, value)| key == b"nullable" && value.is_true());
    let is_typed = schema.members().any(|(key, _)| key == b"type");
    let order = schema.members().find(|(key, _)| matches!(*key, b"propertyOrdering" | b"property_ordering"));
    let mut object = ObjectWriter::new(out);
    for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"type" => write_type(value, is_nullable, object.key("type")),
            b"nullable" => {}
            b"anyOf" | b"any_of" => {
                let mut branches = object.array("anyOf");
                value.elements().for_each(|branch| rewrite(branch, branches.element()));
                if is_nullable && !is_typed {
                    branches.raw(br#"{"type":"null"}"#);
                }
            }
            b"prefixItems" | b"prefix_items" => {
                let mut items = object.array("prefixItems");
                value.elements().for_each(|item| rewrite(item, items.element()));
            }
            b"items" => rewrite(value, object.key("items")),
            b"additionalProperties" | b"additional_properties" => {
                rewrite(value, object.key("additionalProperties"));
            }
            b"properties" => rewrite_all(&ordered(value, order.map(|(_, order)| order)), object.key("properties")),
            b"propertyOrdering" | b"property_ordering" => {}
            b"defs" | b"$defs" => rewrite_all(&value.members().collect::<Vec<_>>(), object.key("$defs")),
            b"ref" => object.raw("$ref", value.bytes),
            b"minItems" | b"min_items" => write_count(value, object.key("minItems")),
            b"maxItems" | b"max_items" => write_count(value, object.key("maxItems")),
            b"minLength" | b"min_length" => write_count(value, object.key("minLength")),
            b"maxLength" | b"max_length" => write_count(value, object.key("maxLength")),
            b"minProperties" | b"min_properties" => write_count(value, object.key("minProperties")),
            b"maxProperties" | b"max_properties" => write_count(value, object.key("maxProperties")),
            _ => object.raw(&unescape(key), value.bytes),
        }
    }
}

/// An object whose members are schemas.
fn rewrite_all(schemas: &[Member<'_>], out: &mut Vec<u8>) {
    let mut object = ObjectWriter::new(out);
    for (name, schema) in schemas {
        rewrite(*schema, object.key(&unescape(name)));
    }
}

/// A member's name, as it stands between its quotes, and its value.
type Member<'a> = (&'a [u8], Raw<'a>);

/// The members of `properties`: those that `order` names first, in that order, then all others in theirs.
fn ordered<'a>(properties: Raw<'a>, order: Option<Raw<'_>>) -> Vec<Member<'a>> {
    let mut members: Vec<_> = properties.members().collect();
    let names = order.into_iter().flat_map(Raw::elements).filter_map(Raw::text).enumerate();
    let places: HashMap<_, _> = names.map(|(place, name)| (name, place)).collect();
    if !places.is_empty() {
        members.sort_by_key(|(name, _)| places.get(&unescape(name)).copied().unwrap_or(usize::MAX));
    }
    members
}

fn write_type(value: Raw<'_>, is_nullable: bool, out: &mut Vec<u8>) {
    let Some(name) = type_name(value) else { return out.extend_from_slice(value.bytes) };
    if !is_nullable || name == "null" {
        return write_string(out, &name);
    }
    let mut types = ArrayWriter::new(out);
    types.string(&name);
    types.string("null");
}

/// JSON Schema's name of a type, which may be told as the number of Google's enumeration.
fn type_name(value: Raw<'_>) -> Option<String> {
    const NUMBERED: [&str; 8] = ["", "string", "number", "integer", "boolean", "array", "object", "null"];
    match value.kind {
        Kind::String => value.text().map(|name| name.to_ascii_lowercase()),
        Kind::Number => NUMBERED.get(usize::try_from(value.count()?).ok()?).map(|name| (*name).to_owned()),
        Kind::Object | Kind::Array | Kind::Bool | Kind::Null => None,
    }
}

/// Google's JSON spells 64-bit counts as strings.
fn write_count(value: Raw<'_>, out: &mut Vec<u8>) {
    let digits = value.quoted().filter(|text| !text.is_empty() && text.iter().all(u8::is_ascii_digit));
    out.extend_from_slice(digits.unwrap_or(value.bytes));
}
