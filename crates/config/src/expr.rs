//! The expression language of routes and plugins (`vars`, `match`, `_meta.filter`): lists like
//! `[["arg_a", "==", "1"], ["!", "OR", ...]]`, compiled once and evaluated per request.
//! Invariant: an [`Expr`] that exists evaluates without error and without panic on any variables. The Admin
//! API parses expressions to validate them; the plan compiler keeps the parsed form.

mod check;
mod number;
mod parse;
mod variable;

#[cfg(test)]
mod tests;

use crate::json_path::JsonPathError;
use crate::vars::Vars;
use check::Check;
use variable::Variable;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Expr {
    root: Group,
}

/// Why a text is no expression. The texts are those of APISIX's `lua-resty-expr`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// `null` where an expression belongs.
    #[error("missing argument rule")]
    MissingRule,
    /// `["a", "==", "b"]` at the top, where a list of such lists belongs.
    #[error("rule should be wrapped inside brackets")]
    NotWrapped,
    /// An empty list inside an expression, or a logical operator with fewer than two operands.
    #[error("rule too short")]
    TooShort,
    #[error("invalid operator '{0}'")]
    InvalidOperator(String),
    /// Four elements of which the second is not `!`.
    #[error("bad 'not' expression")]
    BadNot,
    /// Anything else: a single element, an operand of the wrong type.
    #[error("invalid expression")]
    Invalid,
    #[error("invalid ip address")]
    InvalidAddress,
    #[error(transparent)]
    InvalidPattern(#[from] crate::pattern::PatternError),
    /// What stands behind `post_arg.` looks like a JSONPath and is none.
    #[error("invalid JSONPath in '{variable}': {error}")]
    InvalidPath { variable: String, error: JsonPathError },
}

#[derive(Debug, Clone)]
struct Group {
    joint: Joint,
    negated: bool,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

#[derive(Debug, Clone)]
enum Item {
    Test(Test),
    Group(Group),
}

/// One comparison of one variable.
#[derive(Debug, Clone)]
struct Test {
    variable: Variable,
    negated: bool,
    check: Check,
}

// === impl Expr ===

impl Expr {
    /// Compiles an expression; regular expressions, addresses and numbers in it are compiled too.
    pub fn parse(rule: &serde_json::Value) -> Result<Self, ExprError> {
        parse::expression(rule).map(|root| Self { root })
    }

    /// Whether the expression holds. The empty expression always does.
    pub fn eval(&self, vars: &dyn Vars) -> bool {
        self.root.eval(vars)
    }

    /// The names that evaluation may read, repeated as they are. The plan asks for it to know, say, whether the
    /// request body is needed (`post_arg.*`).
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let mut names = Vec::new();
        self.root.collect_variables(&mut names);
        names.into_iter()
    }
}

// === impl Group ===

impl Group {
    fn eval(&self, vars: &dyn Vars) -> bool {
        let holds = match self.joint {
            Joint::And => self.items.iter().all(|item| item.eval(vars)),
            Joint::Or => self.items.iter().any(|item| item.eval(vars)),
        };
        holds != self.negated
    }

    fn collect_variables<'e>(&'e self, names: &mut Vec<&'e str>) {
        for item in &self.items {
            match item {
                Item::Test(test) => names.push(test.variable.name()),
                Item::Group(group) => group.collect_variables(names),
            }
        }
    }
}

// === impl Item ===

impl Item {
    fn eval(&self, vars: &dyn Vars) -> bool {
        match self {
            Item::Test(test) => test.check.holds(&test.variable.value(vars)) != test.negated,
            Item::Group(group) => group.eval(vars),
        }
    }
}
