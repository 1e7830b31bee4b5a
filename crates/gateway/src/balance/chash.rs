//! Consistent hashing on a ketama-like ring: a key stays with its node while other nodes come and go.
//!
//! Every node owns 160 points per unit of normalised weight; a key belongs to the first point at or after its hash.
//! Health and tries are looked at while walking on from there, so they never move the keys of other nodes.

use super::{BalanceNode, TriedSet, normalised};

const POINTS_PER_WEIGHT: u64 = 160;

/// Above this many points (1 MiB) all nodes' shares are scaled down together.
const MOST_POINTS: u64 = 1 << 17;

#[derive(Debug)]
pub(super) struct Ring {
    /// Sorted by hash.
    points: Box<[Point]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    hash: u32,
    /// Position in the upstream.
    node: u32,
}

impl Ring {
    pub(super) fn new<'n>(members: impl Iterator<Item = (usize, &'n BalanceNode)>) -> Self {
        let members: Vec<_> = members.collect();
        let weights = normalised(&members.iter().map(|(_, node)| node.weight).collect::<Vec<_>>());
        let total: u64 = weights.iter().map(|weight| u64::from(*weight) * POINTS_PER_WEIGHT).sum();
        let mut points = Vec::new();
        for ((position, node), weight) in members.into_iter().zip(weights) {
            let full = u64::from(weight) * POINTS_PER_WEIGHT;
            let share = if total > MOST_POINTS { (full * MOST_POINTS / total).max(1) } else { full };
            let position = u32::try_from(position).expect("an upstream has fewer nodes than fit in memory");
            points.extend(point_hashes(node).take(share as usize).map(|hash| Point { hash, node: position }));
        }
        points.sort_unstable();
        Self { points: points.into() }
    }

    /// The owner of `key`, or the owner of the next point for which `usable` is true. `members` is how many
    /// different nodes are on the ring.
    pub(super) fn pick(&self, key: &[u8], members: usize, usable: &dyn Fn(usize) -> bool) -> Option<usize> {
        let hash = crc32fast::hash(key);
        let start = self.points.partition_point(|point| point.hash < hash);
        let (before, from) = self.points.split_at(start);
        let mut refused = TriedSet::new();
        let mut left = members;
        for point in from.iter().chain(before) {
            let node = point.node as usize;
            if refused.contains(node) {
                continue;
            }
            if usable(node) {
                return Some(node);
            }
            refused.insert(node);
            left -= 1;
            if left == 0 {
                return None;
            }
        }
        None
    }
}

/// An endless chain of hashes that depends on nothing but the node's own name.
fn point_hashes(node: &BalanceNode) -> impl Iterator<Item = u32> {
    let mut base = crc32fast::Hasher::new();
    base.update(node.host.as_bytes());
    base.update(&[0]);
    base.update(node.port.to_string().as_bytes());
    let mut previous = 0_u32;
    std::iter::repeat_with(move || {
        let mut hasher = base.clone();
        hasher.update(&previous.to_le_bytes());
        previous = hasher.finalize();
        previous
    })
}
