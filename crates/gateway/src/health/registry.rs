//! All checkers of this process, by resource key.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::resource::HealthChecks;
use parking_lot::Mutex;

use super::checker::{CheckedNode, Checker};
use super::prober::{Prober, Probing};
use super::report::CheckerReport;

/// Keeps checkers over changes of the configuration. A plan asks for its checkers while it is compiled; requests use
/// the [`Arc<Checker>`] and never come here.
#[derive(Debug, Default)]
pub struct Registry {
    /// `None`: nothing is probed, only traffic counts.
    prober: Option<Prober>,
    entries: Mutex<BTreeMap<Arc<str>, Entry>>,
}

#[derive(Debug)]
struct Entry {
    checker: Arc<Checker>,
    /// Ends the probes when the entry is replaced or removed.
    _probing: Option<Probing>,
}

impl Registry {
    pub fn new(prober: Option<Prober>) -> Self {
        Self { prober, entries: Mutex::default() }
    }

    /// The checker of the resource `key`, and its probes started.
    ///
    /// What is unchanged stays as it is. Under the same checks, nodes known before keep their state. `upstream_host`
    /// is the upstream's, when `pass_host` is `rewrite`.
    pub fn apply(
        &self,
        key: &str,
        checks: &HealthChecks,
        nodes: &[CheckedNode],
        upstream_host: Option<&str>,
    ) -> Arc<Checker> {
        let mut entries = self.entries.lock();
        let previous = entries.get(key).map(|entry| &entry.checker);
        let checker = Checker::new(key.into(), checks, nodes, upstream_host, previous.map(Arc::as_ref));
        if let Some(same) = previous.filter(|old| old.is_of(&checker)) {
            return Arc::clone(same);
        }
        let checker = Arc::new(checker);
        let probing = self.prober.as_ref().and_then(|prober| prober.start(&checker));
        let entry = Entry { checker: Arc::clone(&checker), _probing: probing };
        entries.insert(Arc::clone(checker.key()), entry);
        checker
    }

    pub fn get(&self, key: &str) -> Option<Arc<Checker>> {
        self.entries.lock().get(key).map(|entry| Arc::clone(&entry.checker))
    }

    /// Forgets every resource whose key `keep` denies, and ends its probes.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.entries.lock().retain(|key, _| keep(key));
    }

    /// Everything that is checked, in the order of keys.
    pub fn reports(&self) -> Vec<CheckerReport> {
        self.entries.lock().values().map(|entry| entry.checker.to_report()).collect()
    }
}
