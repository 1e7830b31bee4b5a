//! The part of JSONPath that conditions on bodies need: members, `[index]`, `['name']`, `*` and `..`. A query gives
//! the list of everything it found.

use std::borrow::Cow;

use config::vars::Var;
use serde_json::Value;

/// A compiled query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(Box<str>),
    Index(usize),
    /// Every member or element.
    Any,
    /// Every value below, the value itself first.
    Descend,
}

impl JsonPath {
    /// `None` for plain dotted paths and for what is no query.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.contains(['[', '*']) && !text.contains("..") {
            return None;
        }
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                steps.push(Step::Descend);
                rest = after;
                continue;
            }
            if let Some(inside) = rest.strip_prefix('[') {
                let (selector, after) = inside.split_once(']')?;
                steps.push(bracket(selector.trim())?);
                rest = after;
                continue;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() {
                return None;
            }
            steps.push(if name == "*" { Step::Any } else { Step::Member(name.into()) });
            rest = after;
        }
        Some(Self(steps))
    }

    /// Everything found in `value`, as a list; nil if nothing was.
    pub fn find(&self, value: &Value) -> Var<'static> {
        let mut found = vec![value];
        for step in &self.0 {
            let mut next = Vec::new();
            for value in found {
                step.collect(value, &mut next);
            }
            found = next;
        }
        if found.is_empty() {
            return Var::Nil;
        }
        Var::Json(Cow::Owned(Value::Array(found.into_iter().cloned().collect())))
    }
}

fn bracket(selector: &str) -> Option<Step> {
    if selector == "*" {
        return Some(Step::Any);
    }
    if let Ok(index) = selector.parse() {
        return Some(Step::Index(index));
    }
    let quoted = |quote| selector.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"')).map(|name| Step::Member(name.into()))
}

impl Step {
    fn collect<'v>(&self, value: &'v Value, into: &mut Vec<&'v Value>) {
        match self {
            Step::Member(name) => into.extend(value.get(&**name)),
            Step::Index(index) => into.extend(value.get(index)),
            Step::Any => match value {
                Value::Array(elements) => into.extend(elements),
                Value::Object(members) => into.extend(members.values()),
                _ => {}
            },
            Step::Descend => {
                into.push(value);
                let mut below = Vec::new();
                Step::Any.collect(value, &mut below);
                for value in below {
                    self.collect(value, into);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_give_the_list_of_what_they_found() {
        let body = json!({"a": [{"b": 1}, {"b": 2}, {"c": {"b": 3}}], "x.y": true});
        let rows = [
            ("a[0].b", json!([1])),
            ("$.a[*].b", json!([1, 2])),
            ("a.*.b", json!([1, 2])),
            ("a..b", json!([1, 2, 3])),
            ("$..b", json!([1, 2, 3])),
            ("['x.y']", json!([true])),
        ];
        for (path, expected) in rows {
            let query = JsonPath::parse(path).expect(path);
            assert_eq!(query.find(&body), Var::Json(Cow::Owned(expected)), "{path}");
        }
        assert_eq!(JsonPath::parse("a[9].b").expect("a query").find(&body), Var::Nil);
    }

    #[test]
    fn plain_paths_and_broken_queries_are_no_queries() {
        for path in ["a.b", "model", "a[", "a[x]", "a[0"] {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
