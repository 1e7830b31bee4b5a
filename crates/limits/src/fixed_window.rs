//! The fixed window: it starts with the first request of a key and lasts its full length; everything
//! that asks is counted, also what is rejected.
//!
//! Invariant: the costs of the requests admitted in one window add up to at most `count`.

use crate::decision::{Decision, Limit, seconds};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FixedWindow {
    /// Nanoseconds since the Unix epoch.
    pub ends: u64,
    pub consumed: u64,
}

impl FixedWindow {
    pub fn starting(limit: &Limit, now: u64) -> Self {
        Self { ends: now.saturating_add(limit.window_nanos()), consumed: 0 }
    }

    pub fn is_over(&self, now: u64) -> bool {
        now >= self.ends
    }

    pub fn check(&mut self, limit: &Limit, cost: u64, now: u64) -> Decision {
        self.consumed = self.consumed.saturating_add(cost);
        self.decide(limit, self.consumed <= limit.count, now)
    }

    /// As [`FixedWindow::check`], but counts nothing unless all of `amount` fits.
    pub fn reserve(&mut self, limit: &Limit, amount: u64, now: u64) -> Result<u64, Decision> {
        match self.consumed.checked_add(amount) {
            Some(consumed) if consumed <= limit.count => {
                self.consumed = consumed;
                Ok(self.ends)
            }
            _ => Err(self.decide(limit, false, now)),
        }
    }

    /// `mark` is what [`FixedWindow::reserve`] returned.
    pub fn settle(&mut self, mark: u64, reserved: u64, actual: u64) {
        if mark == self.ends {
            self.consumed = self.consumed.saturating_sub(reserved).saturating_add(actual);
        }
    }

    /// `allowed` as found out by the caller.
    fn decide(&self, limit: &Limit, allowed: bool, now: u64) -> Decision {
        Decision {
            allowed,
            limit: limit.count,
            remaining: if allowed { limit.count.saturating_sub(self.consumed) } else { 0 },
            // A clock that was set back must not announce more than a window.
            reset: seconds(self.ends.saturating_sub(now).min(limit.window_nanos())),
        }
    }
}
