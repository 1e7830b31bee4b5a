//! Attempts in flight, counted per node and released on drop; the least loaded node relative to its weight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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

/// The candidate with the lowest `(in flight + 1) / weight`; the first of equals. Weights are above 0.
pub(super) fn pick<'c>(candidates: impl Iterator<Item = (usize, &'c InFlightCount, u32)>) -> Option<usize> {
    let loaded = candidates.map(|(node, count, weight)| {
        let next_load = u64::from(count.load(Ordering::Relaxed)) + 1;
        (node, next_load, u64::from(weight))
    });
    // a / v < b / w without division: a * w < b * v.
    loaded.min_by(|(_, a, v), (_, b, w)| (a * w).cmp(&(b * v))).map(|(node, ..)| node)
}
