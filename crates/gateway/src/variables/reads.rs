//! Which variables are read from what a request loses on its way: its headers, which are handed to the upstream, and
//! its body, which is a stream until somebody asks for it. Whoever evaluates a variable later than that says so with
//! [`crate::plugin::Needs::of_variables`]; routing, which is earlier, has the body read before.

use config::expr::Expr;

/// What variables are read from in a request's body.
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
    /// What the variable `name` is read from.
    pub fn of_name(name: &str) -> Self {
        match name {
            "request_body" => BodyReads::Text,
            _ if name.starts_with("graphql_") => BodyReads::Text,
            _ if name.starts_with("post_arg") => BodyReads::Fields,
            _ => BodyReads::Nothing,
        }
    }

    /// What `expression` looks for.
    pub fn of(expression: &Expr) -> Self {
        expression.variables().map(BodyReads::of_name).max().unwrap_or_default()
    }
}

/// `true` if the variable `name` is read from the request body.
pub fn reads_body(name: &str) -> bool {
    BodyReads::of_name(name) != BodyReads::Nothing
}

/// `true` if the variable `name` is read from the request's headers, or the response's. Fields of bodies count: what a
/// body is, its `Content-Type` tells.
pub fn reads_headers(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "host",
        "remote_user",
        "content_type",
        "content_length",
        "proxy_add_x_forwarded_for",
        "original_forwarded",
        "upstream_host",
    ];
    const FAMILIES: [&str; 7] =
        ["http_", "cookie_", "sent_http_", "upstream_http_", "original_x_", "post_arg", "graphql_"];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}
