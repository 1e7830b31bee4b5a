//! Attempts in flight, counted per node and released on drop; the least loaded node relative to its weight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// How many attempts a node is working on.
pub(super) type InFlightCount = AtomicU32;

/// An attempt in flight. Dropping it ends the attempt, on every path.
#[derive(Debug)]
pub struct InFlight {
    /// `None` where nobody counts.
    count: Option<Arc<InFlightCount>>,
}

impl InFlight {
    pub(super) fn enter(count: &Arc<InFlightCount>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count: Some(Arc::clone(count)) }
    }

    pub(super) fn uncounted() -> Self {
        Self { count: None }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(count) = &self.count {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Finds the member with the lowest `(in flight + 1) / weight`.
#[derive(Debug, Default)]
pub(super) struct LeastLoaded {
    /// Where the next search begins. Among equals the first one met wins, so idle nodes take turns.
    next: AtomicUsize,
}

impl LeastLoaded {
    /// `load` gives a node's count and its weight, which is above 0.
    pub(super) fn pick<'c>(
        &self,
        members: &[usize],
        usable: &dyn Fn(usize) -> bool,
        load: impl Fn(usize) -> (&'c InFlightCount, u32),
    ) -> Option<usize> {
        let start = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(members.len())?;
        let (before, from) = members.split_at(start);
        let candidates = from.iter().chain(before).copied().filter(|node| usable(*node));
        let loaded = candidates.map(|node| {
            let (count, weight) = load(node);
            (node, u64::from(count.load(Ordering::Relaxed)) + 1, u64::from(weight))
        });
        // a / v < b / w without division: a * w < b * v.
        loaded.min_by(|(_, a, v), (_, b, w)| (a * w).cmp(&(b * v))).map(|(node, ..)| node)
    }
}
