//! The health of all nodes of one resource, under one configuration.

use std::net::IpAddr;
use std::sync::Arc;

use config::resource::HealthChecks;
use parking_lot::Mutex;

use super::Outcome;
use super::probe::ProbeRequest;
use super::rules::Rules;
use super::state::{NodeState, Status};

/// A node as an upstream has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedNode {
    /// Domain or address; IPv6 in brackets or bare.
    pub host: String,
    pub port: u16,
}

/// Health of the nodes of one route, service or upstream. Positions are those of the nodes it was made from.
#[derive(Debug)]
pub struct Checker {
    key: Arc<str>,
    pub(super) checks: HealthChecks,
    active: Rules,
    passive: Option<Rules>,
    /// What is probed; nodes that differ only in a port that `active.port` overrides share one.
    pub(super) targets: Box<[Target]>,
    /// For each node its position in `targets`.
    target_of: Box<[usize]>,
}

/// One thing to probe.
#[derive(Debug)]
pub(super) struct Target {
    pub identity: Identity,
    pub request: ProbeRequest,
    pub state: Arc<NodeState>,
    /// Where the last probe got to; until then, where a name led when it was looked up.
    pub reached: Mutex<Option<IpAddr>>,
}

/// Two nodes of the same identity are the same node, also across changes of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub host: String,
    pub port: u16,
    /// `active.host`, or the node's host.
    pub hostname: String,
}

impl Checker {
    /// `upstream_host` is the upstream's, when `pass_host` is `rewrite`. Nodes that `previous` knows keep its state
    /// as long as the checks are the same.
    pub(super) fn new(
        key: Arc<str>,
        checks: &HealthChecks,
        nodes: &[CheckedNode],
        upstream_host: Option<&str>,
        previous: Option<&Self>,
    ) -> Self {
        let previous = previous.filter(|old| old.checks == *checks);
        let mut targets: Vec<Target> = Vec::with_capacity(nodes.len());
        let mut target_of = Vec::with_capacity(nodes.len());
        for node in nodes {
            let identity = Identity::new(node, checks);
            let known = targets.iter().position(|target| target.identity == identity);
            target_of.push(known.unwrap_or(targets.len()));
            if known.is_none() {
                let request = ProbeRequest::new(&checks.active, node, upstream_host);
                let state = previous.and_then(|old| old.state_of(&identity)).unwrap_or_default();
                targets.push(Target { identity, request, state, reached: Mutex::default() });
            }
        }
        Self {
            key,
            checks: checks.clone(),
            active: Rules::active(&checks.active),
            passive: checks.passive.as_ref().map(Rules::passive),
            targets: targets.into(),
            target_of: target_of.into(),
        }
    }

    /// The key of the resource, such as `/apisix/upstreams/1`.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Whether the node gets traffic. `false` for a position that does not exist.
    pub fn is_healthy(&self, node: usize) -> bool {
        self.target_of.get(node).is_some_and(|target| self.targets[*target].state.is_fit())
    }

    /// What is known about the node; `None` for a position that does not exist.
    pub fn status(&self, node: usize) -> Option<Status> {
        self.target_of.get(node).map(|target| self.targets[*target].state.snapshot().status)
    }

    /// Tells how an attempt on a node ended. Without passive checks this does nothing.
    pub fn report(&self, node: usize, outcome: Outcome) {
        if let (Some(rules), Some(target)) = (&self.passive, self.target_of.get(node)) {
            self.count(&self.targets[*target], rules, outcome, "traffic");
        }
    }

    /// Tells how a probe ended.
    pub(super) fn report_probe(&self, target: &Target, outcome: Outcome) {
        self.count(target, &self.active, outcome, "probe");
    }

    fn count(&self, target: &Target, rules: &Rules, outcome: Outcome, source: &'static str) {
        let Some((event, limit)) = rules.read(outcome) else { return };
        let Some((before, after)) = target.state.record(event, limit) else { return };
        if before.is_fit() != after.is_fit() {
            let Identity { host, port, .. } = &target.identity;
            tracing::warn!(checker = %self.key, %host, port, ?before, ?after, ?outcome, source, "node changed health");
        }
    }

    /// `true` if a checker made of these would be the same.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let same_target = |(a, b): (&Target, &Target)| a.identity == b.identity && a.request == b.request;
        self.checks == other.checks
            && self.target_of == other.target_of
            && self.targets.len() == other.targets.len()
            && self.targets.iter().zip(&other.targets).all(same_target)
    }

    fn state_of(&self, identity: &Identity) -> Option<Arc<NodeState>> {
        let target = self.targets.iter().find(|target| target.identity == *identity)?;
        Some(Arc::clone(&target.state))
    }
}

impl Target {
    /// The node's name, if it is configured by one.
    pub(super) fn name(&self) -> Option<&str> {
        let host = &*self.identity.host;
        unbracketed(host).parse::<IpAddr>().is_err().then_some(host)
    }
}

impl Identity {
    fn new(node: &CheckedNode, checks: &HealthChecks) -> Self {
        Self {
            host: node.host.clone(),
            port: checks.active.port.unwrap_or(node.port),
            hostname: checks.active.host.clone().unwrap_or_else(|| node.host.clone()),
        }
    }
}

impl CheckedNode {
    /// The domain, if the node is not an address.
    pub(super) fn domain(&self) -> Option<&str> {
        unbracketed(&self.host).parse::<IpAddr>().is_err().then_some(self.host.as_str())
    }
}

/// `[::1]` as `::1`.
pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
