//! Every metric of the process, in one registry. Users register a family, bind handles to label values and add to
//! them; a scrape renders everything. Invariants: adding takes no lock; the number of series of a metric is bounded;
//! a name stands once in the text. Filled by the data plane and by observability plugins, read by the metrics
//! listener.

mod cache;
mod cells;
mod family;
mod handle;
mod process;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use config::settings::PrometheusAttr;
use parking_lot::RwLock;

pub use cache::HandleCache;
use family::{Family, Shape};
pub use family::{FamilyOf, Handle, MOST_SERIES};
pub use handle::{Counter, Gauge, Held, Histogram};
pub use process::{Traffic, TrafficTotals};

/// The registry.
pub struct Metrics {
    settings: PrometheusAttr,
    traffic: Traffic,
    errors: Counter,
    families: RwLock<BTreeMap<String, Arc<Family>>>,
    observers: RwLock<BTreeMap<String, Observer>>,
    /// Changes when series were dropped, so that nobody keeps adding to them.
    generation: AtomicU64,
}

/// A gauge whose values are asked for at each scrape.
struct Observer {
    help: &'static str,
    observe: Box<dyn Fn(&mut Observed<'_>) + Send + Sync>,
}

/// Where an observer puts its values.
pub struct Observed<'o> {
    name: &'o str,
    out: &'o mut String,
}

impl Metrics {
    /// A registry without series. `settings` give the prefix and what expires.
    pub fn new(settings: &PrometheusAttr) -> Self {
        Self {
            settings: settings.clone(),
            traffic: Traffic::new(),
            errors: Counter::new(),
            families: RwLock::default(),
            observers: RwLock::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// Connections and requests.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The counters called `name` (without prefix). Who registers a name again gets the family there is.
    pub fn counter(&self, name: &str, help: &'static str, labels: &[&str]) -> FamilyOf<Counter> {
        FamilyOf::new(self.family(name, help, Shape::Counter, labels))
    }

    /// The gauges called `name`.
    pub fn gauge(&self, name: &str, help: &'static str, labels: &[&str]) -> FamilyOf<Gauge> {
        FamilyOf::new(self.family(name, help, Shape::Gauge, labels))
    }

    /// The histograms called `name`, with these rising upper bounds.
    pub fn histogram(&self, name: &str, help: &'static str, bounds: &[f64], labels: &[&str]) -> FamilyOf<Histogram> {
        FamilyOf::new(self.family(name, help, Shape::Histogram(bounds.into()), labels))
    }

    /// A gauge whose values `observe` tells at each scrape; it replaces an earlier one of that name.
    pub fn observe(&self, name: &str, help: &'static str, observe: impl Fn(&mut Observed<'_>) + Send + Sync + 'static) {
        let name = format!("{}{name}", self.settings.metric_prefix);
        self.observers.write().insert(name, Observer { help, observe: Box::new(observe) });
    }

    /// Shows `node_info`.
    pub fn describe_node(&self, hostname: &str, version: &'static str) {
        let hostname = hostname.to_owned();
        self.observe("node_info", "Info of APISIX node", move |values| {
            values.gauge(&[("hostname", &hostname), ("version", version)], 1.0);
        });
    }

    /// Everything in Prometheus' text format 0.0.4. Drops series that have expired.
    pub fn render(&self) -> String {
        let now = Instant::now();
        let prefix = &self.settings.metric_prefix;
        let mut out = String::with_capacity(16 * 1024);
        self.traffic.render(&mut out, prefix);
        for family in self.families.read().values() {
            if family.expire(now) {
                self.generation.fetch_add(1, Ordering::Relaxed);
            }
            family.render(&mut out);
        }
        for (name, observer) in self.observers.read().iter() {
            text::head(&mut out, name, observer.help, "gauge");
            (observer.observe)(&mut Observed { name, out: &mut out });
        }
        let name = format!("{prefix}nginx_metric_errors_total");
        text::head(&mut out, &name, "Number of nginx-lua-prometheus errors", "counter");
        text::sample(&mut out, &name, "", self.errors.get());
        out
    }

    fn family(&self, name: &str, help: &'static str, shape: Shape, labels: &[&str]) -> Arc<Family> {
        let full_name = format!("{}{name}", self.settings.metric_prefix);
        let expire = self.settings.metrics.get(name).map(|metric| metric.expire).unwrap_or_default();
        let mut families = self.families.write();
        let family = families.entry(full_name).or_insert_with_key(|full_name| {
            Arc::new(Family::new(full_name.clone(), help, shape, labels, expire, self.errors.clone()))
        });
        family.clone()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

impl Observed<'_> {
    /// One value.
    pub fn gauge(&mut self, labels: &[(&str, &str)], value: f64) {
        text::sample(self.out, self.name, &text::labels(labels.iter().copied()), value);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(&PrometheusAttr::default())
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("families", &self.families.read().keys()).finish_non_exhaustive()
    }
}
