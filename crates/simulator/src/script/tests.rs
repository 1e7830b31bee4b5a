#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn statuses(script: &str, bodies: &[&str]) -> Vec<u16> {
    let script = Script::parse(script.as_bytes()).unwrap();
    let headers = HeaderMap::new();
    let status = |body: &&str| {
        let subject =
            Subject { method: &Method::POST, path: "/v1/chat/completions", headers: &headers, body: body.as_bytes() };
        script.directives(&subject).and_then(|directives| directives.status).map_or(200, |status| status.as_u16())
    };
    bodies.iter().map(status).collect()
}

#[test]
fn the_first_requests_fail_and_then_all_is_well() {
    let script = r#"{"rules":[{"first":2,"simulate":"status=500"}]}"#;
    assert_eq!(statuses(script, &["", "", "", ""]), [500, 500, 200, 200]);
}

#[test]
fn rules_count_what_they_match() {
    for (rule, expected) in [
        (r#""after":1,"first":1"#, [200, 500, 200, 200, 200]),
        (r#""every":2"#, [200, 500, 200, 500, 200]),
        (r#""after":2"#, [200, 200, 500, 500, 500]),
        (r#""path":"/v1/*""#, [500; 5]),
        (r#""path":"/v2/*""#, [200; 5]),
        (r#""method":"get""#, [200; 5]),
        (r#""header":{"x-a":"b"}"#, [200; 5]),
    ] {
        let script = format!(r#"{{"rules":[{{{rule},"simulate":"status=500"}}]}}"#);
        assert_eq!(statuses(&script, &[""; 5]), expected, "{rule}");
    }
}

#[test]
fn a_rule_for_a_model_leaves_the_others_alone() {
    let script = r#"{"rules":[{"model":"gpt-4*","first":1,"simulate":"status=429"}]}"#;
    let bodies = [r#"{"model":"o1"}"#, r#"{"model":"gpt-4o"}"#, r#"{"model":"gpt-4o"}"#, "no json"];
    assert_eq!(statuses(script, &bodies), [200, 429, 200, 200]);
}

#[test]
fn the_rule_that_applies_hides_the_request_from_those_after_it() {
    let script = r#"{"rules":[{"first":1,"simulate":"status=500"},{"first":1,"simulate":"status=503"}]}"#;
    assert_eq!(statuses(script, &[""; 3]), [500, 503, 200]);
}

#[test]
fn a_bad_script_says_which_rule_is_bad() {
    for (script, message) in [
        (
            r#"{"rules":[{"simulate":"hang"},{"simulate":"hung"}]}"#,
            r#"the script's rule 2: x-simulate: unknown directive "hung""#,
        ),
        (r#"{"rules":[{"every":0,"simulate":"hang"}]}"#, "the script's rule 1: every must be at least 1"),
    ] {
        assert_eq!(Script::parse(script.as_bytes()).unwrap_err().to_string(), message);
    }
}
