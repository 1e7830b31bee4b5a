//! The nodes of an upstream, written as a list of objects or as a map from `host:port` to weight.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Node {
    /// A domain name or an IP address; IPv6 addresses in brackets.
    pub host: String,
    /// Absent: the usual port of the upstream's scheme.
    pub port: Option<u16>,
    /// Share of the traffic; 0 receives none.
    pub weight: u32,
    /// Nodes of a lower priority are used only when all of the higher ones failed.
    #[serde(default)]
    pub priority: i64,
    pub metadata: Option<Value>,
}

/// Why a key of the map form is not `host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid port {0}")]
pub struct InvalidPort(pub String);

/// Splits `host[:port]`; a port outside 1..=65535 is an error. IPv6 addresses stand in brackets.
pub fn split_host_port(address: &str) -> Result<(&str, Option<u16>), InvalidPort> {
    let after_host = address.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = address[after_host..].rfind(':').map(|at| after_host + at) else {
        return Ok((address, None));
    };
    let (host, port) = (&address[..colon], &address[colon + 1..]);
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok((host, Some(number))),
        _ => Err(InvalidPort(port.to_owned())),
    }
}

/// Reads either form into a list; the map's order is kept.
pub(super) fn both_forms<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Node>, D::Error> {
    match Value::deserialize(input)? {
        Value::Object(map) => from_map(&map).map_err(D::Error::custom),
        list => serde_json::from_value(list).map_err(D::Error::custom),
    }
}

fn from_map(map: &Map<String, Value>) -> Result<Vec<Node>, String> {
    map.iter()
        .map(|(address, weight)| {
            let (host, port) = split_host_port(address).map_err(|error| error.to_string())?;
            let weight = weight.as_f64().filter(|w| *w >= 0.0 && *w <= f64::from(u32::MAX));
            let weight = weight.ok_or_else(|| format!("the weight of node {address} must be 0..={}", u32::MAX))? as u32;
            Ok(Node { host: host.to_owned(), port, weight, priority: 0, metadata: None })
        })
        .collect()
}
