//! `graphql_operation`, `graphql_name` and `graphql_root_fields`: the head of a GraphQL document's first operation and
//! the names of the fields it selects at the top. The document is walked token by token; nothing is kept of it.

use std::borrow::Cow;

use config::vars::Var;
use serde_json::Value;

use super::body::graphql_document;
use crate::exchange::Exchange;

/// Longer documents are not looked at, as APISIX's `graphql.max_size`.
const LONGEST_DOCUMENT: usize = 1 << 20;

/// The head of an operation.
#[derive(Debug, Default, PartialEq, Eq)]
struct Operation<'d> {
    /// `query`, `mutation` or `subscription`.
    kind: &'d str,
    /// Empty if the operation has none.
    name: &'d str,
    root_fields: Vec<&'d str>,
}

pub(super) fn var<'e>(exchange: &'e Exchange, name: &str) -> Var<'e> {
    if !matches!(name, "operation" | "name" | "root_fields") {
        return Var::Nil;
    }
    let Some(document) = graphql_document(exchange).filter(|document| document.len() <= LONGEST_DOCUMENT) else {
        return Var::Nil;
    };
    let Some(operation) = Operation::first_of(&document) else { return Var::Nil };
    match name {
        "operation" => Var::Text(operation.kind.to_owned().into()),
        "name" => Var::Text(operation.name.to_owned().into()),
        _ => {
            let fields = operation.root_fields.iter().map(|field| Value::from(*field)).collect();
            Var::Json(Cow::Owned(Value::Array(fields)))
        }
    }
}

impl<'d> Operation<'d> {
    fn first_of(document: &'d str) -> Option<Self> {
        let mut tokens = Tokens { rest: document };
        loop {
            match tokens.next()? {
                "{" => return Some(Self { kind: "query", name: "", root_fields: root_fields(&mut tokens) }),
                "fragment" => skip_definition(&mut tokens)?,
                kind @ ("query" | "mutation" | "subscription") => {
                    let mut name = "";
                    let mut depth = 0_u32;
                    let mut first = true;
                    loop {
                        match tokens.next()? {
                            "{" if depth == 0 => break,
                            "(" | "{" | "[" => depth += 1,
                            ")" | "}" | "]" => depth = depth.checked_sub(1)?,
                            word if first && is_name(word) => name = word,
                            _ => {}
                        }
                        first = false;
                    }
                    return Some(Self { kind, name, root_fields: root_fields(&mut tokens) });
                }
                _ => return None,
            }
        }
    }
}

/// Steps over a fragment: everything until its braces are closed.
fn skip_definition(tokens: &mut Tokens<'_>) -> Option<()> {
    let mut depth = 0_u32;
    loop {
        match tokens.next()? {
            "{" => depth += 1,
            "}" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(());
                }
            }
            _ => {}
        }
    }
}

/// The fields right inside the braces that were just opened; aliases give way to the fields' names.
fn root_fields<'d>(tokens: &mut Tokens<'d>) -> Vec<&'d str> {
    let mut fields: Vec<&str> = Vec::new();
    let (mut depth, mut previous) = (0_u32, "");
    for token in tokens {
        match token {
            "}" if depth == 0 => break,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            name if depth == 0 && is_name(name) && !matches!(previous, "@" | "..." | "$") => {
                if previous == ":" {
                    fields.pop();
                }
                fields.push(name);
            }
            _ => {}
        }
        previous = token;
    }
    fields
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Names, numbers, strings (whole) and punctuators; blanks, commas and comments are left out.
struct Tokens<'d> {
    rest: &'d str,
}

impl<'d> Iterator for Tokens<'d> {
    type Item = &'d str;

    fn next(&mut self) -> Option<&'d str> {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.find('\n').map_or("", |end| &comment[end..]),
                None => break,
            }
        }
        let first = self.rest.chars().next()?;
        let length = match first {
            '"' => string_length(self.rest),
            '.' if self.rest.starts_with("...") => 3,
            c if c.is_ascii_alphanumeric() || c == '_' => {
                self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(token)
    }
}

/// The length of the string (or block string) that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        return block.find("\"\"\"").map_or(text.len(), |end| end + 6);
    }
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' | b'\n' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, name and root fields.
    type Described<'d> = (&'d str, &'d str, &'d [&'d str]);

    #[test]
    fn the_first_operation_is_described() {
        let rows: [(&str, Option<Described<'_>>); 6] = [
            ("{ owner repo }", Some(("query", "", &["owner", "repo"]))),
            (
                "query getRepo($id: ID = \"}\") @cached { alias: owner(id: $id) { name } repo # and }\n }",
                Some(("query", "getRepo", &["owner", "repo"])),
            ),
            ("mutation { add(x: {a: 1}) @skip(if: true) { id } ...More }", Some(("mutation", "", &["add"]))),
            ("fragment F on T { a } subscription S { b }", Some(("subscription", "S", &["b"]))),
            ("garbage", None),
            ("query (", None),
        ];
        for (document, expected) in rows {
            let found = Operation::first_of(document);
            let found = found.as_ref().map(|found| (found.kind, found.name, &found.root_fields[..]));
            assert_eq!(found, expected, "{document}");
        }
    }
}
