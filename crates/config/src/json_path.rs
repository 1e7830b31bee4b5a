//! JSONPath, as RFC 9535 defines it: what stands behind `post_arg.` in a condition when plain dots do not do. A query
//! is compiled once, when the expression around it is, so one that cannot be read is refused when it is written.
//! Invariant: a query that exists finds without error in any JSON.

use std::borrow::Cow;

use serde_json::Value;

use crate::vars::Var;

/// Nested brackets and parentheses that are read; the parser recurses.
const MAX_DEPTH: usize = 16;

/// A compiled query.
#[derive(Debug, Clone)]
pub struct JsonPath(serde_json_path::JsonPath);

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// The grammar of RFC 9535 does not allow it. Positions count from 1.
    #[error("at position {position}, {message}")]
    Malformed { position: usize, message: String },
    #[error("brackets are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl JsonPath {
    /// Whether a path into a body is a query, not plain names between dots.
    pub fn is_query(path: &str) -> bool {
        path.contains(['[', '*']) || path.contains("..")
    }

    /// Compiles a query. It begins below the whole body, so that `$.` may be left out.
    ///
    /// # Errors
    /// If the query is not one of RFC 9535.
    pub fn parse(path: &str) -> Result<Self, JsonPathError> {
        if depth(path) > MAX_DEPTH {
            return Err(JsonPathError::TooDeep);
        }
        let root = match path.as_bytes().first() {
            Some(b'$') => "",
            Some(b'[' | b'.') => "$",
            _ => "$.",
        };
        serde_json_path::JsonPath::parse(&format!("{root}{path}")).map(Self).map_err(|error| {
            let position = error.position().saturating_sub(root.len()).max(1);
            JsonPathError::Malformed { position, message: error.message().to_owned() }
        })
    }

    /// Everything found in `value`, as a list; nil if nothing was.
    pub fn find(&self, value: &Value) -> Var<'static> {
        let found = self.0.query(value);
        if found.is_empty() {
            return Var::Nil;
        }
        Var::Json(Cow::Owned(Value::Array(found.into_iter().cloned().collect())))
    }
}

/// How deep brackets nest. Those in quotes count as well, which only makes the bound stricter.
fn depth(path: &str) -> usize {
    let (mut open, mut deepest) = (0usize, 0);
    for byte in path.bytes() {
        match byte {
            b'[' | b'(' => open += 1,
            b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn found(path: &str, body: &Value) -> Value {
        match JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}")).find(body) {
            Var::Json(list) => list.into_owned(),
            nothing => {
                assert_eq!(nothing, Var::Nil);
                Value::Null
            }
        }
    }

    #[test]
    fn a_query_gives_the_list_of_what_it_found() {
        let body = json!({
            "a": [{"b": 1}, {"b": 2}, {"c": {"b": 3}}],
            "x.y": true,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi", "size": 2},
                {"role": "user", "content": "Why?", "size": 4},
            ],
        });
        for (path, expected) in [
            // Members and elements.
            ("a[0].b", json!([1])),
            ("$.a[0].b", json!([1])),
            ("a[-1].c.b", json!([3])),
            ("a[9].b", json!(null)),
            ("['x.y']", json!([true])),
            ("a[0]['b']", json!([1])),
            ("a[0,1].b", json!([1, 2])),
            // Everything on a level, or on all levels.
            ("a[*].b", json!([1, 2])),
            ("a.*.b", json!([1, 2])),
            ("a..b", json!([1, 2, 3])),
            ("$..b", json!([1, 2, 3])),
            ("..c[*]", json!([3])),
            // Slices.
            ("messages[1:].content", json!(["Hi", "Why?"])),
            ("messages[:1].content", json!(["Be brief."])),
            ("messages[-1:].content", json!(["Why?"])),
            ("messages[::2].role", json!(["system", "user"])),
            ("messages[5:].role", json!(null)),
            // Filters.
            ("messages[?(@.role == 'user')].content", json!(["Hi", "Why?"])),
            ("messages[?@.size > 2].content", json!(["Why?"])),
            ("messages[?(@.role == 'user' && @.size < 3)].content", json!(["Hi"])),
            ("messages[?(!@.size || @.size == 4)].content", json!(["Be brief.", "Why?"])),
            ("messages[?length(@.content) > 4].role", json!(["system"])),
            ("..[?(@.size)].size", json!([2, 4])),
        ] {
            assert_eq!(found(path, &body), expected, "{path}");
        }
    }

    #[test]
    fn what_the_standard_does_not_know_is_refused() {
        for broken in [
            "[",
            "a[",
            "a[0",
            "a[]",
            "a[ ]",
            "a[*].",
            "a..",
            "a...b",
            "a['b]",
            "[[0]",
            "a[x]",
            "a[b c]",
            "a[?]",
            // Of other dialects.
            "a[(@.length-1)]",
            "a[?(@.b = 1)]",
            "a[?(@.b <> 1)]",
            "a[?(@.b == 1 AND @.c)]",
            "a[?(@.b + 1 > 2)]",
        ] {
            assert!(JsonPath::parse(broken).is_err(), "{broken}");
        }
        let error = JsonPath::parse("a[?(@.b = 1)]").unwrap_err().to_string();
        assert!(error.starts_with("at position "), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused_at_once() {
        let nested = |depth: usize| format!("a[?{}@.b{}]", "(".repeat(depth - 1), ")".repeat(depth - 1));
        assert!(JsonPath::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(JsonPath::parse(&nested(100_000)).unwrap_err(), JsonPathError::TooDeep);
    }

    #[test]
    fn plain_dotted_paths_are_no_queries() {
        for plain in ["a", "a.", "a.b", "a?b", ""] {
            assert!(!JsonPath::is_query(plain), "{plain}");
        }
        for query in ["a[0]", "*", "a.*", "a..b"] {
            assert!(JsonPath::is_query(query), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_parsing_or_finding_panic(path in "[$.\\[\\]*?@()a'\"0-9:,=<&|! -]{0,40}") {
            if let Ok(query) = JsonPath::parse(&path) {
                query.find(&json!({"a": [1, {"a": "b"}, null], "0": {"a": [[]]}}));
            }
        }
    }
}
