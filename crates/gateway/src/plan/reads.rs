//! What an expression looks at, so that the request still has it when the expression is evaluated: bodies are a stream
//! until somebody asks for them, and headers are handed to the upstream. Asked when routes and chains are compiled.

use config::expr::Expr;

use crate::plugin::Needs;

/// What must be kept for `_meta.filter`, which may first be evaluated in the log phase.
pub(super) fn filter_needs(filter: &Expr) -> Needs {
    Needs { headers: reads_headers(filter), body_before_rewrite: reads_body(filter), ..Needs::default() }
}

/// What routing looks for in a request's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyReads {
    #[default]
    Nothing,
    /// Fields: of JSON and forms.
    Fields,
    /// The text itself, whatever its type: GraphQL documents come bare too.
    Text,
}

impl BodyReads {
    /// What `expression` looks for.
    pub(super) fn of(expression: &Expr) -> Self {
        let of_name = |name: &str| match name {
            "request_body" => BodyReads::Text,
            _ if name.starts_with("graphql_") => BodyReads::Text,
            _ if name.starts_with("post_arg") => BodyReads::Fields,
            _ => BodyReads::Nothing,
        };
        expression.variables().map(of_name).max().unwrap_or_default()
    }
}

/// `true` if the request's body is looked at.
fn reads_body(expression: &Expr) -> bool {
    BodyReads::of(expression) > BodyReads::Nothing
}

/// `true` if the request's headers, or the response's, are looked at. Form fields count: what a body is, its
/// `Content-Type` tells.
fn reads_headers(expression: &Expr) -> bool {
    const NAMES: [&str; 6] =
        ["host", "remote_user", "content_type", "content_length", "proxy_add_x_forwarded_for", "original_forwarded"];
    const FAMILIES: [&str; 7] =
        ["http_", "cookie_", "sent_http_", "upstream_http_", "original_x_", "post_arg", "graphql_"];
    let of_head = |name: &str| NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family));
    expression.variables().any(of_head)
}
