//! What routing looks for in a request's body, so that it is read before: bodies are a stream until somebody asks for
//! them. Asked when routes are compiled.

use config::expr::Expr;

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
