use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use config::catalog::Side;
use config::schema::Validator;
use config::vars::{Var, Vars};
use limits::Limiter;
use serde_json::json;

use super::headers::Seconds;
use super::*;

struct Variables(HashMap<&'static str, &'static str>);

impl Vars for Variables {
    fn var(&self, name: &str) -> Var<'_> {
        self.0.get(name).map_or(Var::Nil, |text| Var::Text(Cow::Borrowed(text)))
    }
}

fn variables(rows: &[(&'static str, &'static str)]) -> Variables {
    Variables(rows.iter().copied().chain([("remote_addr", "127.0.0.1")]).collect())
}

fn compiled(config: &Value) -> Vec<Rule> {
    let config = definition::read(config).expect("a configuration");
    rules(&config, &Metadata::default(), "/apisix/routes/1").expect("rules")
}

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// What `requests` get from the first rule: allowed, and what remains.
fn counted(config: Value, requests: &[Variables]) -> Vec<(bool, u64)> {
    let (rules, limiter) = (compiled(&config), Limiter::local());
    let check = |vars: &Variables| rules[0].check(vars, &limiter, NOW).expect("a limit").expect("a key").decision;
    requests.iter().map(check).map(|decision| (decision.allowed, decision.remaining)).collect()
}

#[test]
fn requests_are_counted_by_key_and_by_address_where_the_key_has_no_value() {
    let jack = || variables(&[("consumer_name", "jack")]);
    let by_consumer = json!({"count": 2, "time_window": 60, "key": "consumer_name"});
    assert_eq!(
        counted(by_consumer, &[jack(), jack(), jack(), variables(&[])]),
        [(true, 1), (true, 0), (false, 0), (true, 1)]
    );
    let combined = json!({
        "count": 1, "time_window": 60, "key_type": "var_combination", "key": "$consumer_name $remote_addr"
    });
    assert_eq!(counted(combined, &[jack(), variables(&[]), jack()]), [(true, 0), (true, 0), (false, 0)]);
    let constant = json!({"count": 1, "time_window": 60, "key_type": "constant", "key": "all"});
    assert_eq!(counted(constant, &[jack(), variables(&[])]), [(true, 0), (false, 0)]);
}

#[test]
fn counts_may_come_from_the_request_and_must_be_whole() {
    let rules = compiled(&json!({"count": "${http_x_count ?? 3}", "time_window": "$http_x_window"}));
    let limiter = Limiter::local();
    let check = |rows: &[(&'static str, &'static str)]| {
        rules[0].check(&variables(rows), &limiter, NOW).map(|outcome| outcome.expect("a key").decision.limit)
    };
    assert_eq!(check(&[("http_x_window", "60")]), Ok(3));
    assert_eq!(check(&[("http_x_window", "60"), ("http_x_count", "7.0")]), Ok(7));
    for bad in ["0", "-1", "1.5", "many", ""] {
        let error = RuleError::NotAnAmount { field: "count", value: bad.to_owned() };
        assert_eq!(check(&[("http_x_window", "60"), ("http_x_count", bad)]), Err(error));
    }
    assert!(check(&[]).is_err());
}

#[test]
fn a_rule_without_a_value_for_its_key_does_not_apply() {
    let rules = compiled(&json!({"rules": [
        {"count": 1, "time_window": 60, "key": "$http_x_user"},
        {"count": 1, "time_window": 60, "key": "no variables"}
    ]}));
    let limiter = Limiter::local();
    for rule in &rules {
        assert!(rule.check(&variables(&[]), &limiter, NOW).expect("no error").is_none());
    }
    assert!(rules[0].check(&variables(&[("http_x_user", "a")]), &limiter, NOW).expect("no error").is_some());
}

#[test]
fn the_info_variable_is_json() {
    let rules = compiled(&json!({"count": 2, "time_window": 60, "key": "http_x"}));
    let limiter = Limiter::local();
    for key in ["plain", "quoted \" \\ \u{7}"] {
        let outcome = rules[0].check(&variables(&[("http_x", key)]), &limiter, NOW).expect("a limit").expect("a key");
        let info: Value = serde_json::from_str(&outcome.info).expect("JSON");
        let expected = json!({
            "rate_limiting_key": key, "rate_limiting_limit": 2, "rate_limiting_remaining": 1, "rate_limiting_reset": 60
        });
        assert_eq!(info, expected);
    }
}

fn printed(seconds: f64) -> String {
    let mut text = String::new();
    Seconds::new(seconds).write(&mut text);
    text
}

#[test]
fn seconds_have_at_most_two_decimals() {
    let rows = [
        (60.0, "60"),
        (59.996, "60"),
        (59.5, "59.5"),
        (59.954, "59.95"),
        (0.07, "0.07"),
        (-1.0, "0"),
        (f64::NAN, "0"),
        (f64::MAX, "184467440737095516.15"),
    ];
    for (seconds, expected) in rows {
        assert_eq!(printed(seconds), expected, "{seconds}");
    }
}

proptest::proptest! {
    #[test]
    fn printed_seconds_are_within_half_a_hundredth(seconds in 0.0..1e9) {
        let printed: f64 = printed(seconds).parse().expect("a number");
        proptest::prop_assert!((printed - seconds).abs() <= 0.005 + 1e-6, "{} {}", printed, seconds);
    }
}

#[test]
fn what_cannot_be_done_is_refused_when_written() {
    let schema = Validator::compile(&definition().info.schema.make()).expect("a schema");
    let both = |config: &Value| {
        let mut filled = config.clone();
        schema.check_and_fill(&mut filled).and_then(|()| settings::check(&filled, Side::Route))
    };
    let rule = json!({"count": 1, "time_window": 1, "key": "$a"});
    let rows = [
        (json!({"count": 1}), "value should match only one schema, but matches none"),
        (
            json!({"count": 0, "time_window": 1}),
            "property \"count\" validation failed: value should match only one schema, but matches none",
        ),
        (
            json!({"count": 1, "time_window": 1, "rules": [rule]}),
            "count/time_window and rules cannot be specified at the same time",
        ),
        (json!({"group": "g", "rules": [rule]}), "group and rules cannot be specified at the same time"),
        (json!({"rules": [rule, rule]}), "duplicate key '$a' in rules"),
        (json!({"count": 1, "time_window": 1, "sync_interval": 0}), "sync_interval should not be smaller than 0.1"),
        (json!({"count": 1, "time_window": 1, "sync_interval": 1}), "sync_interval should be smaller than time_window"),
        (json!({"count": 1, "time_window": 1, "policy": "redis"}), "counters in Redis are not supported yet"),
        (
            json!({"count": 1, "time_window": 1, "policy": "disk"}),
            "property \"policy\" validation failed: matches none of the enum values",
        ),
        (
            json!({"count": 1, "time_window": 1, "rejected_code": 199}),
            "property \"rejected_code\" validation failed: expected 199 to be at least 200",
        ),
    ];
    for (config, expected) in rows {
        let error = both(&config).expect_err(&config.to_string());
        assert!(error.starts_with(expected), "{config}: {error}");
    }
    for config in [
        json!({"count": 100000, "time_window": 86400, "key": "consumer_name", "rejected_code": 429, "rejected_msg": "no"}),
        json!({"count": "$http_count", "time_window": 1.0, "window_type": "sliding", "group": "g"}),
        json!({"rules": [rule]}),
    ] {
        assert_eq!(both(&config), Ok(()), "{config}");
    }
}
