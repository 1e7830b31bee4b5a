//! Costs that are known only afterwards (tokens): reserve an estimate, then commit what it really was.
//!
//! Invariant: a reservation is settled exactly once, on every path; one that is dropped gives everything
//! back. The cost belongs to the window that admitted it: if that is over, nothing is left to correct.

use crate::{CounterKey, Limiter};

/// An amount set aside by [`Limiter::reserve`].
#[must_use = "dropping a reservation gives it back"]
#[derive(Debug)]
pub struct Reservation {
    limiter: Limiter,
    key: CounterKey,
    mark: u64,
    reserved: u64,
    actual: u64,
}

impl Reservation {
    pub(crate) fn new(limiter: Limiter, key: CounterKey, mark: u64, reserved: u64) -> Self {
        Self { limiter, key, mark, reserved, actual: 0 }
    }

    /// The amount set aside.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Replaces the reserved amount by the true one, which may be larger: then the window is overdrawn,
    /// and later requests pay for it.
    pub fn commit(mut self, actual: u64) {
        self.actual = actual;
    }

    /// Gives everything back, as dropping does.
    pub fn release(self) {}
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.limiter.settle(&self.key, self.mark, self.reserved, self.actual);
    }
}
