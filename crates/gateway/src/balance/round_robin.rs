//! Smooth weighted rotation: over one cycle each node gets exactly its share, spread as evenly as it can be.
//!
//! The usual cycle is short, so it is laid out once and a pick is one atomic addition. Weights whose cycle would be
//! long (say 1000 and 999) are balanced step by step under a lock.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::normalised;

/// Cycles up to this length are laid out.
const LONGEST_LAID_OUT: u64 = 2048;

/// Numbers in here are positions within the group, not within the upstream.
#[derive(Debug)]
pub(super) enum Rotation {
    LaidOut {
        cycle: Box<[u32]>,
        next: AtomicUsize,
        /// Turns of nodes that could not be used, given to the others by their shares.
        next_replacement: AtomicUsize,
    },
    Stepwise(Mutex<SmoothWeights>),
}

/// nginx's smooth weighted balancing: everyone gains its weight, the richest is chosen and pays the total.
#[derive(Debug)]
pub(super) struct SmoothWeights {
    weights: Box<[u32]>,
    credits: Box<[i64]>,
}

impl Rotation {
    /// `weights` of the group's members, each above 0.
    pub(super) fn new(weights: &[u32]) -> Self {
        let weights = normalised(weights);
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let all_equal = weights.iter().all(|weight| *weight == 1);
        if !all_equal && total > LONGEST_LAID_OUT {
            return Self::Stepwise(Mutex::new(SmoothWeights::new(weights)));
        }
        let cycle: Box<[u32]> = if all_equal {
            (0..).take(weights.len()).collect()
        } else {
            let mut smooth = SmoothWeights::new(weights);
            (0..total).filter_map(|_| smooth.step(&|_| true)).filter_map(|member| u32::try_from(member).ok()).collect()
        };
        // Many upstreams begin at the same moment (start, reload): not all with their first node.
        let start = fastrand::usize(..cycle.len().max(1));
        Self::LaidOut { cycle, next: AtomicUsize::new(start), next_replacement: AtomicUsize::new(0) }
    }

    /// One of `members` for which `usable` is true.
    pub(super) fn pick(&self, members: &[usize], usable: &dyn Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::Stepwise(smooth) => smooth.lock().step(&|member| usable(members[member])).map(|m| members[m]),
            Self::LaidOut { cycle, next, next_replacement } => {
                let turn = next.fetch_add(1, Ordering::Relaxed) % cycle.len();
                let node = members[cycle[turn] as usize];
                if usable(node) { Some(node) } else { replace(cycle, next_replacement, members, usable) }
            }
        }
    }
}

/// Rotates over what is usable of the cycle, so that the turns of an absent node go to the others by their weights
/// and not all to its neighbour.
fn replace(cycle: &[u32], next: &AtomicUsize, members: &[usize], usable: &dyn Fn(usize) -> bool) -> Option<usize> {
    let usable_turns = || cycle.iter().map(|member| members[*member as usize]).filter(|node| usable(*node));
    let count = usable_turns().count();
    let turn = next.fetch_add(1, Ordering::Relaxed).checked_rem(count)?;
    // Health may have changed between the two walks.
    usable_turns().nth(turn).or_else(|| usable_turns().next())
}

impl SmoothWeights {
    fn new(weights: Vec<u32>) -> Self {
        Self { credits: vec![0; weights.len()].into(), weights: weights.into() }
    }

    /// The usable member with the most credit; others neither gain nor pay.
    fn step(&mut self, usable: &dyn Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut richest: Option<usize> = None;
        for member in (0..self.weights.len()).filter(|member| usable(*member)) {
            let weight = i64::from(self.weights[member]);
            self.credits[member] += weight;
            total += weight;
            if richest.is_none_or(|best| self.credits[member] > self.credits[best]) {
                richest = Some(member);
            }
        }
        self.credits[richest?] -= total;
        richest
    }
}
