//! Handles: one series each, bound once and then only added to. Cheap to clone; adding takes no lock.

use std::sync::Arc;

use super::cells::Cells;

/// Histogram sums are kept in thousandths.
const THOUSANDTHS: f64 = 1_000.0;

/// A number that only grows.
#[derive(Debug, Clone)]
pub struct Counter(pub(super) Arc<Cells>);

/// A number that goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(pub(super) Arc<Cells>);

/// A distribution over buckets.
#[derive(Debug, Clone)]
pub struct Histogram {
    pub(super) cells: Arc<Cells>,
    pub(super) bounds: Arc<[f64]>,
}

/// One up, until it is dropped.
#[derive(Debug)]
pub struct Held(Gauge);

// === impl Counter ===

impl Counter {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cells::new(1)))
    }

    /// One more.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// `value` more.
    #[inline]
    pub fn add(&self, value: u64) {
        self.0.add(0, value);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.sum(0)
    }
}

// === impl Gauge ===

impl Gauge {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cells::new(1)))
    }

    /// Up or down by `change`.
    #[inline]
    pub fn add(&self, change: i64) {
        self.0.add(0, change as u64);
    }

    /// Up by one until the guard is dropped.
    pub fn hold(&self) -> Held {
        self.add(1);
        Held(self.clone())
    }

    /// The present value.
    pub fn get(&self) -> i64 {
        self.0.sum(0) as i64
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

// === impl Histogram ===

impl Histogram {
    /// Counts `value` in its bucket. Negative values and NaN count as zero.
    pub fn observe(&self, value: f64) {
        let value = value.max(0.0);
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.cells.add(bucket, 1);
        // Rounded: the cast cuts.
        self.cells.add(sum_cell(&self.bounds), (value * THOUSANDTHS + 0.5) as u64);
    }
}

/// One cell for each bucket, one for what is above all bounds, and the sum.
pub(super) fn histogram_cells(bounds: &[f64]) -> usize {
    bounds.len() + 2
}

fn sum_cell(bounds: &[f64]) -> usize {
    bounds.len() + 1
}

/// The sum of everything observed.
pub(super) fn histogram_sum(cells: &Cells, bounds: &[f64]) -> f64 {
    cells.sum(sum_cell(bounds)) as f64 / THOUSANDTHS
}
