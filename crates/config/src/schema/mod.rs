//! JSON Schema as APISIX applies it: the keywords of drafts 4 to 7 that its schemas use, its order of checks, its error
//! texts and its leniencies. Users see these texts, and their tools compare them, which is why no general
//! validator serves here.
//!
//! What is lenient: `1.0` is an integer; `[]` and `{}` are the same; a text that refers to a secret
//! (`$secret://…`, `$env://…`) passes for any text. Checking *is* filling: a default that a schema fills is seen
//! by the keywords after it, as in APISIX. So there is one walk, and it edits.
//!
//! Used by [`crate::check`] for resources and plugin configurations, and by [`crate::resource`] when parsing.

mod apply;
mod compile;
mod derive;
mod format;
mod object;
mod text;

#[cfg(test)]
mod tests;

use serde_json::Value;

use compile::Node;

pub use derive::of;
pub(crate) use text::{is_secret_reference, lua_type};

/// Schemas nested deeper than this do not compile.
pub const MAX_DEPTH: usize = 64;

/// Why a schema cannot be used. Schemas come from this build or from plugin authors, not from users, except for
/// the few plugins which take one as configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("a schema must be an object or a boolean, got {0}")]
    NotASchema(&'static str),
    #[error("invalid JSON type: {0}")]
    UnknownType(String),
    #[error("invalid value for keyword {0}")]
    Keyword(&'static str),
    #[error(transparent)]
    Pattern(#[from] crate::pattern::PatternError),
    #[error("the schema is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A schema ready for use: patterns compiled, keywords sorted into the order of checking.
#[derive(Debug, Clone)]
pub struct Validator {
    root: Node,
}

impl Validator {
    /// # Errors
    /// If `schema` is none, or a pattern in it does not compile.
    pub fn compile(schema: &Value) -> Result<Validator, SchemaError> {
        compile::node(schema, 0).map(|root| Validator { root })
    }

    /// Holds `value` against the schema.
    ///
    /// # Errors
    /// The first failure, in APISIX's words.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.check_and_fill(&mut value.clone())
    }

    /// Like [`check`](Self::check); fills the defaults of absent properties, and gives what is lenient its proper form:
    /// integers written `1.0`, objects written `[]`, arrays written `{}`. After a failure `value` is half filled.
    ///
    /// # Errors
    /// The first failure, in APISIX's words.
    pub fn check_and_fill(&self, value: &mut Value) -> Result<(), String> {
        apply::node(&self.root, value)
    }
}
