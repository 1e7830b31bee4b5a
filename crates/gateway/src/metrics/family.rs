//! A family: one metric's name with all its series, one for each combination of label values. Looking a series up
//! takes a lock and builds a text, so that users keep the handle. The number of series is bounded: values of labels
//! may come from clients, and memory must not.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::cells::Cells;
use super::handle::{Counter, Gauge, Histogram, histogram_cells, histogram_sum};
use super::text;

/// More series of one metric are not counted; `nginx_metric_errors_total` says so.
pub const MOST_SERIES: usize = 10_000;

/// What a family's numbers are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Counter,
    Gauge,
    Histogram(Arc<[f64]>),
}

/// A metric with its series.
#[derive(Debug)]
pub(super) struct Family {
    /// With the prefix.
    pub name: String,
    pub help: &'static str,
    pub shape: Shape,
    labels: Box<[Box<str>]>,
    /// Series that did not change for so long are dropped; zero keeps them.
    expire: Duration,
    /// By the labels as they are printed.
    series: RwLock<BTreeMap<String, Series>>,
    errors: Counter,
}

#[derive(Debug)]
struct Series {
    cells: Arc<Cells>,
    /// What expiry saw last, and when that was new.
    seen: (u64, Instant),
}

/// A family whose handles are of type `H`.
#[derive(Debug)]
pub struct FamilyOf<H> {
    family: Arc<Family>,
    handle: PhantomData<fn() -> H>,
}

/// What a family of counters, gauges or histograms hands out.
pub trait Handle: Sized {
    #[doc(hidden)]
    fn bind(series: Bound<'_>) -> Self;
}

/// A series about to become a handle.
#[doc(hidden)]
pub struct Bound<'f> {
    cells: Arc<Cells>,
    shape: &'f Shape,
}

// === impl Family ===

impl Family {
    pub fn new(
        name: String,
        help: &'static str,
        shape: Shape,
        labels: &[&str],
        expire: Duration,
        errors: Counter,
    ) -> Self {
        let labels = labels.iter().map(|label| Box::from(*label)).collect();
        Self { name, help, shape, labels, expire, series: RwLock::default(), errors }
    }

    /// The series with these label values, in the order of the labels; `None` if there are too many already.
    fn series(&self, values: &[&str]) -> Option<Arc<Cells>> {
        let key = text::labels(self.labels.iter().map(|label| &**label).zip(values.iter().copied()));
        {
            let all = self.series.read();
            if let Some(series) = all.get(&key) {
                return Some(series.cells.clone());
            }
            if all.len() >= MOST_SERIES {
                self.errors.inc();
                return None;
            }
        }
        let mut all = self.series.write();
        let new = || Series { cells: Arc::new(Cells::new(self.cell_count())), seen: (0, Instant::now()) };
        Some(all.entry(key).or_insert_with(new).cells.clone())
    }

    fn cell_count(&self) -> usize {
        match &self.shape {
            Shape::Counter | Shape::Gauge => 1,
            Shape::Histogram(bounds) => histogram_cells(bounds),
        }
    }

    /// Drops series that have not changed for long. Gauges stay while they are not zero. `true` if any went.
    pub fn expire(&self, now: Instant) -> bool {
        if self.expire.is_zero() {
            return false;
        }
        let mut all = self.series.write();
        let before = all.len();
        all.retain(|_, series| {
            let total = (0..self.cell_count()).fold(0_u64, |sum, cell| sum.wrapping_add(series.cells.sum(cell)));
            if total != series.seen.0 {
                series.seen = (total, now);
            }
            let in_use = self.shape == Shape::Gauge && total != 0;
            in_use || now.saturating_duration_since(series.seen.1) < self.expire
        });
        all.len() < before
    }

    /// Appends the family in the text format.
    pub fn render(&self, out: &mut String) {
        let all = self.series.read();
        if all.is_empty() {
            return;
        }
        match &self.shape {
            Shape::Counter => {
                text::head(out, &self.name, self.help, "counter");
                all.iter().for_each(|(labels, series)| text::sample(out, &self.name, labels, series.cells.sum(0)));
            }
            Shape::Gauge => {
                text::head(out, &self.name, self.help, "gauge");
                all.iter()
                    .for_each(|(labels, series)| text::sample(out, &self.name, labels, series.cells.sum(0) as i64));
            }
            Shape::Histogram(bounds) => {
                text::head(out, &self.name, self.help, "histogram");
                all.iter().for_each(|(labels, series)| {
                    let counts = (0..=bounds.len()).map(|bucket| series.cells.sum(bucket));
                    text::histogram(out, &self.name, labels, bounds, counts, histogram_sum(&series.cells, bounds));
                });
            }
        }
    }
}

// === impl FamilyOf ===

impl<H: Handle> FamilyOf<H> {
    pub(super) fn new(family: Arc<Family>) -> Self {
        Self { family, handle: PhantomData }
    }

    /// The handle for these label values, in the order of the labels. `None` (and an error counted) if the metric
    /// has [`MOST_SERIES`] already. Takes a lock: keep the handle.
    pub fn with(&self, values: &[&str]) -> Option<H> {
        self.family.series(values).map(|cells| H::bind(Bound { cells, shape: &self.family.shape }))
    }
}

impl<H> Clone for FamilyOf<H> {
    fn clone(&self) -> Self {
        Self { family: self.family.clone(), handle: PhantomData }
    }
}

impl Handle for Counter {
    fn bind(series: Bound<'_>) -> Self {
        Counter(series.cells)
    }
}

impl Handle for Gauge {
    fn bind(series: Bound<'_>) -> Self {
        Gauge(series.cells)
    }
}

impl Handle for Histogram {
    fn bind(series: Bound<'_>) -> Self {
        let bounds = match series.shape {
            Shape::Histogram(bounds) => bounds.clone(),
            Shape::Counter | Shape::Gauge => Arc::default(),
        };
        Histogram { cells: series.cells, bounds }
    }
}
