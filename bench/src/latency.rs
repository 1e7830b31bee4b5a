//! Many durations, summed up.

use serde::Serialize;

/// Durations in nanoseconds, all kept: a run has at most some hundred thousand.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u64>);

/// Percentiles in microseconds.
#[derive(Debug, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latencies {
    pub fn add(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    pub fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let at = |share: f64| {
            let index = ((self.0.len() as f64 * share) as usize).min(self.0.len().saturating_sub(1));
            self.0.get(index).map_or(0.0, |&nanoseconds| nanoseconds as f64 / 1000.0)
        };
        Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}
