//! What a group of waiting commands will change, worked out in memory before SQLite hears of it.
//!
//! Invariant: each batch is planned against everything planned before it, and a batch that is refused
//! leaves no trace here. So one transaction can carry many batches, and each is still all or nothing.
//! Called by the writer thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::write::Change;
use crate::{Expect, Item, Snapshot, StoreError, WriteOutcome};

/// An item together with the text under which it is stored.
#[derive(Clone)]
pub(crate) struct Staged {
    pub item: Arc<Item>,
    pub text: Arc<str>,
}

/// What stands under each touched key in the end; `None`: nothing.
type Changes = BTreeMap<Arc<str>, Option<Staged>>;

/// Changes on top of a snapshot.
pub(crate) struct Stage<'a> {
    base: &'a Snapshot,
    now: Duration,
    revision: u64,
    changes: Changes,
    meta: BTreeMap<String, String>,
}

impl<'a> Stage<'a> {
    pub fn on(base: &'a Snapshot, now: Duration) -> Self {
        let revision = base.revision;
        Self { base, now, revision, changes: Changes::new(), meta: BTreeMap::new() }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    pub fn meta(&self) -> &BTreeMap<String, String> {
        &self.meta
    }

    /// `true` if there is nothing to write to disk.
    pub fn is_empty(&self) -> bool {
        self.revision == self.base.revision && self.meta.is_empty()
    }

    /// Plans a batch under the next revision, or refuses it whole.
    pub fn batch(&mut self, batch: &[Change]) -> Result<Vec<WriteOutcome>, StoreError> {
        let revision = self.revision + 1;
        let mut changes = Changes::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for change in batch {
            outcomes.push(self.change(change, revision, &mut changes)?);
        }
        if changes.is_empty() {
            for outcome in &mut outcomes {
                outcome.revision = self.revision;
            }
        } else {
            self.revision = revision;
            self.changes.append(&mut changes);
        }
        Ok(outcomes)
    }

    fn change(&self, change: &Change, revision: u64, earlier: &mut Changes) -> Result<WriteOutcome, StoreError> {
        match change {
            Change::Put { key, value, text, expect, ttl } => {
                let found = self.found(key, earlier);
                check(*expect, key, found.as_ref())?;
                let item = Arc::new(Item {
                    key: Arc::clone(key),
                    value: Arc::clone(value),
                    created_index: found.as_ref().map_or(revision, |item| item.created_index),
                    modified_index: revision,
                    expires_at: ttl.map(|ttl| whole_secs(self.now.saturating_add(ttl))),
                });
                let staged = Staged { item: Arc::clone(&item), text: Arc::clone(text) };
                earlier.insert(Arc::clone(key), Some(staged));
                Ok(WriteOutcome { created: found.is_none(), revision, item: Some(item) })
            }
            Change::Delete { key } => {
                let found = self.found(key, earlier);
                if found.is_some() {
                    earlier.insert(Arc::clone(key), None);
                }
                Ok(WriteOutcome { created: false, revision, item: found })
            }
        }
    }

    /// What stands under `key` after `earlier` changes of the same batch.
    fn found(&self, key: &str, earlier: &Changes) -> Option<Arc<Item>> {
        match earlier.get(key).or_else(|| self.changes.get(key)) {
            Some(staged) => staged.as_ref().map(|staged| Arc::clone(&staged.item)),
            None => self.base.get(key).map(Arc::clone),
        }
    }

    /// Makes a revision that changes no item: its number is the id.
    pub fn next_id(&mut self) {
        self.revision += 1;
    }

    pub fn put_meta(&mut self, key: &str, value: &str) {
        self.meta.insert(key.to_owned(), value.to_owned());
    }

    /// Plans the deletion of expired items, all under one revision.
    pub fn expire(&mut self, keys: impl Iterator<Item = Arc<str>>) {
        self.changes.extend(keys.map(|key| (key, None)));
        if !self.changes.is_empty() {
            self.revision += 1;
        }
    }
}

fn check(expect: Expect, key: &str, found: Option<&Arc<Item>>) -> Result<(), StoreError> {
    let found = found.map(|item| item.modified_index);
    if expect.holds(found) {
        return Ok(());
    }
    Err(StoreError::Conflict { key: key.to_owned(), found })
}

/// Rounded up: an item lives at least as long as was asked.
fn whole_secs(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
