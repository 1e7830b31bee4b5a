//! The sliding window, estimated from two buckets that are aligned to the Unix epoch: what the previous
//! bucket saw is taken as spread evenly over it, and counts for the share that the window still covers.
//! What is rejected is not counted.
//!
//! Invariant: a request is admitted only while both the current bucket and the estimate are below
//! `count`. Comparisons are exact integers; only what is reported is rounded.

use crate::decision::{Decision, Limit, seconds};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlidingWindow {
    /// The bucket length in nanoseconds.
    window: u64,
    /// The current bucket begins at `number * window` nanoseconds after the Unix epoch.
    number: u64,
    current: u64,
    previous: u64,
}

impl SlidingWindow {
    pub fn starting(limit: &Limit, now: u64) -> Self {
        let window = limit.window_nanos();
        Self { window, number: now / window, current: 0, previous: 0 }
    }

    /// When both buckets have nothing left to say.
    pub fn ends(&self) -> u64 {
        self.number.saturating_add(2).saturating_mul(self.window)
    }

    pub fn is_over(&self, limit: &Limit, now: u64) -> bool {
        now >= self.ends() || self.window != limit.window_nanos()
    }

    pub fn check(&mut self, limit: &Limit, cost: u64, now: u64) -> Decision {
        let now = self.roll(now);
        let left = self.window - now % self.window;
        if self.current >= limit.count {
            return rejected(limit, seconds(left));
        }
        let free = limit.count - self.current;
        // estimate >= count, multiplied by the window: previous * left / window >= count - current
        let weighted = u128::from(self.previous) * u128::from(left);
        let room = u128::from(free) * u128::from(self.window);
        if weighted >= room {
            return rejected(limit, self.falls_by(weighted - room));
        }
        self.current = self.current.saturating_add(cost);
        let used = u128::from(self.current) * u128::from(self.window) + weighted;
        let all = u128::from(limit.count) * u128::from(self.window);
        let remaining = all.saturating_sub(used) / u128::from(self.window);
        Decision {
            allowed: true,
            limit: limit.count,
            remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
            reset: seconds(left),
        }
    }

    /// Counts `amount` only if the current bucket and the estimate stay within `count` with it.
    pub fn reserve(&mut self, limit: &Limit, amount: u64, now: u64) -> Result<u64, Decision> {
        let now = self.roll(now);
        let left = self.window - now % self.window;
        let current = self.current.saturating_add(amount);
        if current > limit.count {
            return Err(rejected(limit, seconds(left)));
        }
        let weighted = u128::from(self.previous) * u128::from(left);
        let room = u128::from(limit.count - current) * u128::from(self.window);
        if weighted > room {
            return Err(rejected(limit, self.falls_by(weighted - room)));
        }
        self.current = current;
        Ok(self.number)
    }

    /// `mark` is what [`SlidingWindow::reserve`] returned.
    pub fn settle(&mut self, mark: u64, reserved: u64, actual: u64) {
        let bucket = match self.number.checked_sub(mark) {
            Some(0) => &mut self.current,
            Some(1) => &mut self.previous,
            _ => return,
        };
        *bucket = bucket.saturating_sub(reserved).saturating_add(actual);
    }

    /// Seconds until the weighted previous bucket has fallen by `excess`: it falls by `previous` per
    /// nanosecond (weights are counted in cost × nanoseconds).
    fn falls_by(&self, excess: u128) -> f64 {
        excess as f64 / self.previous as f64 / 1e9
    }

    /// Moves on to the bucket of `now`, which is the next one at most: a window that [is
    /// over](Self::is_over) is never asked. A clock that was set back stays at the bucket's beginning.
    fn roll(&mut self, now: u64) -> u64 {
        let number = now / self.window;
        if number > self.number {
            self.previous = std::mem::take(&mut self.current);
            self.number = number;
        }
        now.max(self.number.saturating_mul(self.window))
    }
}

fn rejected(limit: &Limit, reset: f64) -> Decision {
    Decision { allowed: false, limit: limit.count, remaining: 0, reset }
}
