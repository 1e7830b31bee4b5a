//! `ip-restriction`: lets only some client addresses pass, or keeps some out.

use std::net::IpAddr;

use bytes::Bytes;
use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::{Phases, Plugin, PluginDef, Step};
use http::StatusCode;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::definition::{self, FromConfig};

/// Which addresses may pass: exactly one of the two lists.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [{"required": ["whitelist"]}, {"required": ["blacklist"]}]))]
pub struct Config {
    /// IP addresses and CIDR blocks; everything else is refused.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub whitelist: Option<Vec<String>>,
    /// IP addresses and CIDR blocks that are refused.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub blacklist: Option<Vec<String>>,
    /// The message of a refusal.
    #[serde(default = "default_message")]
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
    /// The status of a refusal.
    #[serde(default = "default_response_code")]
    #[schemars(extend("enum" = [403, 404]))]
    pub response_code: u16,
}

fn default_message() -> String {
    "Your IP address is not allowed".to_owned()
}

fn default_response_code() -> u16 {
    403
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin_made::<IpRestriction>("ip-restriction", 3000)
}

struct IpRestriction {
    rule: Rule,
    status: StatusCode,
    /// The refusal's body, made once.
    body: Bytes,
}

/// The list and what being in it means.
#[derive(Debug)]
enum Rule {
    Only(Vec<IpNet>),
    AllBut(Vec<IpNet>),
}

impl FromConfig for IpRestriction {
    type Config = Config;

    fn from_config(config: Config) -> Result<Self, String> {
        let body = serde_json::json!({ "message": config.message }).to_string() + "\n";
        Ok(Self {
            rule: Rule::new(&config)?,
            status: StatusCode::from_u16(config.response_code).map_err(|error| error.to_string())?,
            body: body.into(),
        })
    }
}

impl Plugin for IpRestriction {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.rule.allows(exchange.remote_addr) {
            Step::Next
        } else {
            Step::Answer(Answer::text(self.status, self.body.clone()))
        }
    }
}

impl Rule {
    fn new(config: &Config) -> Result<Self, String> {
        let list = |texts: &[String]| texts.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>();
        match (&config.whitelist, &config.blacklist) {
            (Some(whitelist), _) => list(whitelist).map(Rule::Only),
            (None, blacklist) => list(blacklist.as_deref().unwrap_or_default()).map(Rule::AllBut),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        // A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; rules are written in IPv4.
        let address = address.to_canonical();
        let is_in = |list: &[IpNet]| list.iter().any(|network| network.contains(&address));
        match self {
            Rule::Only(list) => is_in(list),
            Rule::AllBut(list) => !is_in(list),
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let parsed =
        if text.contains('/') { text.parse().ok() } else { text.parse().ok().map(|ip: IpAddr| IpNet::from(ip)) };
    parsed.ok_or_else(|| format!("invalid ip address: {text}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_pass_by_list() {
        let rows = [
            (json!({"whitelist": ["127.0.0.1", "10.0.0.0/8"]}), "10.9.8.7", true),
            (json!({"whitelist": ["127.0.0.1", "10.0.0.0/8"]}), "127.0.0.2", false),
            (json!({"whitelist": ["127.0.0.0/24"]}), "::ffff:127.0.0.9", true),
            (json!({"blacklist": ["2001:db8::/32"]}), "2001:db8::1", false),
            (json!({"blacklist": ["2001:db8::/32"]}), "127.0.0.1", true),
            (json!({"blacklist": ["0.0.0.0/0"]}), "127.0.0.1", false),
        ];
        for (config, address, expected) in rows {
            let rule = Rule::new(&definition::read(&config).expect("a configuration")).expect("addresses");
            assert_eq!(rule.allows(address.parse().expect("an address")), expected, "{config} {address}");
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        for text in ["127.0.0.256", "::1/129", "localhost", "10.0.0.0/33", ""] {
            let config = json!({"whitelist": ["127.0.0.1", text]});
            assert_eq!(definition::can_be_made::<IpRestriction>(&config), Err(format!("invalid ip address: {text}")));
        }
    }
}
