//! Shares, order and fall-backs of every kind of balancer.

mod groups;
mod kinds;

use super::{BalanceNode, Balancer, Kind, TriedSet};

/// A node named by its position among the arguments of [`balancer`].
fn node(position: usize, weight: u32, priority: i32) -> BalanceNode {
    BalanceNode { host: format!("node-{position}"), port: 80, weight, priority }
}

/// Nodes of these weights and of one priority.
fn balancer(kind: Kind, weights: &[u32]) -> Balancer {
    Balancer::new(weights.iter().enumerate().map(|(at, weight)| node(at, *weight, 0)).collect(), kind)
}

/// The set of nodes tried so far.
fn tried(nodes: &[usize]) -> TriedSet {
    let mut set = TriedSet::new();
    nodes.iter().for_each(|node| set.insert(*node));
    set
}

/// First tries of `count` requests, each with its own key, while `healthy` holds.
fn picks(balancer: &Balancer, count: usize, healthy: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let pick = |request: usize| balancer.pick(Some(request.to_string().as_bytes()), &TriedSet::new(), healthy);
    (0..count).map(|request| pick(request).expect("a node is left")).collect()
}

/// How often each of `nodes` nodes occurs.
fn shares(picks: &[usize], nodes: usize) -> Vec<usize> {
    (0..nodes).map(|node| picks.iter().filter(|pick| **pick == node).count()).collect()
}

const KINDS: [Kind; 4] = [Kind::RoundRobin, Kind::Chash, Kind::LeastConn, Kind::Ewma];
