//! Routes and services: what a request must look like, and what happens to it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::forms;
use super::upstream::{Timeout, Upstream};

/// Plugin configurations by plugin name, in the order in which the user wrote them.
pub type Plugins = Map<String, Value>;

/// Free key/value pairs to find things by.
pub type Labels = BTreeMap<String, String>;

/// A route. `uri`/`uris`, `host`/`hosts` and `remote_addr`/`remote_addrs` are each one list here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "RouteForms")]
pub struct Route {
    /// Empty until the store has given one.
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    pub labels: Labels,
    /// At least one. Exact, prefix (`/a/*`) or with a `*` or `:name` inside.
    pub uris: Vec<String>,
    /// Among routes with the same path, higher wins.
    pub priority: i64,
    /// Empty: any method.
    pub methods: Vec<String>,
    /// Lower case. Empty: the service's hosts, else any.
    pub hosts: Vec<String>,
    /// IP addresses and CIDR blocks. Empty: any client.
    pub remote_addrs: Vec<String>,
    /// Overrides the upstream's timeouts.
    pub timeout: Option<Timeout>,
    /// An expression (see [`crate::expr`]), which must hold for the route to match.
    pub vars: Option<Value>,
    pub plugins: Plugins,
    pub plugin_config_id: Option<String>,
    pub service_id: Option<String>,
    /// Wins over `upstream`.
    pub upstream_id: Option<String>,
    pub upstream: Option<Upstream>,
    /// Absent: as the service says, else off.
    pub enable_websocket: Option<bool>,
    /// A disabled route matches nothing.
    pub enabled: bool,
}

/// A route as users write it.
#[derive(Deserialize)]
struct RouteForms {
    #[serde(default, deserialize_with = "forms::id")]
    id: String,
    name: Option<String>,
    desc: Option<String>,
    #[serde(default)]
    labels: Labels,
    uri: Option<String>,
    #[serde(default)]
    uris: Vec<String>,
    #[serde(default)]
    priority: i64,
    #[serde(default)]
    methods: Vec<String>,
    host: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    remote_addr: Option<String>,
    #[serde(default)]
    remote_addrs: Vec<String>,
    timeout: Option<Timeout>,
    vars: Option<Value>,
    #[serde(default)]
    plugins: Plugins,
    #[serde(default, deserialize_with = "forms::optional_id")]
    plugin_config_id: Option<String>,
    #[serde(default, deserialize_with = "forms::optional_id")]
    service_id: Option<String>,
    #[serde(default, deserialize_with = "forms::optional_id")]
    upstream_id: Option<String>,
    upstream: Option<Upstream>,
    enable_websocket: Option<bool>,
    #[serde(default = "forms::enabled", deserialize_with = "forms::status")]
    status: bool,
}

impl From<RouteForms> for Route {
    fn from(forms: RouteForms) -> Route {
        Route {
            id: forms.id,
            name: forms.name,
            desc: forms.desc,
            labels: forms.labels,
            uris: one_or_many(forms.uri, forms.uris),
            priority: forms.priority,
            methods: forms.methods,
            hosts: lower_case(one_or_many(forms.host, forms.hosts)),
            remote_addrs: one_or_many(forms.remote_addr, forms.remote_addrs),
            timeout: forms.timeout,
            vars: forms.vars,
            plugins: forms.plugins,
            plugin_config_id: forms.plugin_config_id,
            service_id: forms.service_id,
            upstream_id: forms.upstream_id,
            upstream: forms.upstream,
            enable_websocket: forms.enable_websocket,
            enabled: forms.status,
        }
    }
}

/// What several routes share.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Service {
    /// Empty until the store has given one.
    #[serde(default, deserialize_with = "forms::id")]
    pub id: String,
    pub name: Option<String>,
    pub desc: Option<String>,
    #[serde(default)]
    pub labels: Labels,
    /// Lower case. For routes that have no hosts of their own.
    #[serde(default, deserialize_with = "lower_case_list")]
    pub hosts: Vec<String>,
    #[serde(default)]
    pub plugins: Plugins,
    /// Wins over `upstream`.
    #[serde(default, deserialize_with = "forms::optional_id")]
    pub upstream_id: Option<String>,
    pub upstream: Option<Upstream>,
    pub enable_websocket: Option<bool>,
}

pub(super) fn one_or_many<T>(one: Option<T>, many: Vec<T>) -> Vec<T> {
    one.into_iter().chain(many).collect()
}

/// Host names are compared without regard to case; this is done once, here.
pub(super) fn lower_case(hosts: Vec<String>) -> Vec<String> {
    hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
}

fn lower_case_list<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    Vec::deserialize(input).map(lower_case)
}
