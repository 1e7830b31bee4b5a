//! The health of everything checked, in the shape of APISIX's Control API (`/v1/healthcheck`).

use config::resource::CheckType;
use serde::Serialize;

use super::checker::{Checker, Target};
use super::state::{Counters, Status};

/// One checked resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckerReport {
    /// The key of the resource, such as `/apisix/routes/1`.
    pub name: String,
    /// `http`, `https` or `tcp`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub nodes: Vec<NodeReport>,
}

/// One probed node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// The node's address; where it has a name, the one that the last probe reached or that the name was found to mean,
    /// and the name while neither is known.
    pub ip: String,
    pub port: u16,
    pub hostname: String,
    pub hostheader: String,
    pub status: Status,
    pub counter: Counters,
}

impl Checker {
    /// As the Control API shows it.
    pub fn to_report(&self) -> CheckerReport {
        let kind = match self.checks.active.kind {
            CheckType::Http => "http",
            CheckType::Https => "https",
            CheckType::Tcp => "tcp",
        };
        CheckerReport { name: self.key().to_string(), kind, nodes: self.targets.iter().map(NodeReport::new).collect() }
    }
}

impl NodeReport {
    fn new(target: &Target) -> Self {
        let now = target.state.snapshot();
        Self {
            ip: target.reached.lock().map_or_else(|| target.identity.host.clone(), |ip| ip.to_string()),
            port: target.identity.port,
            hostname: target.identity.hostname.clone(),
            hostheader: target.request.host_header.clone(),
            status: now.status,
            counter: now.counters,
        }
    }
}
