//! Upstreams: where requests go, how a node is picked, how long to wait for it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::forms;
use super::health::HealthChecks;
use super::node::{self, Node};
use super::route::Labels;
use crate::secret::Secret;

/// A group of nodes that can answer a request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Upstream {
    /// Empty for an upstream that is written inside a route, service or plugin.
    #[serde(default, deserialize_with = "forms::id")]
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    /// May be empty: every request is then answered 503.
    #[serde(default, deserialize_with = "node::both_forms")]
    pub nodes: Vec<Node>,
    #[serde(default, rename = "type")]
    pub kind: UpstreamType,
    /// Where a [`UpstreamType::Chash`] upstream finds what to hash.
    #[serde(default)]
    pub hash_on: HashOn,
    /// The name of what to hash: a variable, header or cookie, or a template of variables.
    pub key: Option<String>,
    #[serde(default)]
    pub scheme: Scheme,
    /// Tries after the first one. Absent: one per further node.
    pub retries: Option<u32>,
    /// Once passed, no further try is made. `None`: no such limit.
    #[serde(default, deserialize_with = "forms::seconds_or_never")]
    pub retry_timeout: Option<Duration>,
    pub timeout: Option<Timeout>,
    #[serde(default)]
    pub pass_host: PassHost,
    /// The host to send with [`PassHost::Rewrite`].
    pub upstream_host: Option<String>,
    pub keepalive_pool: Option<KeepalivePool>,
    pub tls: Option<UpstreamTls>,
    pub checks: Option<HealthChecks>,
    /// Service discovery; not served by this build, kept for the configurations that carry it.
    pub service_name: Option<String>,
    pub discovery_type: Option<String>,
    pub discovery_args: Option<Value>,
}

/// How a node is picked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamType {
    #[default]
    #[serde(rename = "roundrobin")]
    RoundRobin,
    /// Consistent hashing.
    Chash,
    LeastConn,
    /// Lowest moving average of latency.
    Ewma,
}

/// Where the text that [`UpstreamType::Chash`] hashes comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashOn {
    #[default]
    Vars,
    Header,
    Cookie,
    /// The consumer's name; needs no key.
    Consumer,
    /// A template such as `$request_uri$remote_addr`.
    VarsCombinations,
}

/// The protocol spoken with the nodes. This build serves the first two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    #[default]
    Http,
    Https,
    Grpc,
    Grpcs,
    Tcp,
    Tls,
    Udp,
    Kafka,
}

impl Scheme {
    /// The port of a node that names none; `None` for schemes that have no usual port.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Scheme::Http | Scheme::Grpc => Some(80),
            Scheme::Https | Scheme::Grpcs => Some(443),
            Scheme::Tcp | Scheme::Tls | Scheme::Udp | Scheme::Kafka => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Grpc => "grpc",
            Scheme::Grpcs => "grpcs",
            Scheme::Tcp => "tcp",
            Scheme::Tls => "tls",
            Scheme::Udp => "udp",
            Scheme::Kafka => "kafka",
        }
    }
}

/// Which Host header a node receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassHost {
    /// The client's.
    #[default]
    Pass,
    /// The node's own name.
    Node,
    /// `upstream_host`.
    Rewrite,
}

/// How long to wait for an upstream, per step. All three are above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Timeout {
    #[serde(deserialize_with = "forms::seconds")]
    pub connect: Duration,
    /// Between two writes.
    #[serde(deserialize_with = "forms::seconds")]
    pub send: Duration,
    /// Between two reads.
    #[serde(deserialize_with = "forms::seconds")]
    pub read: Duration,
}

impl Default for Timeout {
    /// 60 seconds each, as nginx has it.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Timeout { connect: minute, send: minute, read: minute }
    }
}

/// Idle connections kept for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeepalivePool {
    /// Connections kept per worker, 1 or more.
    pub size: u32,
    /// How long an idle connection is kept; zero: until the upstream closes it.
    #[serde(deserialize_with = "forms::seconds")]
    pub idle_timeout: Duration,
    /// Requests after which a connection is closed, 1 or more.
    pub requests: u64,
}

impl Default for KeepalivePool {
    fn default() -> Self {
        KeepalivePool { size: 320, idle_timeout: Duration::from_secs(60), requests: 1000 }
    }
}

/// TLS towards the nodes: the gateway's own certificate, either here or in an ssl resource of type client.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UpstreamTls {
    #[serde(deserialize_with = "forms::optional_id")]
    pub client_cert_id: Option<String>,
    /// PEM.
    pub client_cert: Option<String>,
    /// PEM, or a reference to a secret.
    pub client_key: Option<Secret>,
    /// Whether the node's certificate is checked.
    pub verify: bool,
}
