//! The configuration of limit-count, and what its schema cannot say about it.

use config::catalog::Side;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition;

/// How much may pass. Either `count` and `time_window`, or `rules`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Config {
    /// Requests per window and key.
    #[serde(default)]
    pub count: Option<Quantity>,
    /// The length of the window in seconds.
    #[serde(default)]
    pub time_window: Option<Quantity>,
    /// Several limits; a request must pass all that apply to it.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub rules: Option<Vec<Rule>>,
    #[serde(default)]
    pub window_type: WindowType,
    /// What is counted by: see `key_type`. Where it has no value, the client's address.
    #[serde(default = "default_key")]
    pub key: String,
    #[serde(default)]
    pub key_type: KeyType,
    /// Objects with the same group share their counters; their configurations must be the same.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    #[serde(default)]
    pub policy: Policy,
    /// Seconds between two synchronisations with Redis; -1: each request goes there.
    #[serde(default = "default_sync_interval")]
    pub sync_interval: f64,
    /// The status of a rejection.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 599))]
    pub rejected_code: u16,
    /// The message of a rejection, instead of the stock page.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub rejected_msg: Option<String>,
    /// Let requests pass that cannot be counted.
    #[serde(default)]
    pub allow_degradation: bool,
    /// Tell the client about its quota in headers.
    #[serde(default = "default_show_limit_quota_header")]
    pub show_limit_quota_header: bool,
}

/// One of several limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Rule {
    /// Requests per window and key.
    pub count: Quantity,
    /// The length of the window in seconds.
    pub time_window: Quantity,
    /// A template. Where none of its variables has a value, the rule does not apply.
    pub key: String,
    /// Stands in the names of the quota headers; the rule's place if absent.
    #[serde(default)]
    pub header_prefix: Option<String>,
}

/// A whole number above 0, or a template that gives one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = definition::exactly_one)]
pub enum Quantity {
    Number(#[schemars(schema_with = "positive")] u64),
    Template(String),
}

/// How the window moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WindowType {
    /// It begins with a key's first request.
    #[default]
    Fixed,
    /// It is always the last `time_window`, estimated.
    Sliding,
}

/// What `key` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// The name of a variable.
    #[default]
    Var,
    /// A template.
    VarCombination,
    /// Itself: all requests count together.
    Constant,
}

/// Where counters are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    #[default]
    Local,
    Redis,
    RedisCluster,
    RedisSentinel,
}

/// How the quota headers are called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    pub limit_header: String,
    pub remaining_header: String,
    pub reset_header: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            limit_header: "X-RateLimit-Limit".to_owned(),
            remaining_header: "X-RateLimit-Remaining".to_owned(),
            reset_header: "X-RateLimit-Reset".to_owned(),
        }
    }
}

fn default_key() -> String {
    "remote_addr".to_owned()
}

fn default_sync_interval() -> f64 {
    -1.0
}

fn default_rejected_code() -> u16 {
    503
}

fn default_show_limit_quota_header() -> bool {
    true
}

fn positive(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "integer", "exclusiveMinimum": 0})
}

/// What the schema cannot say.
pub(super) fn check(value: &Value, side: Side) -> Result<(), String> {
    if side == Side::Metadata {
        return definition::read(value)
            .and_then(|names| super::headers::HeaderNames::from_metadata(&names))
            .map(|_| ());
    }
    definition::refused_now(value, check_own)
}

fn check_own(value: &Value) -> Result<(), String> {
    let config: Config = definition::read(value)?;
    check_rules(&config)?;
    check_sync_interval(&config)?;
    match config.policy {
        Policy::Local => super::rules(&config, &Metadata::default(), "").map(drop),
        Policy::Redis | Policy::RedisCluster | Policy::RedisSentinel => {
            Err("counters in Redis are not supported yet: policy must be \"local\"".to_owned())
        }
    }
}

fn check_rules(config: &Config) -> Result<(), String> {
    let Some(rules) = &config.rules else {
        let complete = config.count.is_some() && config.time_window.is_some();
        return complete.then_some(()).ok_or_else(|| "value should match only one schema, but matches none".to_owned());
    };
    if config.count.is_some() || config.time_window.is_some() {
        return Err("count/time_window and rules cannot be specified at the same time".to_owned());
    }
    if config.group.is_some() {
        return Err("group and rules cannot be specified at the same time".to_owned());
    }
    if rules.is_empty() {
        return Err("rules must have at least one rule".to_owned());
    }
    for (at, rule) in rules.iter().enumerate() {
        if rules[..at].iter().any(|earlier| earlier.key == rule.key) {
            return Err(format!("duplicate key '{}' in rules", rule.key));
        }
    }
    Ok(())
}

fn check_sync_interval(config: &Config) -> Result<(), String> {
    if config.sync_interval == default_sync_interval() {
        return Ok(());
    }
    if config.sync_interval < 0.1 {
        return Err("sync_interval should not be smaller than 0.1".to_owned());
    }
    match config.time_window {
        Some(Quantity::Number(seconds)) if config.sync_interval >= seconds as f64 => {
            Err("sync_interval should be smaller than time_window".to_owned())
        }
        _ => Ok(()),
    }
}
