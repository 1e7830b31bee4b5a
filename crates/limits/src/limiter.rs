//! The limiter: all counters of one process, spread over shards so that workers seldom meet at a lock.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::decision::{Decision, Limit, nanos};
use crate::key::CounterKey;
use crate::reservation::Reservation;
use crate::shard::Shard;

/// Enough that a handful of workers rarely want the same lock.
const SHARDS: usize = 64;
/// About 100 MB if ever reached; what is not used is not allocated.
const DEFAULT_MAX_COUNTERS: usize = 1 << 20;

/// Counts and decides. Clones share the counters.
#[derive(Debug, Clone)]
pub struct Limiter {
    shards: Arc<[Mutex<Shard>]>,
}

impl Limiter {
    /// Counters in this process's memory, at most about a million live ones.
    pub fn local() -> Self {
        Self::with_max_counters(DEFAULT_MAX_COUNTERS)
    }

    /// Counters in memory, never more than `max_counters` (at least one). When all are taken, a new key
    /// displaces a counter that is about to end anyway: memory stays bounded at the price of forgetting
    /// that one early.
    pub fn with_max_counters(max_counters: usize) -> Self {
        let shards = max_counters.clamp(1, SHARDS);
        let per_shard = (max_counters / shards).max(1);
        Self { shards: (0..shards).map(|_| Mutex::new(Shard::new(per_shard))).collect() }
    }

    /// Counts `cost` against `limit` under `key` and says whether the request may pass. `now` is the
    /// time since the Unix epoch.
    ///
    /// A `cost` of 0 looks without consuming (and starts a fixed window). The same key may be checked
    /// with another count at any time; another kind of window, or another length of a sliding one,
    /// starts its counter anew.
    pub fn check(&self, key: &CounterKey, limit: &Limit, cost: u64, now: Duration) -> Decision {
        self.shard(key).lock().check(*key, limit, cost, nanos(now))
    }

    /// Sets `amount` aside before the true cost is known, or refuses (and counts nothing) if not all of
    /// it is left.
    pub fn reserve(
        &self,
        key: &CounterKey,
        limit: &Limit,
        amount: u64,
        now: Duration,
    ) -> Result<Reservation, Decision> {
        let mark = self.shard(key).lock().reserve(*key, limit, amount, nanos(now))?;
        Ok(Reservation::new(self.clone(), *key, mark, amount))
    }

    pub(crate) fn settle(&self, key: &CounterKey, mark: u64, reserved: u64, actual: u64) {
        self.shard(key).lock().settle(*key, mark, reserved, actual);
    }

    /// How many counters are held, ended ones included until they are removed.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// `true` if nothing has been counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &CounterKey) -> &Mutex<Shard> {
        &self.shards[key.shard(self.shards.len())]
    }
}
