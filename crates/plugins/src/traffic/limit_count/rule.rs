//! One limit: whose requests it counts, how many may pass, and the names under which it tells.

use std::borrow::Cow;
use std::time::Duration;

use config::template::Template;
use config::vars::{Var, Vars};
use limits::{Decision, Limit, Limiter, Scope, Window};

use super::headers::{HeaderNames, Seconds};
use super::settings::{self, Config, KeyType, Quantity, WindowType};

/// A compiled limit.
pub(super) struct Rule {
    scope: Scope,
    key: Key,
    count: Amount,
    window_seconds: Amount,
    window: Window,
    pub names: HeaderNames,
}

/// What requests are counted by.
enum Key {
    /// A variable, else the client's address.
    Variable(Box<str>),
    /// A template, else the client's address.
    Combination(Template),
    Constant(Box<str>),
    /// A template, else the rule does not apply.
    Optional(Template),
}

enum Amount {
    Known(u64),
    Template(Template),
}

/// What a rule says about a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub decision: Decision,
    /// `$rate_limiting_info`.
    pub info: String,
}

/// Why a request cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RuleError {
    #[error("no rule applies to the request")]
    NoneApplies,
    #[error("{field} must be a whole number above 0, got {value:?}")]
    NotAnAmount { field: &'static str, value: String },
}

impl Rule {
    /// The limit of a configuration without `rules`.
    pub fn single(config: &Config, scope: Scope, names: HeaderNames) -> Result<Self, String> {
        let missing = || "count and time_window are required".to_owned();
        let key = match config.key_type {
            KeyType::Var => Key::Variable(config.key.as_str().into()),
            KeyType::VarCombination => Key::Combination(Template::new(&config.key)),
            KeyType::Constant => Key::Constant(config.key.as_str().into()),
        };
        Ok(Self {
            scope,
            key,
            count: Amount::new("count", config.count.as_ref().ok_or_else(missing)?)?,
            window_seconds: Amount::new("time_window", config.time_window.as_ref().ok_or_else(missing)?)?,
            window: window(config.window_type),
            names,
        })
    }

    /// One of `rules`.
    pub fn listed(
        rule: &settings::Rule,
        window_type: WindowType,
        scope: Scope,
        names: HeaderNames,
    ) -> Result<Self, String> {
        Ok(Self {
            scope,
            key: Key::Optional(Template::new(&rule.key)),
            count: Amount::new("count", &rule.count)?,
            window_seconds: Amount::new("time_window", &rule.time_window)?,
            window: window(window_type),
            names,
        })
    }

    /// Counts one request at `now` (since the Unix epoch); `None` if the rule does not apply to it.
    pub fn check(&self, vars: &dyn Vars, limiter: &Limiter, now: Duration) -> Result<Option<Outcome>, RuleError> {
        let Some(key) = self.key.of(vars) else { return Ok(None) };
        let limit = Limit {
            count: self.count.of("count", vars)?,
            window: Duration::from_secs(self.window_seconds.of("time_window", vars)?),
            kind: self.window,
        };
        let decision = limiter.check(&self.scope.key(&key), &limit, 1, now);
        Ok(Some(Outcome { decision, info: info(&key, &decision) }))
    }

    /// Whether a variable for which `is_asked` holds is read.
    pub fn reads(&self, is_asked: fn(&str) -> bool) -> bool {
        let in_key = match &self.key {
            Key::Variable(name) => is_asked(name),
            Key::Combination(template) | Key::Optional(template) => template.variables().any(is_asked),
            Key::Constant(_) => false,
        };
        in_key || self.count.reads(is_asked) || self.window_seconds.reads(is_asked)
    }
}

impl Key {
    fn of<'v>(&'v self, vars: &'v dyn Vars) -> Option<Cow<'v, str>> {
        match self {
            Key::Variable(name) => Some(text(vars.var(name)).unwrap_or_else(|| client(vars))),
            Key::Combination(template) => Some(resolved(template, vars).map_or_else(|| client(vars), Cow::Owned)),
            Key::Constant(key) => Some(Cow::Borrowed(key)),
            Key::Optional(template) => resolved(template, vars).map(Cow::Owned),
        }
    }
}

impl Amount {
    /// A text without variables must be the number itself: no request makes another of it.
    fn new(field: &'static str, quantity: &Quantity) -> Result<Self, String> {
        let template = match quantity {
            Quantity::Number(number) => return Ok(Amount::Known(*number)),
            Quantity::Template(source) => Template::new(source),
        };
        let Some(text) = template.as_literal() else { return Ok(Amount::Template(template)) };
        let not_an_amount = || RuleError::NotAnAmount { field, value: text.to_owned() }.to_string();
        whole(text).map(Amount::Known).ok_or_else(not_an_amount)
    }

    fn of(&self, field: &'static str, vars: &dyn Vars) -> Result<u64, RuleError> {
        let template = match self {
            Amount::Known(number) => return Ok(*number),
            Amount::Template(template) => template,
        };
        let text = template.render_to_string(vars);
        whole(&text).ok_or(RuleError::NotAnAmount { field, value: text })
    }

    fn reads(&self, is_asked: fn(&str) -> bool) -> bool {
        match self {
            Amount::Known(_) => false,
            Amount::Template(template) => template.variables().any(is_asked),
        }
    }
}

fn window(window_type: WindowType) -> Window {
    match window_type {
        WindowType::Fixed => Window::Fixed,
        WindowType::Sliding => Window::Sliding,
    }
}

/// A whole number above 0; `5.0` is one.
fn whole(text: &str) -> Option<u64> {
    let number: f64 = text.trim().parse().ok()?;
    (number >= 1.0 && number.fract() == 0.0 && number < u64::MAX as f64).then_some(number as u64)
}

fn client(vars: &dyn Vars) -> Cow<'_, str> {
    text(vars.var("remote_addr")).unwrap_or_default()
}

fn text(value: Var<'_>) -> Option<Cow<'_, str>> {
    match value {
        Var::Text(text) => Some(text),
        other => other.to_text().map(|text| Cow::Owned(text.into_owned())),
    }
}

/// The rendered template; `None` if no variable in it had a value.
fn resolved(template: &Template, vars: &dyn Vars) -> Option<String> {
    let mut text = String::new();
    (template.render(vars, &mut text) > 0).then_some(text)
}

/// Written by hand because it is made for every request.
fn info(key: &str, decision: &Decision) -> String {
    let mut number = itoa::Buffer::new();
    let mut info = String::with_capacity(key.len() + 128);
    info.push_str("{\"rate_limiting_key\":");
    if key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        info.push('"');
        info.push_str(key);
        info.push('"');
    } else {
        info.push_str(&serde_json::Value::from(key).to_string());
    }
    info.push_str(",\"rate_limiting_limit\":");
    info.push_str(number.format(decision.limit));
    info.push_str(",\"rate_limiting_remaining\":");
    info.push_str(number.format(decision.remaining));
    info.push_str(",\"rate_limiting_reset\":");
    Seconds::new(decision.reset).write(&mut info);
    info.push('}');
    info
}
