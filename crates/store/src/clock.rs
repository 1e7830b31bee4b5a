//! What time it is, for items that expire. The store asks a [`Clock`] so that tests can say when an
//! hour has passed. Called by the writer thread only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Time since the Unix epoch.
    fn now(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A clock that moves only when told to. After [`ManualClock::advance`] call
/// [`Store::expire_due`](crate::Store::expire_due): nobody else tells the writer that time has passed.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `unix_secs` seconds after the Unix epoch.
    pub fn at(unix_secs: u64) -> Self {
        Self { millis: AtomicU64::new(unix_secs.saturating_mul(1000)) }
    }

    /// Moves the clock forward, by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}
