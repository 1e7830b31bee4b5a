//! JSON Schemas cut down to the keywords that Gemini knows; it refuses or misreads others.
//!
//! Invariant: what the written schema allows is never narrower than what the client's allows. Called by the writer of
//! requests from other dialects.

use crate::json::{Kind, ObjectWriter, Raw, unescape};
use crate::model::Json;

/// Keywords that say nothing about what is valid.
const ANNOTATIONS: [&[u8]; 9] =
    [b"$schema", b"$comment", b"strict", b"default", b"example", b"examples", b"deprecated", b"readOnly", b"writeOnly"];

/// Formats of strings and numbers that Gemini knows.
const FORMATS: [&[u8]; 7] = [b"date-time", b"date", b"time", b"int32", b"int64", b"float", b"double"];

/// Where JSON Schema's older drafts keep what `$ref` names.
const OLD_DEFINITIONS: &str = "#/definitions/";

/// The schema in words that Gemini accepts. `dropped` is told the keywords left out that do restrict values.
pub(in crate::dialect::gemini) fn accepted(schema: &Json<'_>, dropped: &mut dyn FnMut(&str)) -> Vec<u8> {
    let mut out = Vec::with_capacity(schema.bytes().len());
    rewrite(schema.raw(), dropped, &mut out);
    out
}

fn rewrite(schema: Raw<'_>, dropped: &mut dyn FnMut(&str), out: &mut Vec<u8>) {
    let object = &mut ObjectWriter::new(out);
    // Nothing but its kin may stand beside a reference.
    let is_reference = schema.members().any(|(key, value)| key == b"$ref" || wrapped_reference(key, value).is_some());
    let is_typed = schema.members().any(|(key, _)| key == b"type");
    for (key, value) in schema.members() {
        match key {
            b"$ref" => write_reference(value, object),
            b"$defs" | b"definitions" => rewrite_map(value, dropped, object.key("$defs")),
            b"$id" | b"$anchor" => object.raw(&unescape(key), value.bytes),
            b"allOf" => match wrapped_reference(key, value) {
                Some(reference) => write_reference(reference, object),
                None => dropped("allOf"),
            },
            _ if is_reference => {}
            b"type" | b"title" | b"description" | b"enum" | b"minItems" | b"maxItems" | b"minimum" | b"maximum"
            | b"required" | b"propertyOrdering" => object.raw(&unescape(key), value.bytes),
            b"format" if value.quoted().is_some_and(|format| FORMATS.contains(&format)) => {
                object.raw("format", value.bytes);
            }
            b"const" => write_const(value, is_typed, dropped, object),
            b"additionalProperties" if value.kind == Kind::Bool => object.raw("additionalProperties", value.bytes),
            b"items" | b"additionalProperties" => rewrite(value, dropped, object.key(&unescape(key))),
            b"properties" => rewrite_map(value, dropped, object.key("properties")),
            b"prefixItems" | b"anyOf" | b"oneOf" => {
                let mut schemas = object.array(&unescape(key));
                value.elements().for_each(|schema| rewrite(schema, dropped, schemas.element()));
            }
            _ if ANNOTATIONS.contains(&key) => {}
            _ => dropped(&unescape(key)),
        }
    }
}

/// The reference in `allOf: [{"$ref": …}]`, which is how older generators put words beside a reference.
fn wrapped_reference<'a>(key: &[u8], value: Raw<'a>) -> Option<Raw<'a>> {
    let mut all = value.elements().filter(|_| key == b"allOf");
    let only = all.next()?;
    if all.next().is_some() { None } else { only.get("$ref") }
}

/// An object whose members are schemas.
fn rewrite_map(schemas: Raw<'_>, dropped: &mut dyn FnMut(&str), out: &mut Vec<u8>) {
    let mut object = ObjectWriter::new(out);
    for (name, schema) in schemas.members() {
        rewrite(schema, dropped, object.key(&unescape(name)));
    }
}

fn write_reference(reference: Raw<'_>, object: &mut ObjectWriter<'_>) {
    let target = reference.text().unwrap_or_default();
    match target.strip_prefix(OLD_DEFINITIONS) {
        Some(name) => object.string("$ref", &format!("#/$defs/{name}")),
        None => object.raw("$ref", reference.bytes),
    }
}

/// A constant is a choice of one; Gemini has such choices for strings and numbers.
fn write_const(value: Raw<'_>, is_typed: bool, dropped: &mut dyn FnMut(&str), object: &mut ObjectWriter<'_>) {
    let kind = match value.kind {
        Kind::String => "string",
        Kind::Number => "number",
        Kind::Bool => "boolean",
        Kind::Null => "null",
        Kind::Object | Kind::Array => return dropped("const"),
    };
    if !is_typed {
        object.string("type", kind);
    }
    match value.kind {
        Kind::String | Kind::Number => object.array("enum").raw(value.bytes),
        Kind::Bool => dropped("const"),
        Kind::Null | Kind::Object | Kind::Array => {}
    }
}
