//! Handles that a thread has bound before, found again by one hash over the label values, or without it where the last
//! request had the same: what a request pays for its metrics is this look-up and a few additions.

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
    entries: Vec<Entry<T>>,
    /// Where in `entries` the one is that was asked for last; mostly it is asked for again.
    recent: usize,
    /// Where in `entries` others are, by the hash of what they belong to.
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
}

/// Two combinations of values may have the same hash, so that they are kept beside the handles.
#[derive(Debug)]
struct Entry<T> {
    owner: u64,
    values: Box<[Box<str>]>,
    handles: T,
}

impl<T> HandleCache<T> {
    /// Nothing remembered.
    pub fn new() -> Self {
        Self { hasher: Default::default(), generation: 0, entries: Vec::new(), recent: 0, places: HashMap::default() }
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
            self.places.clear();
            self.generation = generation;
        }
        if !self.is_of(self.recent, owner, values.clone()) {
            self.recent = self.find(owner, values, bind)?;
        }
        self.entries.get(self.recent).map(|known| &known.handles)
    }

    /// Where the entry for `values` of `owner` is, which `bind` makes if there is none.
    fn find<'v>(
        &mut self,
        owner: u64,
        values: impl Iterator<Item = &'v str> + Clone,
        bind: impl FnOnce() -> Option<T>,
    ) -> Option<usize> {
        let hash = self.hash(owner, values.clone());
        let place = self.places.get(&hash).copied().filter(|place| self.is_of(*place, owner, values.clone()));
        if place.is_some() {
            return place;
        }
        let handles = bind()?;
        self.entries.push(Entry { owner, values: values.map(Box::from).collect(), handles });
        let place = self.entries.len() - 1;
        self.places.insert(hash, place);
        Some(place)
    }

    fn hash<'v>(&self, owner: u64, values: impl Iterator<Item = &'v str>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(owner);
        for value in values {
            hasher.write(value.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }

    /// `true` if the entry at `place` belongs to `owner` and `values`.
    fn is_of<'v>(&self, place: usize, owner: u64, values: impl Iterator<Item = &'v str>) -> bool {
        let known = self.entries.get(place);
        known.is_some_and(|known| known.owner == owner && values.eq(known.values.iter().map(|value| &**value)))
    }
}

impl<T> Default for HandleCache<T> {
    fn default() -> Self {
        Self::new()
    }
}
