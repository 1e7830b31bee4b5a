//! From JSON to a compiled expression. The order of the checks decides which error a wrong expression gets, and
//! follows `lua-resty-expr`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::check::{Check, Literal, Relation};
use super::variable::Variable;
use super::{ExprError, Group, Item, Joint, Test};
use crate::pattern::{Case, Pattern};

/// Nesting that evaluation, which recurses, is ready for; JSON texts reach half of it.
const MAX_DEPTH: usize = 256;

/// Compiles a whole expression. An empty list (or `{}`, which some JSON writers make of one) always holds.
pub(super) fn expression(rule: &Value) -> Result<Group, ExprError> {
    let items = match rule {
        Value::Null => return Err(ExprError::MissingRule),
        Value::Object(fields) if fields.is_empty() => &[][..],
        Value::Array(items) => items.as_slice(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(ExprError::Invalid);
        }
    };
    match items {
        [] => Ok(Group { joint: Joint::And, negated: false, items: Vec::new() }),
        [Value::Array(_) | Value::Object(_), ..] => group(Joint::And, false, items, MAX_DEPTH),
        [first, ..] => match logical(first) {
            Some((joint, negated)) => logical_group(joint, negated, items, MAX_DEPTH),
            None => Err(ExprError::NotWrapped),
        },
    }
}

fn item(rule: &Value, depth: usize) -> Result<Item, ExprError> {
    let items = match rule {
        Value::Array(items) => items.as_slice(),
        // In Lua, an object is a list of nothing.
        Value::Object(_) => &[],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(ExprError::Invalid),
    };
    match items {
        [] => Err(ExprError::TooShort),
        [Value::Array(_) | Value::Object(_), ..] => group(Joint::And, false, items, depth).map(Item::Group),
        [first, ..] => match logical(first) {
            Some((joint, negated)) => logical_group(joint, negated, items, depth).map(Item::Group),
            None => test(items).map(Item::Test),
        },
    }
}

fn logical_group(joint: Joint, negated: bool, items: &[Value], depth: usize) -> Result<Group, ExprError> {
    if items.len() <= 2 {
        return Err(ExprError::TooShort);
    }
    group(joint, negated, &items[1..], depth)
}

fn group(joint: Joint, negated: bool, items: &[Value], depth: usize) -> Result<Group, ExprError> {
    let depth = depth.checked_sub(1).ok_or(ExprError::Invalid)?;
    let items = items.iter().map(|rule| item(rule, depth)).collect::<Result<_, _>>()?;
    Ok(Group { joint, negated, items })
}

fn logical(first: &Value) -> Option<(Joint, bool)> {
    match first.as_str()?.to_ascii_uppercase().as_str() {
        "AND" => Some((Joint::And, false)),
        "!AND" => Some((Joint::And, true)),
        "OR" => Some((Joint::Or, false)),
        "!OR" => Some((Joint::Or, true)),
        _ => None,
    }
}

/// `[var, op, value]`, `[var, "!", op, value]` or the legacy `[var, value]`.
fn test(items: &[Value]) -> Result<Test, ExprError> {
    let Some(Value::String(variable)) = items.first() else {
        return Err(ExprError::Invalid);
    };
    let (negated, operator, literal) = match items {
        [_] => return Err(ExprError::Invalid),
        [_, Value::String(operator)] if is_operator(operator) => (false, operator.clone(), &Value::Null),
        [_, Value::Array(_) | Value::Object(_)] => return Err(ExprError::Invalid),
        [_, literal] => (false, "==".to_owned(), literal),
        [_, not, operator, literal] if not == "!" => (true, operator_name(operator)?, literal),
        [_, _, _, _] => return Err(ExprError::BadNot),
        // Like lua-resty-expr, which does not look behind the third element of longer lists.
        [_, operator, literal, ..] => (false, operator_name(operator)?, literal),
        [] => return Err(ExprError::TooShort),
    };
    let check = check(&operator.to_ascii_lowercase(), literal)?;
    Ok(Test { variable: Variable::parse(variable)?, negated, check })
}

fn operator_name(operator: &Value) -> Result<String, ExprError> {
    match operator {
        Value::String(name) => Ok(name.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(ExprError::Invalid),
    }
}

fn is_operator(name: &str) -> bool {
    const OPERATORS: [&str; 11] = ["==", "~=", ">", ">=", "<", "<=", "~~", "~*", "in", "has", "ipmatch"];
    OPERATORS.contains(&name.to_ascii_lowercase().as_str())
}

fn check(operator: &str, literal: &Value) -> Result<Check, ExprError> {
    let compare = |relation| Ok(Check::Compare(relation, Literal::new(literal).to_number()));
    match operator {
        "==" => Ok(Check::Equal(Literal::new(literal))),
        "~=" => Ok(Check::NotEqual(Literal::new(literal))),
        "<" => compare(Relation::Less),
        "<=" => compare(Relation::LessOrEqual),
        ">" => compare(Relation::Greater),
        ">=" => compare(Relation::GreaterOrEqual),
        "~~" => pattern(literal, Case::Sensitive),
        "~*" => pattern(literal, Case::Insensitive),
        "in" => Ok(Check::In(match literal {
            Value::Array(elements) => elements.iter().map(Literal::new).collect(),
            _ => Vec::new(),
        })),
        "has" => Ok(Check::Has(Literal::new(literal))),
        "ipmatch" => networks(literal).map(Check::InNetworks),
        _ => Err(ExprError::InvalidOperator(operator.to_owned())),
    }
}

fn pattern(literal: &Value, case: Case) -> Result<Check, ExprError> {
    let source = match literal {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(ExprError::Invalid);
        }
    };
    Ok(Check::Matches(Pattern::with_case(&source, case)?))
}

fn networks(literal: &Value) -> Result<Vec<IpNet>, ExprError> {
    let network = |value: &Value| value.as_str().and_then(network).ok_or(ExprError::InvalidAddress);
    match literal {
        Value::Array(elements) => elements.iter().map(network).collect(),
        single => Ok(vec![network(single)?]),
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
