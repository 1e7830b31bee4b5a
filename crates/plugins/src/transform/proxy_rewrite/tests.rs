use std::borrow::Cow;

use config::schema::Validator;
use config::vars::{Var, Vars};
use http::HeaderMap;
use serde_json::{Value, json};

use super::*;

/// `$arg_name` is `a b?c`; nothing else is set.
struct OneVariable;

impl Vars for OneVariable {
    fn var(&self, name: &str) -> Var<'_> {
        if name == "arg_name" { Var::Text(Cow::Borrowed("a b?c")) } else { Var::Nil }
    }
}

fn plugin(config: Value) -> ProxyRewrite {
    ProxyRewrite::new(&definition::read(&config).expect("a configuration")).expect("a plugin")
}

fn rewritten(config: Value, subject: &str, query: Option<&str>) -> Option<String> {
    let plugin = plugin(config);
    let client = Client { path: subject, query };
    plugin.uri.as_ref().and_then(|rewrite| rewrite.apply(subject, &OneVariable, &client)).map(|target| target.uri)
}

#[test]
fn the_uri_is_rewritten_escaped_and_given_the_clients_query() {
    let swap = json!({"regex_uri": ["^/(a)/(.*)", "/$2/$1x"]});
    let rows = [
        (json!({"uri": "/new"}), "", Some("x=1"), Some("/new?x=1")),
        (json!({"uri": "/new?y=2"}), "", Some("x=1"), Some("/new?y=2&x=1")),
        (json!({"uri": "/to/$arg_name"}), "", None, Some("/to/a%20b%253Fc")),
        (json!({"uri": "/to?n=$arg_name"}), "", None, Some("/to?n=a%20b%3Fc")),
        (swap.clone(), "/a/b\u{e9}", Some("q"), Some("/b%C3%A9/ax?q")),
        (swap.clone(), "/c", Some("q"), None),
        (swap, "/a/b?c", None, Some("/b%3Fc/ax")),
        (json!({"regex_uri": ["^/a$", "/one", "^/b$", "/two?z=1"]}), "/b", Some("q"), Some("/two?z=1&q")),
        (
            json!({"regex_uri": ["^/a", "/b"], "use_real_request_uri_unsafe": true}),
            "/a%20?x",
            Some("x"),
            Some("/b%20?x"),
        ),
        (json!({"uri": "/a\r\nb<c"}), "", None, Some("/a%0D%0Ab%3Cc")),
        (json!({"uri": "/u", "regex_uri": ["^/a", "/b"]}), "/a", None, Some("/u")),
    ];
    for (config, subject, query, expected) in rows {
        assert_eq!(rewritten(config.clone(), subject, query).as_deref(), expected, "{config} {subject}");
    }
}

#[test]
fn headers_are_added_set_and_removed_in_this_order() {
    let plugin = plugin(json!({
        "regex_uri": ["^/(\\w+)/", "/"],
        "headers": {
            "remove": ["x-gone", "x-both"],
            "set": {"x-set": ["one", 2], "x-group": "$1-$arg_name", "x-both": "no"},
            "add": {"x-added": "more"}
        }
    }));
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-gone", "1"), ("x-set", "old"), ("x-added", "first")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let rewrite = plugin.uri.as_ref().expect("a pattern");
    let target = rewrite.apply("/word/", &OneVariable, &Client { path: "/word/", query: None }).expect("a match");
    let groups = |number| target.captures.as_ref().and_then(|captures| captures.get(number));
    for change in &plugin.headers {
        change.apply(change.resolve(&OneVariable, &groups), &mut headers);
    }
    let values = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().expect("text")).collect::<Vec<_>>();
    assert_eq!(values("x-added"), ["first", "more"]);
    assert_eq!(values("x-set"), ["one", "2"]);
    assert_eq!(values("x-group"), ["word-a b?c"]);
    assert!(values("x-gone").is_empty() && values("x-both").is_empty());
}

#[test]
fn what_cannot_be_done_is_refused_when_written() {
    let schema = Validator::compile(&definition().info.schema.make()).expect("a schema");
    let both = |config: &Value| {
        let mut filled = config.clone();
        schema.check_and_fill(&mut filled).and_then(|()| definition::can_be_made::<ProxyRewrite>(&filled))
    };
    let rows = [
        (json!({}), "expect object to have at least 1 properties"),
        (json!({"regex_uri": ["^/a", "/b", "^/c"]}), "The length of regex_uri should be an even number"),
        (json!({"regex_uri": ["^/(a", "/b"]}), "invalid regex_uri(^/(a, /b): "),
        (json!({"uri": "no/slash"}), "property \"uri\" validation failed: failed to match pattern"),
        (json!({"method": "BREW"}), "property \"method\" validation failed: matches none of the enum values"),
        (json!({"host": "a_b"}), "property \"host\" validation failed: failed to match pattern"),
        (
            json!({"headers": {}}),
            "property \"headers\" validation failed: value should match only one schema, but matches none",
        ),
        (
            json!({"headers": {"set": {"a": "1"}, "other": 1}}),
            "property \"headers\" validation failed: value should match only one schema, but matches none",
        ),
        (json!({"headers": {"set": {"a b": "1"}}}), "invalid field character in header"),
        (json!({"headers": {"a": "1\n2"}}), "invalid value character in header"),
    ];
    for (config, expected) in rows {
        let error = both(&config).expect_err(&config.to_string());
        assert!(error.starts_with(expected), "{config}: {error}");
    }
    for config in [
        json!({"headers": {"X-Api": "1", "X-Number": 2}}),
        json!({"headers": {"set": {"Authorization": "$env://OPENAI_KEY"}}}),
        json!({"headers": {"remove": ["a"], "add": {"b": ["1", 2]}}}),
        json!({"method": "PROPFIND", "host": "a.com:80", "use_real_request_uri_unsafe": true}),
    ] {
        assert_eq!(both(&config), Ok(()), "{config}");
    }
}
