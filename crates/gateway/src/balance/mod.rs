//! Chooses the node of an upstream for one attempt. Pure: no sockets, no clock of its own.
//!
//! A [`Balancer`] is compiled from an upstream's nodes and shared by all workers. Its invariants: a node of weight
//! 0 is never chosen, a node already tried for this request is never chosen again, and a lower priority is
//! reached only when every node of the higher ones has been tried or is unhealthy. An upstream of one node has no
//! choice to make: its node is given every time. Called by dispatch once per attempt.

mod chash;
mod ewma;
mod least_conn;
mod round_robin;
mod tried;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chash::Ring;
use ewma::Latency;
use least_conn::{InFlightCount, LeastLoaded};
use round_robin::Rotation;

pub use least_conn::InFlight;
pub use tried::TriedSet;

/// One node of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceNode {
    /// Domain or address, as configured.
    pub host: String,
    pub port: u16,
    /// Share of the traffic, relative to the others of its priority; 0 gets none.
    pub weight: u32,
    /// Higher is used first.
    pub priority: i32,
}

/// APISIX's `upstream.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Smooth weighted rotation.
    #[default]
    RoundRobin,
    /// Consistent hash of a key of the request.
    Chash,
    /// Fewest attempts in flight, relative to weight.
    LeastConn,
    /// The faster of two chosen at random.
    Ewma,
}

/// The compiled nodes of one upstream.
#[derive(Debug)]
pub struct Balancer {
    nodes: Box<[BalanceNode]>,
    /// By descending priority; nodes of weight 0 are in none.
    groups: Box<[Group]>,
    /// Beside `nodes`; survive changes of the configuration.
    loads: Box<[Arc<NodeLoad>]>,
    kind: Kind,
}

/// What is measured about one node.
#[derive(Debug, Default)]
struct NodeLoad {
    in_flight: Arc<InFlightCount>,
    latency: Latency,
}

/// The nodes of one priority.
#[derive(Debug)]
struct Group {
    /// Positions in [`Balancer::nodes`], ascending.
    members: Box<[usize]>,
    picker: Picker,
}

#[derive(Debug)]
enum Picker {
    RoundRobin(Rotation),
    Chash(Ring),
    LeastConn(LeastLoaded),
    Ewma,
}

// === impl Balancer ===

impl Balancer {
    pub fn new(nodes: Vec<BalanceNode>, kind: Kind) -> Self {
        Self::succeeding(nodes, kind, None)
    }

    /// As [`Balancer::new`], keeping what `previous` has measured about nodes of the same host and port.
    pub fn succeeding(nodes: Vec<BalanceNode>, kind: Kind, previous: Option<&Self>) -> Self {
        let loads = nodes.iter().map(|node| previous.and_then(|old| old.load_of(node)).unwrap_or_default()).collect();
        let mut priorities: Vec<i32> = nodes.iter().filter(|node| node.weight > 0).map(|node| node.priority).collect();
        priorities.sort_unstable_by(|a, b| b.cmp(a));
        priorities.dedup();
        let groups = priorities.into_iter().map(|priority| Group::new(&nodes, priority, kind)).collect();
        Self { nodes: nodes.into(), groups, loads, kind }
    }

    /// The nodes, in the order of the positions that [`Balancer::pick`] gives.
    pub fn nodes(&self) -> &[BalanceNode] {
        &self.nodes
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The node for the next attempt, or `None` when all that may be used have been tried.
    ///
    /// `key` is what [`Kind::Chash`] hashes; other kinds ignore it. `healthy` is asked about positions of
    /// [`Balancer::nodes`]; when it denies all of them, health is ignored (rather some traffic than none).
    pub fn pick(&self, key: Option<&[u8]>, tried: &TriedSet, healthy: &dyn Fn(usize) -> bool) -> Option<usize> {
        if self.nodes.len() == 1 && self.kind != Kind::LeastConn {
            return Some(0);
        }
        let usable = |node: usize| !tried.contains(node) && healthy(node);
        if let Some(node) = self.pick_usable(key, &usable) {
            return Some(node);
        }
        let none_healthy = !self.groups.iter().flat_map(|group| &group.members).any(|node| healthy(*node));
        if none_healthy { self.pick_usable(key, &|node| !tried.contains(node)) } else { None }
    }

    /// Counts an attempt on `node` as in flight until the result is dropped.
    #[must_use = "the attempt counts only while this is held"]
    pub fn begin(&self, node: usize) -> InFlight {
        match self.kind {
            Kind::LeastConn => InFlight::enter(&self.loads[node].in_flight),
            Kind::RoundRobin | Kind::Chash | Kind::Ewma => InFlight::uncounted(),
        }
    }

    /// Tells how long `node` took to connect and answer with a response head, measured until `now`.
    pub fn observe(&self, node: usize, took: Duration, now: Instant) {
        if self.kind == Kind::Ewma {
            self.loads[node].latency.observe(took, now);
        }
    }

    fn pick_usable(&self, key: Option<&[u8]>, usable: &dyn Fn(usize) -> bool) -> Option<usize> {
        self.groups.iter().find_map(|group| self.pick_in(group, key, usable))
    }

    fn pick_in(&self, group: &Group, key: Option<&[u8]>, usable: &dyn Fn(usize) -> bool) -> Option<usize> {
        let members = &group.members;
        match &group.picker {
            Picker::RoundRobin(rotation) => rotation.pick(members, usable),
            Picker::Chash(ring) => ring.pick(key.unwrap_or_default(), members.len(), usable),
            Picker::LeastConn(least) => {
                least.pick(members, usable, |node| (&self.loads[node].in_flight, self.nodes[node].weight))
            }
            Picker::Ewma => ewma::pick(members, usable, |node| &self.loads[node].latency, Instant::now()),
        }
    }

    fn load_of(&self, node: &BalanceNode) -> Option<Arc<NodeLoad>> {
        let position = self
            .nodes
            .iter()
            .position(|own| own.host == node.host && own.port == node.port && own.priority == node.priority)?;
        Some(Arc::clone(&self.loads[position]))
    }
}

impl Group {
    fn new(nodes: &[BalanceNode], priority: i32, kind: Kind) -> Self {
        let belongs = |node: &BalanceNode| node.priority == priority && node.weight > 0;
        let members: Box<[usize]> = (0..nodes.len()).filter(|&position| belongs(&nodes[position])).collect();
        let picker = match kind {
            Kind::RoundRobin => {
                let weights: Vec<u32> = members.iter().map(|&node| nodes[node].weight).collect();
                Picker::RoundRobin(Rotation::new(&weights))
            }
            Kind::Chash => Picker::Chash(Ring::new(members.iter().map(|&node| (node, &nodes[node])))),
            Kind::LeastConn => Picker::LeastConn(LeastLoaded::default()),
            Kind::Ewma => Picker::Ewma,
        };
        Self { members, picker }
    }
}

/// The weights divided by their greatest common divisor. Weights are above 0.
fn normalised(weights: &[u32]) -> Vec<u32> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    weights.iter().map(|weight| weight / divisor).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
