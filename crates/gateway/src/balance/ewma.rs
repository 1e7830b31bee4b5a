//! Peak-sensitive moving average of a node's latency; of two nodes chosen at random the faster one wins.
//!
//! A slow answer counts at once, a fast one only little by little, and what is not confirmed fades: after a
//! while without traffic a node that was slow gets another chance.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time after which an old value weighs 1/e.
const DECAY: Duration = Duration::from_secs(10);
/// A value older than this says nothing.
const EXPIRY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Latency {
    last: Mutex<Option<Sample>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// The average in seconds, as of `at`.
    average: f64,
    at: Instant,
}

impl Latency {
    pub(super) fn observe(&self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let mut last = self.last.lock();
        let average = match *last {
            Some(sample) if now.saturating_duration_since(sample.at) < EXPIRY && took < sample.average => {
                let weight = sample.weight(now);
                sample.average * weight + took * (1.0 - weight)
            }
            _ => took,
        };
        *last = Some(Sample { average, at: now });
    }

    /// The decayed average in seconds; 0 for a node of which nothing is known.
    pub(super) fn score(&self, now: Instant) -> f64 {
        match *self.last.lock() {
            Some(sample) if now.saturating_duration_since(sample.at) < EXPIRY => sample.average * sample.weight(now),
            _ => 0.0,
        }
    }
}

impl Sample {
    /// How much of this value is left at `now`.
    fn weight(self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at);
        (-age.as_secs_f64() / DECAY.as_secs_f64()).exp()
    }
}

/// The better of two usable members chosen at random.
pub(super) fn pick<'l>(
    members: &[usize],
    usable: &dyn Fn(usize) -> bool,
    latency: impl Fn(usize) -> &'l Latency,
    now: Instant,
) -> Option<usize> {
    let mut first = None;
    let mut second = None;
    // Reservoir sampling: every pair is equally likely, and nothing is collected.
    for (seen, node) in members.iter().copied().filter(|node| usable(*node)).enumerate() {
        match (seen, fastrand::usize(..=seen)) {
            (0, _) => first = Some(node),
            (1, _) => second = Some(node),
            (_, 0) => first = Some(node),
            (_, 1) => second = Some(node),
            _ => {}
        }
    }
    let (Some(a), Some(b)) = (first, second) else { return first };
    match latency(a).score(now).total_cmp(&latency(b).score(now)) {
        std::cmp::Ordering::Less => Some(a),
        std::cmp::Ordering::Greater => Some(b),
        std::cmp::Ordering::Equal => Some(if fastrand::bool() { a } else { b }),
    }
}
