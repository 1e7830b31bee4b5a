//! Names of counters, as two independent 64-bit hashes.
//!
//! Why hashes: a client chooses the values that are counted (an address, a header), so their length must
//! not decide how much memory a counter takes, and making a key must not allocate. The hashes are
//! seeded anew in every process, so that nobody outside can find two values that share a counter.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::quality::RandomState;

static SEEDS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::default(), RandomState::default()]);

/// The object that owns a family of counters. Made once, when a plan is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope([u64; 2]);

impl Scope {
    /// Equal identities are the same scope, also in the next plan: counters survive a reload exactly as
    /// long as the identity stays (APISIX: resource key + hash of the plugin's configuration).
    pub fn new(identity: &str) -> Self {
        Self(SEEDS.each_ref().map(|seed| seed.hash_one(identity)))
    }

    /// The counter of one value, e.g. of one client address.
    pub fn key(&self, value: &str) -> CounterKey {
        let [low, high] = [0, 1].map(|half: usize| SEEDS[half].hash_one((self.0[half], value)));
        CounterKey { low, high }
    }
}

/// Which counter. Valid within this process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterKey {
    low: u64,
    high: u64,
}

impl CounterKey {
    /// For callers that have no [`Scope`] at hand.
    pub fn new(identity: &str, value: &str) -> Self {
        Scope::new(identity).key(value)
    }

    /// A number below `shards`, spread evenly.
    pub(crate) fn shard(self, shards: usize) -> usize {
        (self.high % shards as u64) as usize
    }
}

impl Hash for CounterKey {
    /// `low` is a good hash already; `high` chose the shard.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low);
    }
}

/// Passes the one number that [`CounterKey`] writes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
