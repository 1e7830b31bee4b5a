//! The left side of a comparison: a variable, with the query into the body compiled if its name holds one.

use super::ExprError;
use crate::json_path::JsonPath;
use crate::vars::{Var, Vars};

/// Before a path into the body.
const BODY: &str = "post_arg.";

/// A variable to be asked for.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    name: Box<str>,
    query: Option<Box<JsonPath>>,
}

impl Variable {
    pub(super) fn parse(name: &str) -> Result<Self, ExprError> {
        let path = name.strip_prefix(BODY).filter(|path| JsonPath::is_query(path));
        let invalid = |error| ExprError::InvalidPath { variable: name.to_owned(), error };
        let query = path.map(JsonPath::parse).transpose().map_err(invalid)?.map(Box::new);
        Ok(Self { name: name.into(), query })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn value<'v>(&self, vars: &'v dyn Vars) -> Var<'v> {
        match &self.query {
            Some(query) => vars.queried(&self.name, query),
            None => vars.var(&self.name),
        }
    }
}
