//! The question that a limiter is asked, and its answer.

use std::time::Duration;

/// How the window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Starts with the first request of a key and lasts its full length.
    Fixed,
    /// The last `window` at any moment, estimated from two buckets aligned to the Unix epoch.
    Sliding,
}

/// At most `count` per `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub count: u64,
    /// At least one nanosecond; shorter is taken as that.
    pub window: Duration,
    pub kind: Window,
}

impl Limit {
    /// `count` per fixed window of `window`.
    pub fn fixed(count: u64, window: Duration) -> Self {
        Self { count, window, kind: Window::Fixed }
    }

    /// `count` per sliding window of `window`.
    pub fn sliding(count: u64, window: Duration) -> Self {
        Self { count, window, kind: Window::Sliding }
    }

    pub(crate) fn window_nanos(&self) -> u64 {
        nanos(self.window).max(1)
    }
}

/// What a check says, with all that the quota headers need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    pub allowed: bool,
    /// The `count` of the limit.
    pub limit: u64,
    /// What is left in the window; 0 when rejected.
    pub remaining: u64,
    /// Seconds until the quota is there again, exact. APISIX prints two decimals.
    pub reset: f64,
}

/// Whole nanoseconds; beyond 584 years they stay at the largest.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}
