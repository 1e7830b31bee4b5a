//! JSONPath behind `post_arg.` on the left of a condition. A query that is broken in every dialect of JSONPath is
//! refused when it is written, since it would find nothing in any body. Expressions in `vars` and `_meta.filter` are
//! checked by it; it does not decide which steps the data plane can follow.

use crate::expr::Expr;

const PREFIX: &str = "post_arg.";

/// The first variable of `expression` whose query cannot be read.
pub(super) fn malformed(expression: &Expr) -> Option<&str> {
    expression
        .variables()
        .find(|name| name.strip_prefix(PREFIX).is_some_and(|path| is_query(path) && !is_readable(path)))
}

/// Plain dotted paths are no queries: a name in a form may be of any text.
fn is_query(path: &str) -> bool {
    path.contains(['[', '*']) || path.contains("..")
}

/// Every bracket is closed and holds something, no step is empty.
fn is_readable(path: &str) -> bool {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        rest = match rest.strip_prefix('[') {
            Some(inside) => match closing(inside) {
                Some(end) if !inside[..end].trim().is_empty() => &inside[end + 1..],
                _ => return false,
            },
            None => {
                let name = rest.strip_prefix("..").or_else(|| rest.strip_prefix('.')).unwrap_or(rest);
                let end = name.find(['.', '[']).unwrap_or(name.len());
                // The step of `..[0]` stands in the brackets.
                if end == 0 && !name.starts_with('[') {
                    return false;
                }
                &name[end..]
            }
        };
    }
    true
}

/// Where the bracket is closed that was opened before `inside`. Brackets in quotes do not count.
fn closing(inside: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (place, character) in inside.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(place),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refuses(name: &str) -> bool {
        malformed(&Expr::parse(&json!([[name, "==", 1]])).expect("an expression")).is_some()
    }

    #[test]
    fn queries_that_no_dialect_can_read_are_found() {
        for broken in ["[", "a[", "a[0", "a[]", "a[ ]", "a[*].", "a..", "a...b", "a['b]", "[[0]"] {
            assert!(refuses(&format!("post_arg.{broken}")), "{broken}");
        }
    }

    #[test]
    fn queries_dotted_paths_and_other_variables_pass() {
        for fine in
            ["a", "a.", "a.b", "$.a[0]", "a[*].b", "..b", "a..b", "a..[0]", "*", "a.*", "a['b]']", "a[?(@.b[0]==1)]"]
        {
            assert!(!refuses(&format!("post_arg.{fine}")), "{fine}");
        }
        assert!(!refuses("arg_a["));
        assert!(!refuses("http_x[]"));
    }
}
