#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::vars::Var;

struct Map(BTreeMap<&'static str, Var<'static>>);

impl Vars for Map {
    fn var(&self, name: &str) -> Var<'_> {
        self.0.get(name).cloned().unwrap_or(Var::Nil)
    }
}

fn text(text: &'static str) -> Var<'static> {
    Var::Text(Cow::Borrowed(text))
}

fn list(value: Value) -> Var<'static> {
    Var::Json(Cow::Owned(value))
}

fn vars() -> Map {
    Map(BTreeMap::from([
        ("arg_name", text("json")),
        ("arg_age", text("18")),
        ("arg_hex", text(" 0x1F ")),
        ("arg_flag", Var::Bool(true)),
        ("arg_off", Var::Bool(false)),
        ("status", Var::Number(200.0)),
        ("remote_addr", text("10.1.2.3")),
        ("server_addr", text("2001:db8::7")),
        ("post_arg.tags", list(json!(["a", 1, null]))),
        ("post_arg.model", list(json!("gpt-5"))),
        ("post_arg.n", list(json!(3))),
        ("post_arg.null", list(json!(null))),
        ("post_arg.object", list(json!({"a": 1}))),
    ]))
}

fn holds(rule: &Value) -> bool {
    Expr::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}")).eval(&vars())
}

#[test]
fn every_operator_compares_as_apisix_does() {
    for (test, expected) in [
        // == is strict, but for numbers, to which text is converted.
        (json!(["arg_name", "==", "json"]), true),
        (json!(["arg_name", "==", "JSON"]), false),
        (json!(["arg_age", "==", 18]), true),
        (json!(["arg_age", "==", 18.0]), true),
        (json!(["arg_age", "==", "18"]), true),
        (json!(["arg_age", "==", "18.0"]), false),
        (json!(["arg_hex", "==", 31]), true),
        (json!(["arg_name", "==", 18]), false),
        (json!(["arg_missing", "==", 18]), false),
        (json!(["arg_missing", "==", null]), true),
        (json!(["arg_missing", "=="]), true),
        (json!(["post_arg.null", "==", null]), true),
        (json!(["arg_name", "==", null]), false),
        (json!(["arg_flag", "==", true]), true),
        (json!(["arg_flag", "==", "true"]), false),
        (json!(["arg_off", "==", null]), false),
        (json!(["status", "==", 200]), true),
        (json!(["status", "==", "200"]), false),
        (json!(["post_arg.model", "==", "gpt-5"]), true),
        (json!(["post_arg.n", "==", 3]), true),
        (json!(["post_arg.tags", "==", ["a", 1, null]]), false),
        // ~= is the negation, with the same conversion.
        (json!(["arg_name", "~=", "xml"]), true),
        (json!(["arg_name", "~=", "json"]), false),
        (json!(["arg_age", "~=", 18]), false),
        (json!(["arg_name", "~=", 18]), true),
        (json!(["arg_missing", "~=", null]), false),
        (json!(["arg_missing", "~=", "x"]), true),
        // Orderings convert both sides.
        (json!(["arg_age", ">", 17]), true),
        (json!(["arg_age", ">", 18]), false),
        (json!(["arg_age", ">", "17"]), true),
        (json!(["arg_age", ">=", 18]), true),
        (json!(["arg_age", "<", 18.5]), true),
        (json!(["arg_age", "<", 18]), false),
        (json!(["arg_age", "<=", "0x12"]), true),
        (json!(["arg_name", ">", 1]), false),
        (json!(["arg_name", "<", 1]), false),
        (json!(["arg_age", ">", "old"]), false),
        (json!(["arg_missing", "<", 1]), false),
        (json!(["arg_flag", ">", 0]), false),
        (json!(["post_arg.n", ">", 2]), true),
        // Regular expressions search.
        (json!(["arg_name", "~~", "so"]), true),
        (json!(["arg_name", "~~", "^so"]), false),
        (json!(["arg_name", "~~", "SO"]), false),
        (json!(["arg_name", "~*", "SO"]), true),
        (json!(["arg_name", "~~", "^(?!xml)"]), true),
        (json!(["arg_missing", "~~", ".*"]), false),
        (json!(["arg_off", "~~", ".*"]), false),
        (json!(["arg_flag", "~~", "^true$"]), true),
        (json!(["status", "~~", "^2\\d\\d$"]), true),
        (json!(["arg_age", "~~", 18]), true),
        // in is strict and wants an array on the right.
        (json!(["arg_name", "in", ["xml", "json"]]), true),
        (json!(["arg_name", "IN", ["json"]]), true),
        (json!(["arg_name", "in", ["xml"]]), false),
        (json!(["arg_name", "in", "json"]), false),
        (json!(["arg_name", "in", {"json": 1}]), false),
        (json!(["arg_age", "in", [18]]), false),
        (json!(["status", "in", [200]]), true),
        (json!(["arg_missing", "in", [null]]), false),
        (json!(["arg_name", "in", []]), false),
        // has wants an array on the left.
        (json!(["post_arg.tags", "has", "a"]), true),
        (json!(["post_arg.tags", "has", 1]), true),
        (json!(["post_arg.tags", "has", "1"]), false),
        (json!(["post_arg.tags", "has", null]), false),
        (json!(["post_arg.object", "has", "a"]), false),
        (json!(["arg_name", "has", "json"]), false),
        (json!(["arg_missing", "has", "json"]), false),
        // ipmatch takes addresses and networks, one or several.
        (json!(["remote_addr", "ipmatch", "10.0.0.0/8"]), true),
        (json!(["remote_addr", "ipmatch", "10.1.2.3"]), true),
        (json!(["remote_addr", "ipmatch", ["127.0.0.1", "10.1.0.0/16"]]), true),
        (json!(["remote_addr", "ipmatch", ["127.0.0.1", "192.168.0.0/16"]]), false),
        (json!(["server_addr", "ipmatch", "2001:db8::/32"]), true),
        (json!(["remote_addr", "ipmatch", "::/0"]), false),
        (json!(["arg_name", "ipmatch", "10.0.0.0/8"]), false),
        (json!(["arg_missing", "ipmatch", "0.0.0.0/0"]), false),
        // The prefix ! negates, and so holds where the operator cannot.
        (json!(["arg_name", "!", "in", ["xml"]]), true),
        (json!(["arg_name", "!", "==", "json"]), false),
        (json!(["arg_missing", "!", "~~", ".*"]), true),
        (json!(["remote_addr", "!", "ipmatch", "127.0.0.0/8"]), true),
        (json!(["arg_name", "!", ">", 1]), true),
        // The legacy form is equality.
        (json!(["arg_name", "json"]), true),
        (json!(["arg_name", "xml"]), false),
        (json!(["arg_age", 18]), true),
        (json!(["arg_flag", true]), true),
        (json!(["arg_missing", null]), true),
    ] {
        assert_eq!(holds(&json!([test])), expected, "{test}");
    }
}

#[test]
fn lists_combine_conditions() {
    let yes = json!(["arg_name", "==", "json"]);
    let no = json!(["arg_name", "==", "xml"]);
    for (rule, expected) in [
        (json!([]), true),
        (json!({}), true),
        (json!([yes, yes]), true),
        (json!([yes, no]), false),
        (json!(["AND", yes, no]), false),
        (json!(["and", yes, yes]), true),
        (json!(["OR", no, yes]), true),
        (json!(["OR", no, no]), false),
        (json!(["!AND", yes, no]), true),
        (json!(["!and", yes, yes]), false),
        (json!(["!OR", no, no]), true),
        (json!(["!OR", no, yes]), false),
        (json!([yes, ["OR", no, ["AND", yes, yes]]]), true),
        (json!([[yes, yes], ["!OR", no, yes]]), false),
    ] {
        assert_eq!(holds(&rule), expected, "{rule}");
    }
}

#[test]
fn a_wrong_expression_is_refused_with_the_text_of_apisix() {
    for (rule, expected) in [
        (json!(null), "missing argument rule"),
        (json!("a == b"), "invalid expression"),
        (json!({"a": 1}), "invalid expression"),
        (json!(["a", "==", "b"]), "rule should be wrapped inside brackets"),
        (json!([1]), "rule should be wrapped inside brackets"),
        (json!(["AND"]), "rule too short"),
        (json!(["OR", ["a", "==", "b"]]), "rule too short"),
        (json!([[]]), "rule too short"),
        (json!([["a", "==", "b"], []]), "rule too short"),
        (json!([{}]), "rule too short"),
        (json!([["a", "==", "b"], {"c": 1}]), "rule too short"),
        (json!([["a", "=", "b"]]), "invalid operator '='"),
        (json!([["a", "LIKE", "b"]]), "invalid operator 'like'"),
        (json!([["a", 1, "b"]]), "invalid operator '1'"),
        (json!([["a", "!", "=="]]), "invalid operator '!'"),
        (json!([["a", "not", "==", "b"]]), "bad 'not' expression"),
        (json!([["a", "!", "=", "b"]]), "invalid operator '='"),
        (json!([["a"]]), "invalid expression"),
        (json!([["a", ["b"]]]), "invalid expression"),
        (json!([[1, "==", "b"]]), "invalid expression"),
        (json!([[null, "==", "b"]]), "invalid expression"),
        (json!([["a", null, "b"]]), "invalid expression"),
        (json!([["a", "==", "b"], "c"]), "invalid expression"),
        (json!(["OR", ["a", "==", "b"], "c"]), "invalid expression"),
        (json!([["a", "~~", ["b"]]]), "invalid expression"),
        (json!([["a", "ipmatch", "10.0.0.0/33"]]), "invalid ip address"),
        (json!([["a", "ipmatch", ["10.0.0.1", "home"]]]), "invalid ip address"),
        (json!([["a", "ipmatch", 1]]), "invalid ip address"),
        (json!([["a", "ipmatch"]]), "invalid ip address"),
    ] {
        let error = Expr::parse(&rule).expect_err(&rule.to_string());
        assert_eq!(error.to_string(), expected, "{rule}");
    }
}

#[test]
fn a_bad_regular_expression_is_refused_when_it_is_written() {
    let error = Expr::parse(&json!([["a", "~~", "(b"]])).unwrap_err();
    assert!(error.to_string().starts_with("invalid regex '(b': "), "{error}");
}

#[test]
fn a_bad_path_into_the_body_is_refused_when_it_is_written() {
    let error = Expr::parse(&json!([["post_arg.a[", "==", "b"]])).unwrap_err();
    assert!(error.to_string().starts_with("invalid JSONPath in 'post_arg.a[': at position "), "{error}");
    for other in ["arg_a[", "http_x[]", "post_arg.a.", "post_arg_a[", "post_arg.a[?(@.b == 1)]"] {
        assert!(Expr::parse(&json!([[other, "==", "b"]])).is_ok(), "{other}");
    }
}

#[test]
fn endless_nesting_is_refused() {
    let mut rule = json!([["a", "==", "b"]]);
    for _ in 0..1_000 {
        rule = json!([rule]);
    }
    assert_eq!(Expr::parse(&rule).unwrap_err(), ExprError::Invalid);
}

#[test]
fn an_expression_knows_what_it_reads() {
    let rule = json!([["arg_a", "==", "1"], ["OR", ["post_arg.b", "has", 2], ["arg_a", "!", "in", [3]]]]);
    let expr = Expr::parse(&rule).unwrap();
    assert_eq!(expr.variables().collect::<Vec<_>>(), ["arg_a", "post_arg.b", "arg_a"]);
}

#[test]
fn numbers_are_read_as_lua_reads_them() {
    for (text, expected) in [
        ("1", Some(1.0)),
        (" -1.5e3\n", Some(-1500.0)),
        ("+7", Some(7.0)),
        (".5", Some(0.5)),
        ("5.", Some(5.0)),
        ("0xff", Some(255.0)),
        ("-0X10", Some(-16.0)),
        ("0x", None),
        ("0xg", None),
        ("", None),
        ("-", None),
        ("--1", None),
        ("+-1", None),
        ("1 2", None),
        ("1a", None),
        ("inf", None),
        ("-nan", None),
        ("１", None),
    ] {
        assert_eq!(number::from_text(text), expected, "{text:?}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "AND",
        "!or",
        "==",
        "~~",
        "in",
        "has",
        "ipmatch",
        "!",
        "arg_name",
        "10.0.0.0/8",
        "(",
        "",
        "status",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 5, |inner| prop::collection::vec(inner, 0..5).prop_map(Value::from))
}

/// Well-formed expressions over the variables of the tests.
fn any_test() -> impl Strategy<Value = Value> {
    let variable = prop::sample::select(vec!["arg_name", "arg_age", "arg_missing", "status", "post_arg.tags"]);
    let operator = prop::sample::select(vec!["==", "~=", ">", ">=", "<", "<=", "~~", "in", "has"]);
    let value = prop::sample::select(vec![json!("json"), json!("18"), json!(200), json!("a")]);
    (variable, operator, value).prop_map(|(variable, operator, value)| json!([variable, operator, value]))
}

proptest! {
    #[test]
    fn no_json_makes_the_parser_or_the_evaluation_panic(rule in any_json()) {
        if let Ok(expr) = Expr::parse(&rule) {
            expr.eval(&vars());
            expr.variables().count();
        }
    }

    #[test]
    fn and_or_and_not_obey_the_laws_of_logic(a in any_test(), b in any_test()) {
        let (left, right) = (holds(&json!([a])), holds(&json!([b])));
        prop_assert_eq!(holds(&json!([a, b])), left && right);
        prop_assert_eq!(holds(&json!(["AND", a, b])), left && right);
        prop_assert_eq!(holds(&json!(["OR", a, b])), left || right);
        prop_assert_eq!(holds(&json!(["!AND", a, b])), !(left && right));
        prop_assert_eq!(holds(&json!(["!OR", a, b])), !(left || right));
        prop_assert_eq!(holds(&json!(["OR", b, a])), holds(&json!(["OR", a, b])));
        // De Morgan, with the prefix form as negation of a single test.
        let not = |test: &Value| json!([test[0], "!", test[1], test[2]]);
        prop_assert_eq!(holds(&json!([not(&a)])), !left);
        prop_assert_eq!(holds(&json!(["!OR", a, b])), holds(&json!([not(&a), not(&b)])));
        prop_assert_eq!(holds(&json!(["!AND", a, b])), holds(&json!(["OR", not(&a), not(&b)])));
    }
}
