//! What readers hold: items, and an immutable picture of all of them at one revision.
//! Invariant: a published snapshot never changes; a write makes a new one that shares the untouched items.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

/// One stored resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The full key, e.g. `/apisix/routes/1`.
    pub key: Arc<str>,
    /// The resource, its fields in the order in which they were written.
    pub value: Arc<Value>,
    /// The store revision that created the item.
    pub created_index: u64,
    /// The store revision that last wrote it.
    pub modified_index: u64,
    /// When the item goes away by itself, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
}

pub(crate) type Items = BTreeMap<Arc<str>, Arc<Item>>;

/// All items at one revision. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The store-wide revision: it grows with every batch and every id, and is never reused.
    pub revision: u64,
    pub(crate) items: Arc<Items>,
}

impl fmt::Debug for Snapshot {
    /// Without values: resources carry credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("revision", &self.revision).field("items", &self.len()).finish()
    }
}

impl Snapshot {
    /// The item under exactly this key.
    pub fn get(&self, key: &str) -> Option<&Arc<Item>> {
        self.items.get(key)
    }

    /// Every item whose key starts with `prefix`, in key order. Prefixes are plain text: end them with
    /// `/` to stay within one collection.
    pub fn under<'a>(&'a self, prefix: &str) -> impl Iterator<Item = &'a Arc<Item>> {
        self.items
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, item)| item)
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// `true` if nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
