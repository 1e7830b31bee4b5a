//! How many requests of a key are in flight. A slot counts as long as it lives.
//!
//! Invariant: a key without slots takes no memory, so the map is as large as what is in flight.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::key::{AlreadyHashed, CounterKey};

const SHARDS: usize = 64;

type InFlight = HashMap<CounterKey, u64, BuildHasherDefault<AlreadyHashed>>;

/// Counts what is in flight, per key. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Concurrency {
    shards: Arc<[Mutex<InFlight>]>,
}

impl Concurrency {
    /// Nothing in flight.
    pub fn local() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// A slot for one more request of `key`, or `None` if `max` are in flight already.
    pub fn acquire(&self, key: &CounterKey, max: u64) -> Option<Slot> {
        let mut in_flight = self.shard(key).lock();
        let count = match in_flight.entry(*key) {
            _ if max == 0 => return None,
            Entry::Occupied(entry) if *entry.get() >= max => return None,
            Entry::Occupied(entry) => {
                let count = entry.into_mut();
                *count += 1;
                *count
            }
            Entry::Vacant(entry) => *entry.insert(1),
        };
        Some(Slot { owner: self.clone(), key: *key, position: count })
    }

    /// How many slots of `key` are alive.
    pub fn in_flight(&self, key: &CounterKey) -> u64 {
        self.shard(key).lock().get(key).copied().unwrap_or(0)
    }

    /// How many keys have something in flight.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn release(&self, key: &CounterKey) {
        if let Entry::Occupied(mut entry) = self.shard(key).lock().entry(*key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn shard(&self, key: &CounterKey) -> &Mutex<InFlight> {
        &self.shards[key.shard(SHARDS)]
    }
}

/// One request in flight. Dropping it makes room for the next.
#[must_use = "a slot that is dropped at once limits nothing"]
#[derive(Debug)]
pub struct Slot {
    owner: Concurrency,
    key: CounterKey,
    position: u64,
}

impl Slot {
    /// How many were in flight when this slot was taken, itself included (1 or more).
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.owner.release(&self.key);
    }
}
