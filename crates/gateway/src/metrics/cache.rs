//! Handles that a thread has bound before, found again by one hash over the label values: what a request pays for its
//! metrics is this look-up and a few additions.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use super::Metrics;

/// A thread that has seen more combinations of labels begins anew, so that what clients send cannot fill memory.
const MOST_ENTRIES: usize = 16_384;

/// Remembered handles of type `T`, a bundle that belongs to one combination of label values.
#[derive(Debug)]
pub struct HandleCache<T> {
    hasher: foldhash::fast::RandomState,
    generation: u64,
    entries: HashMap<u64, Entry<T>, foldhash::fast::RandomState>,
}

/// Two combinations of values may have the same hash, so that they are kept beside the handles.
#[derive(Debug)]
struct Entry<T> {
    values: Box<[Box<str>]>,
    handles: T,
}

impl<T> HandleCache<T> {
    /// Nothing remembered.
    pub fn new() -> Self {
        Self { hasher: Default::default(), generation: 0, entries: HashMap::default() }
    }

    /// The handles for `values` of `owner`, whose labels mean the same every time; `bind` makes them. `None` if it
    /// could not.
    pub fn get<'v>(
        &mut self,
        metrics: &Metrics,
        owner: u64,
        values: impl Iterator<Item = &'v str> + Clone,
        bind: impl FnOnce() -> Option<T>,
    ) -> Option<&T> {
        let generation = metrics.generation();
        if self.generation != generation || self.entries.len() >= MOST_ENTRIES {
            self.entries.clear();
            self.generation = generation;
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(owner);
        for value in values.clone() {
            hasher.write(value.as_bytes());
            hasher.write_u8(0xff);
        }
        let hash = hasher.finish();
        let known =
            self.entries.get(&hash).is_some_and(|known| values.clone().eq(known.values.iter().map(|value| &**value)));
        if !known {
            let handles = bind()?;
            let values = values.map(Box::from).collect();
            self.entries.insert(hash, Entry { values, handles });
        }
        self.entries.get(&hash).map(|known| &known.handles)
    }
}

impl<T> Default for HandleCache<T> {
    fn default() -> Self {
        Self::new()
    }
}
