//! `consumer-restriction`: lets only some consumers (or consumer groups, services, routes) pass, or keeps some
//! out, or allows each only some methods.

use std::collections::HashSet;

use config::vars::Vars as _;
use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::{Phases, Plugin, PluginDef, Step};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::{self, FromConfig};

/// Who may pass. At least one of the three lists is needed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"required": ["blacklist"]},
    {"required": ["whitelist"]},
    {"required": ["allowed_by_methods"]}
]))]
pub struct Config {
    /// What the lists hold.
    #[serde(default, rename = "type")]
    pub subject: Subject,
    /// Refused, whatever the other lists say.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub blacklist: Option<Vec<String>>,
    /// Everything else is refused.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub whitelist: Option<Vec<String>>,
    /// Methods that the listed ones may use; who is not listed may use all. Not asked where a whitelist decides.
    #[serde(default)]
    pub allowed_by_methods: Option<Vec<AllowedMethods>>,
    /// The status of a refusal.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 999))]
    pub rejected_code: u16,
    /// The message of a refusal, instead of the built-in one.
    #[serde(default)]
    pub rejected_msg: Option<String>,
}

/// By what a request is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    #[default]
    ConsumerName,
    ServiceId,
    RouteId,
    ConsumerGroupId,
}

/// The methods that one subject may use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AllowedMethods {
    /// The consumer's name, or whatever `type` says.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub methods: Vec<Method>,
}

/// A method as APISIX lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Head,
    Options,
    Connect,
    Trace,
    Purge,
}

fn default_rejected_code() -> u16 {
    403
}

impl Subject {
    /// The variable that holds it, which is also its name in messages.
    fn variable(self) -> &'static str {
        match self {
            Subject::ConsumerName => "consumer_name",
            Subject::ServiceId => "service_id",
            Subject::RouteId => "route_id",
            Subject::ConsumerGroupId => "consumer_group_id",
        }
    }
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Connect => "CONNECT",
            Method::Trace => "TRACE",
            Method::Purge => "PURGE",
        }
    }
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<ConsumerRestriction>("consumer-restriction", 2400)
}

struct ConsumerRestriction {
    subject: Subject,
    rules: Rules,
    rejected_code: StatusCode,
    rejected_msg: Box<str>,
}

/// The lists, apart from requests.
struct Rules {
    blacklist: HashSet<String>,
    whitelist: Option<HashSet<String>>,
    allowed_by_methods: Vec<AllowedMethods>,
}

impl FromConfig for ConsumerRestriction {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        let rejected_code = StatusCode::from_u16(config.rejected_code)
            .map_err(|_| format!("rejected_code must be 200..999, got {}", config.rejected_code))?;
        let default_message = format!("The {} is forbidden.", config.subject.variable());
        Ok(Self {
            subject: config.subject,
            rejected_code,
            rejected_msg: config.rejected_msg.unwrap_or(default_message).into(),
            rules: Rules::new(config.blacklist, config.whitelist, config.allowed_by_methods),
        })
    }
}

impl Plugin for ConsumerRestriction {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let subject = self.subject.variable();
        let value = match self.subject {
            // The usual case needs no copy.
            Subject::ConsumerName => exchange.consumer_name().map(std::borrow::Cow::Borrowed),
            _ => exchange.var(subject).to_text().map(|text| std::borrow::Cow::Owned(text.into_owned())),
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            let message = format!("The request is rejected, please check the {subject} for this request");
            return Step::Answer(Answer::message(StatusCode::UNAUTHORIZED, &message));
        };
        if self.rules.allow(&value, exchange.request.method.as_str()) {
            Step::Next
        } else {
            Step::Answer(Answer::message(self.rejected_code, &self.rejected_msg))
        }
    }
}

impl Rules {
    fn new(
        blacklist: Option<Vec<String>>,
        whitelist: Option<Vec<String>>,
        allowed_by_methods: Option<Vec<AllowedMethods>>,
    ) -> Self {
        Self {
            blacklist: blacklist.unwrap_or_default().into_iter().collect(),
            whitelist: whitelist.map(|list| list.into_iter().collect()),
            allowed_by_methods: allowed_by_methods.unwrap_or_default(),
        }
    }

    fn allow(&self, value: &str, method: &str) -> bool {
        if self.blacklist.contains(value) {
            return false;
        }
        if let Some(whitelist) = &self.whitelist {
            return whitelist.contains(value);
        }
        let mut entries =
            self.allowed_by_methods.iter().filter(|entry| entry.user.as_deref() == Some(value)).peekable();
        entries.peek().is_none() || entries.any(|entry| entry.methods.iter().any(|known| known.as_str() == method))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn rules(config: Value) -> Rules {
        let config: Config = definition::read(&config).expect("a configuration");
        Rules::new(config.blacklist, config.whitelist, config.allowed_by_methods)
    }

    #[test]
    fn the_blacklist_comes_first_then_the_whitelist_then_methods() {
        let rows = [
            (serde_json::json!({"blacklist": ["jack"]}), "jack", "GET", false),
            (serde_json::json!({"blacklist": ["jack"]}), "rose", "GET", true),
            (serde_json::json!({"whitelist": ["jack"]}), "jack", "GET", true),
            (serde_json::json!({"whitelist": ["jack"]}), "rose", "GET", false),
            (serde_json::json!({"whitelist": ["jack"], "blacklist": ["jack"]}), "jack", "GET", false),
            (serde_json::json!({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]}), "jack", "GET", false),
            (serde_json::json!({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]}), "jack", "POST", true),
            (serde_json::json!({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]}), "rose", "GET", true),
            (
                serde_json::json!({"whitelist": ["jack"], "allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]}),
                "jack",
                "GET",
                true,
            ),
        ];
        for (config, value, method, expected) in rows {
            assert_eq!(rules(config.clone()).allow(value, method), expected, "{config} {value} {method}");
        }
    }
}
