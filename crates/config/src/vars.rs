//! How expressions and templates see a request: one variable at a time, by name, computed on demand.
//! The data plane's `Exchange` implements [`Vars`]; tests use a map.

use std::borrow::Cow;

use serde_json::Value;

use crate::json_path::JsonPath;

/// A variable's value. APISIX variables are mostly text; a few are numbers, flags or JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Var<'a> {
    /// Unknown or unset.
    Nil,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Json(Cow<'a, Value>),
}

/// Something whose variables can be asked for.
pub trait Vars {
    /// The value of `name` (without `$`), or [`Var::Nil`].
    fn var(&self, name: &str) -> Var<'_>;

    /// The value of `name`, whose path into the request body (`post_arg.PATH`) is the query `query`. The same as
    /// [`var`](Self::var), but for the work of compiling the query.
    fn queried(&self, name: &str, query: &JsonPath) -> Var<'_> {
        let _ = query;
        self.var(name)
    }
}

impl<'a> Var<'a> {
    /// As APISIX prints it into a string; `None` for [`Var::Nil`].
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Var::Nil => None,
            Var::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            Var::Number(number) => Some(Cow::Owned(number.to_string())),
            Var::Text(text) => Some(Cow::Borrowed(text)),
            Var::Json(value) => Some(Cow::Owned(value.to_string())),
        }
    }
}
