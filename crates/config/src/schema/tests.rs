//! Every text of the validator, its leniencies, its defaults, and what it makes of Rust types.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::*;

fn error(schema: Value, value: Value) -> String {
    let validator = Validator::compile(&schema).expect("the schema compiles");
    validator.check(&value).expect_err("the value is wrong")
}

fn accepts(schema: Value, value: Value) {
    let outcome = Validator::compile(&schema).expect("the schema compiles").check(&value);
    assert_eq!(outcome, Ok(()), "{schema} must accept {value}");
}

fn filled(schema: Value, mut value: Value) -> Value {
    let validator = Validator::compile(&schema).expect("the schema compiles");
    validator.check_and_fill(&mut value).expect("the value is right");
    value
}

#[test]
fn every_failure_has_the_text_of_apisix() {
    let string = json!({"type": "string"});
    let table = [
        (json!({"type": "string"}), json!(1), "wrong type: expected string, got number"),
        (json!({"type": "string"}), json!(null), "wrong type: expected string, got userdata"),
        (json!({"type": "string"}), json!(true), "wrong type: expected string, got boolean"),
        (json!({"type": "integer"}), json!(1.5), "wrong type: expected integer, got number"),
        (json!({"type": "object"}), json!([1]), "wrong type: expected object, got table"),
        (
            json!({"type": ["string", "number"]}),
            json!({"a": 1}),
            "wrong type: expected one of string, number, got table",
        ),
        (
            json!({"properties": {"a": string}}),
            json!({"a": 1}),
            "property \"a\" validation failed: wrong type: expected string, got number",
        ),
        (
            json!({"items": string}),
            json!(["x", 1]),
            "failed to validate item 2: wrong type: expected string, got number",
        ),
        (json!({"properties": {"a": {}}, "required": ["a"]}), json!({}), "property \"a\" is required"),
        (json!({"required": ["b"]}), json!({"a": 1}), "property \"b\" is required"),
        (
            json!({"properties": {"a": {}}, "dependencies": {"a": ["b"]}}),
            json!({"a": 1}),
            "property \"b\" is required when \"a\" is set",
        ),
        (json!({"dependencies": {"a": ["b"]}}), json!({"a": 1}), "property \"b\" is required when \"a\" is set"),
        (
            json!({"dependencies": {"a": {"required": ["b"]}}}),
            json!({"a": 1}),
            "failed to validate dependent schema for \"a\": property \"b\" is required",
        ),
        (
            json!({"patternProperties": {"^x\\d$": string}}),
            json!({"x1": 1}),
            "failed to validate x1 (matching \"^x\\\\d$\"): wrong type: expected string, got number",
        ),
        (
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            json!({"a": 1, "b": 2}),
            "additional properties forbidden, found b",
        ),
        (
            json!({"additionalProperties": string}),
            json!({"b": 2}),
            "failed to validate additional property b: wrong type: expected string, got number",
        ),
        (json!({"minProperties": 1}), json!({}), "expect object to have at least 1 properties"),
        (json!({"maxProperties": 1}), json!({"a": 1, "b": 2}), "expect object to have at most 1 properties"),
        (json!({"minItems": 2}), json!([1]), "expect array to have at least 2 items"),
        (json!({"maxItems": 1}), json!([1, 2]), "expect array to have at most 1 items"),
        (json!({"uniqueItems": true}), json!([1, 2, 1.0]), "expected unique items but items 1 and 3 are equal"),
        (
            json!({"uniqueItems": true}),
            json!([{"a": 1}, 2, {"a": 1.0}]),
            "expected unique items but items 1 and 3 are equal",
        ),
        (json!({"minLength": 3}), json!("äö"), "string too short, expected at least 3, got 2"),
        (json!({"maxLength": 1}), json!("äö"), "string too long, expected at most 1, got 2"),
        (json!({"pattern": "^\\d+$"}), json!("a\\b"), "failed to match pattern \"^\\\\d+$\" with \"a\\\\b\""),
        (json!({"minimum": 2}), json!(1), "expected 1 to be at least 2"),
        (json!({"maximum": 2}), json!(2.5), "expected 2.5 to be at most 2"),
        (json!({"exclusiveMinimum": 0}), json!(0), "expected 0 to be greater than 0"),
        (json!({"exclusiveMaximum": 1}), json!(1), "expected 1 to be smaller than 1"),
        (json!({"multipleOf": 2}), json!(3), "expected 3 to be a multiple of 2"),
        (json!({"enum": ["a", "b"]}), json!("c"), "matches none of the enum values"),
        (json!({"allOf": [{}, string]}), json!(1), "allOf 2 failed: wrong type: expected string, got number"),
        (json!({"anyOf": [string]}), json!(1), "object matches none of the required"),
        (
            json!({"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]}),
            json!({"a": 1}),
            "object matches none of the required: [\"a\",\"b\"] or [\"c\"]",
        ),
        (
            json!({"oneOf": [string, {"type": "number"}]}),
            json!(true),
            "value should match only one schema, but matches none",
        ),
        (
            json!({"oneOf": [string, {"type": "number"}, {"type": "integer"}]}),
            json!(1),
            "value should match only one schema, but matches both schemas 2 and 3",
        ),
        (json!({"if": {"type": "string"}, "then": {"minLength": 2}}), json!("x"), "then clause did not match"),
        (json!({"if": {"type": "string"}, "else": {"minimum": 2}}), json!(1), "else clause did not match"),
        (json!({"not": string}), json!("x"), "value wasn't supposed to match schema"),
        (json!({"const": 1}), json!(2), "failed to check const value"),
        (json!({"contains": {"const": 1}}), json!([2]), "failed to check contains"),
        (json!(false), json!(1), "expect false always"),
    ];
    for (schema, value, text) in table {
        assert_eq!(error(schema.clone(), value), text, "{schema}");
    }
}

#[test]
fn formats_are_checked() {
    let table = [
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("ipv6", "fe80::1", "fe80::1::2"),
        ("email", "jack.x@example.com", "jack@example"),
        ("hostname", "a-b.example", "a_b"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("date", "2026-11-20", "2026-13-20"),
        ("date-time", "2026-11-20T10:00:00.5+01:00", "2026-11-20T25:00:00Z"),
        ("uri", "https://example.com/x", "no scheme"),
    ];
    for (format, right, wrong) in table {
        accepts(json!({"format": format}), json!(right));
        let expected = format!("expect valid {format} format but got: {wrong}");
        assert_eq!(error(json!({"format": format}), json!(wrong)), expected);
    }
    accepts(json!({"format": "unheard-of"}), json!("anything"));
}

#[test]
fn the_type_is_checked_before_properties_and_these_before_the_rest() {
    let schema = json!({
        "type": "object",
        "properties": {"b": {"type": "string"}, "a": {"type": "string"}},
        "required": ["c"],
        "additionalProperties": false,
        "anyOf": [{"required": ["z"]}],
        "not": {}
    });
    assert!(error(schema.clone(), json!(1)).starts_with("wrong type"));
    assert!(error(schema.clone(), json!({"a": 1, "b": 1, "d": 1})).starts_with("property \"b\" validation"));
    assert_eq!(error(schema.clone(), json!({"d": 1})), "property \"c\" is required");
    assert_eq!(error(schema.clone(), json!({"c": 1})), "additional properties forbidden, found c");
}

#[test]
fn whole_numbers_may_be_written_with_a_point() {
    assert_eq!(filled(json!({"type": "integer"}), json!(1.0)), json!(1));
    accepts(json!({"enum": [1, 0]}), json!(1.0));
}

#[test]
fn empty_arrays_and_empty_objects_are_the_same() {
    let object = json!({"type": "object", "properties": {"a": {"default": 1}}});
    assert_eq!(filled(object, json!([])), json!({"a": 1}));
    assert_eq!(filled(json!({"type": "array", "maxItems": 0}), json!({})), json!([]));
    assert_eq!(error(json!({"type": "array", "minItems": 1}), json!({})), "expect array to have at least 1 items");
}

#[test]
fn references_to_secrets_pass_for_any_text() {
    let schema = json!({"properties": {
        "text": {"type": "string", "maxLength": 2},
        "free": {"enum": ["a"]},
        "number": {"type": "integer"}
    }});
    accepts(schema.clone(), json!({"text": "$secret://vault/1/a/b", "free": "$ENV://NAME"}));
    assert!(error(schema.clone(), json!({"number": "$env://N"})).contains("expected integer, got string"));
    assert!(error(schema, json!({"text": "x$env://N"})).contains("string too long"));
}

#[test]
fn defaults_are_filled_only_into_objects_that_are_there() {
    let schema = json!({"properties": {
        "a": {"type": "object", "properties": {"x": {"default": 1}}},
        "b": {"type": "object", "properties": {"x": {"default": [2]}}, "default": {"y": 0}},
        "c": {"default": "text"}
    }});
    assert_eq!(filled(schema.clone(), json!({})), json!({"b": {"y": 0}, "c": "text"}));
    let written = json!({"a": {}, "b": {}, "c": "mine"});
    assert_eq!(filled(schema, written), json!({"a": {"x": 1}, "b": {"x": [2]}, "c": "mine"}));
}

#[test]
fn a_filled_default_counts_for_the_keywords_after_it() {
    let schema = json!({"properties": {"type": {"default": "x"}}, "oneOf": [{"required": ["type"]}]});
    accepts(schema, json!({}));
}

#[test]
fn checking_leaves_the_value_as_it_was() {
    let validator = Validator::compile(&json!({"properties": {"a": {"default": 1}}})).expect("it compiles");
    let value = json!({});
    validator.check(&value).expect("the value is right");
    assert_eq!(value, json!({}));
}

#[test]
fn numbers_are_printed_as_lua_prints_them() {
    let table = [
        (0.1, "0.1"),
        (100.0, "100"),
        (-3.25, "-3.25"),
        (1e13, "10000000000000"),
        (1e14, "1e+14"),
        (1.5e-7, "1.5e-07"),
        (1.0 / 3.0, "0.33333333333333"),
    ];
    for (number, printed) in table {
        assert_eq!(text::number_text(number), printed);
    }
}

#[test]
fn a_wrong_schema_does_not_compile() {
    let table = [
        (json!({"type": "text"}), SchemaError::UnknownType("text".to_owned())),
        (json!({"properties": 1}), SchemaError::Keyword("properties")),
        (json!({"not": 1}), SchemaError::NotASchema("number")),
    ];
    for (schema, expected) in table {
        assert_eq!(Validator::compile(&schema).expect_err("it is wrong"), expected);
    }
    let pattern = Validator::compile(&json!({"pattern": "("})).expect_err("it is wrong");
    assert!(matches!(pattern, SchemaError::Pattern(_)));
}

#[test]
fn a_schema_nested_without_end_does_not_compile() {
    let mut schema = json!({});
    for _ in 0..MAX_DEPTH * 2 {
        schema = json!({"not": schema});
    }
    assert_eq!(Validator::compile(&schema).expect_err("it is too deep"), SchemaError::TooDeep);
}

/// How a plugin's configuration looks.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// What it is called.
    name: String,
    #[schemars(range(min = 1, max = 600))]
    count: Option<u64>,
    #[serde(default)]
    mode: Mode,
    share: Option<f64>,
    tags: Option<Vec<String>>,
    inner: Option<Inner>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    free: Option<Value>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Quickly.
    #[default]
    Fast,
    /// Slowly.
    Slow,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Inner {
    #[serde(default = "ten")]
    size: u32,
    next: Option<Box<Inner>>,
}

fn ten() -> u32 {
    10
}

#[test]
fn a_rust_type_gives_a_plain_schema() {
    let schema = of::<Sample>();
    let properties = &schema["properties"];
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(properties["name"], json!({"type": "string", "description": "What it is called."}));
    assert_eq!(properties["count"], json!({"type": "integer", "minimum": 1, "maximum": 600}));
    assert_eq!(properties["share"], json!({"type": "number"}));
    assert_eq!(properties["tags"], json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(properties["mode"]["enum"], json!(["fast", "slow"]));
    assert_eq!(properties["mode"]["default"], "fast");
    assert_eq!(properties["inner"]["type"], "object");
    assert_eq!(properties["inner"]["properties"]["size"]["default"], 10);
    let text = schema.to_string();
    for noise in ["$ref", "$schema", "title", "null", "uint", "definitions"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
}

#[test]
fn a_derived_schema_checks_what_its_type_reads() {
    let validator = Validator::compile(&of::<Sample>()).expect("it compiles");
    let mut value = json!({"name": "x", "inner": {"next": {}}, "mode": "slow"});
    validator.check_and_fill(&mut value).expect("the value is right");
    let sample: Sample = serde_json::from_value(value).expect("what the schema accepts, the type reads");
    assert_eq!(sample.inner.map(|inner| inner.size), Some(10));
    let wrong = validator.check(&json!({"name": "x", "mode": "other"}));
    assert_eq!(wrong, Err("property \"mode\" validation failed: matches none of the enum values".to_owned()));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("$env://X")),
    ];
    let key = prop_oneof![
        Just("type".to_owned()),
        Just("nodes".to_owned()),
        Just("properties".to_owned()),
        Just("items".to_owned()),
        Just("plugins".to_owned()),
        Just("uri".to_owned()),
        Just("required".to_owned()),
        Just("anyOf".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_makes_the_validator_panic(value in json_value()) {
        for kind in crate::resource::Kind::ALL {
            let _ = crate::resource::validator(kind).check(&value);
        }
    }

    #[test]
    fn no_schema_makes_the_compiler_panic(schema in json_value(), value in json_value()) {
        if let Ok(validator) = Validator::compile(&schema) {
            let _ = validator.check(&value);
        }
    }

    #[test]
    fn what_was_accepted_and_filled_is_accepted_again_unchanged(value in json_value()) {
        for kind in crate::resource::Kind::ALL {
            let validator = crate::resource::validator(kind);
            let mut once = value.clone();
            if validator.check_and_fill(&mut once).is_ok() {
                let mut twice = once.clone();
                prop_assert_eq!(validator.check_and_fill(&mut twice), Ok(()));
                prop_assert_eq!(once, twice);
            }
        }
    }
}
