//! The operators: what each asks of a variable's value. Conversions follow Lua, where they decide results:
//! ordering and equality with a number convert text to a number, everything else is strict about types.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::number;
use crate::pattern::Pattern;
use crate::vars::Var;

/// An operator with its literal, ready to be asked.
#[derive(Debug, Clone)]
pub(super) enum Check {
    Equal(Literal),
    NotEqual(Literal),
    /// `None` is a literal that is no number: the comparison never holds.
    Compare(Relation, Option<f64>),
    Matches(Pattern),
    /// The elements of an array; empty for a literal that is no array, which contains nothing.
    In(Vec<Literal>),
    Has(Literal),
    InNetworks(Vec<IpNet>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A literal as far as equality is concerned.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    /// Lists and maps: in Lua equal only to themselves, so never to a variable.
    Table,
}

// === impl Check ===

impl Check {
    pub(super) fn holds(&self, left: &Var<'_>) -> bool {
        match self {
            Check::Equal(literal) => literal.equals_converted(left),
            Check::NotEqual(literal) => !literal.equals_converted(left),
            Check::Compare(relation, right) => match (to_number(left), right) {
                (Some(left), Some(right)) => relation.holds(left, *right),
                _ => false,
            },
            Check::Matches(pattern) => match searchable(left) {
                Some(text) => pattern.is_match(&text),
                None => false,
            },
            Check::In(literals) => literals.iter().any(|literal| literal.equals_element(left)),
            Check::Has(literal) => match left {
                Var::Json(value) => has(value, literal),
                Var::Nil | Var::Bool(_) | Var::Number(_) | Var::Text(_) => false,
            },
            Check::InNetworks(networks) => match address(left) {
                Some(address) => networks.iter().any(|network| network.contains(&address)),
                None => false,
            },
        }
    }
}

fn has(value: &Value, literal: &Literal) -> bool {
    let Value::Array(elements) = value else {
        return false;
    };
    elements.iter().any(|element| literal.equals_element(&Var::Json(Cow::Borrowed(element))))
}

fn to_number(value: &Var<'_>) -> Option<f64> {
    match value {
        Var::Number(number) => Some(*number),
        Var::Text(text) => number::from_text(text),
        Var::Json(value) => match &**value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => number::from_text(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        },
        Var::Nil | Var::Bool(_) => None,
    }
}

/// The text that a regular expression searches: Lua's `tostring`, but nothing for nil and false.
fn searchable<'v>(value: &'v Var<'_>) -> Option<Cow<'v, str>> {
    match value {
        Var::Nil | Var::Bool(false) => None,
        Var::Json(json) => match &**json {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        },
        other => other.to_text(),
    }
}

fn address(value: &Var<'_>) -> Option<IpAddr> {
    match value {
        Var::Text(text) => text.parse().ok(),
        Var::Json(json) => json.as_str()?.parse().ok(),
        Var::Nil | Var::Bool(_) | Var::Number(_) => None,
    }
}

// === impl Relation ===

impl Relation {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Relation::Less => left < right,
            Relation::LessOrEqual => left <= right,
            Relation::Greater => left > right,
            Relation::GreaterOrEqual => left >= right,
        }
    }
}

// === impl Literal ===

impl Literal {
    pub(super) fn new(value: &Value) -> Self {
        match value {
            Value::Null => Literal::Nil,
            Value::Bool(flag) => Literal::Bool(*flag),
            // serde_json holds every number that is no integer as f64.
            Value::Number(number) => number.as_f64().map_or(Literal::Table, Literal::Number),
            Value::String(text) => Literal::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => Literal::Table,
        }
    }

    /// The number this literal stands for in an ordering.
    pub(super) fn to_number(&self) -> Option<f64> {
        match self {
            Literal::Number(number) => Some(*number),
            Literal::Text(text) => number::from_text(text),
            Literal::Nil | Literal::Bool(_) | Literal::Table => None,
        }
    }

    /// `==`: against a number, text is converted first.
    fn equals_converted(&self, left: &Var<'_>) -> bool {
        match self {
            Literal::Number(number) => to_number(left) == Some(*number),
            _ => self.equals(left),
        }
    }

    /// Equality as an element of a list, where nil is nowhere.
    fn equals_element(&self, left: &Var<'_>) -> bool {
        !matches!(self, Literal::Nil) && self.equals(left)
    }

    /// Strict equality: same type, same value.
    fn equals(&self, left: &Var<'_>) -> bool {
        match (self, left) {
            (Literal::Nil, Var::Nil) => true,
            (Literal::Bool(right), Var::Bool(left)) => left == right,
            (Literal::Number(right), Var::Number(left)) => left == right,
            (Literal::Text(right), Var::Text(left)) => **left == **right,
            (Literal::Table, _) => false,
            (_, Var::Json(value)) => *self == Literal::new(value),
            _ => false,
        }
    }
}
