//! One part of the counters, behind one lock: a map, and a heap that knows which counter ends first.
//!
//! Invariant: the heap has exactly one entry per counter, so both are bounded together. Each visit
//! removes at most a few ended counters: memory follows the load without a sweeper and without pauses.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasherDefault;

use crate::decision::{Decision, Limit, Window};
use crate::fixed_window::FixedWindow;
use crate::key::{AlreadyHashed, CounterKey};
use crate::sliding_window::SlidingWindow;

/// Ended counters removed per visit. More than one, so that removal outruns insertion.
const REMOVED_PER_VISIT: usize = 2;

#[derive(Debug, Clone, Copy)]
enum Counter {
    Fixed(FixedWindow),
    Sliding(SlidingWindow),
}

impl Counter {
    fn starting(limit: &Limit, now: u64) -> Self {
        match limit.kind {
            Window::Fixed => Self::Fixed(FixedWindow::starting(limit, now)),
            Window::Sliding => Self::Sliding(SlidingWindow::starting(limit, now)),
        }
    }

    fn ends(&self) -> u64 {
        match self {
            Self::Fixed(window) => window.ends,
            Self::Sliding(window) => window.ends(),
        }
    }

    /// `true` if the counter says nothing about `limit` at `now`: it ended, or it counts another way.
    fn is_over(&self, limit: &Limit, now: u64) -> bool {
        match (self, limit.kind) {
            (Self::Fixed(window), Window::Fixed) => window.is_over(now),
            (Self::Sliding(window), Window::Sliding) => window.is_over(limit, now),
            (Self::Fixed(_), Window::Sliding) | (Self::Sliding(_), Window::Fixed) => true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shard {
    counters: HashMap<CounterKey, Counter, BuildHasherDefault<AlreadyHashed>>,
    /// When each counter ends, as known when the entry was pushed; a sliding counter may live longer.
    ends: BinaryHeap<Reverse<(u64, CounterKey)>>,
    max_counters: usize,
}

impl Shard {
    pub fn new(max_counters: usize) -> Self {
        Self { counters: HashMap::default(), ends: BinaryHeap::new(), max_counters: max_counters.max(1) }
    }

    pub fn len(&self) -> usize {
        self.counters.len()
    }

    pub fn check(&mut self, key: CounterKey, limit: &Limit, cost: u64, now: u64) -> Decision {
        match self.counter(key, limit, now) {
            Counter::Fixed(window) => window.check(limit, cost, now),
            Counter::Sliding(window) => window.check(limit, cost, now),
        }
    }

    /// Counts `amount` if all of it fits. `Ok` carries the mark of the window that it was counted in.
    pub fn reserve(&mut self, key: CounterKey, limit: &Limit, amount: u64, now: u64) -> Result<u64, Decision> {
        match self.counter(key, limit, now) {
            Counter::Fixed(window) => window.reserve(limit, amount, now),
            Counter::Sliding(window) => window.reserve(limit, amount, now),
        }
    }

    /// Replaces a reserved amount by the actual one, if the window that it was counted in still matters.
    pub fn settle(&mut self, key: CounterKey, mark: u64, reserved: u64, actual: u64) {
        match self.counters.get_mut(&key) {
            Some(Counter::Fixed(window)) => window.settle(mark, reserved, actual),
            Some(Counter::Sliding(window)) => window.settle(mark, reserved, actual),
            None => {}
        }
    }

    /// The counter of `key`, started anew if there is none that counts for `limit` at `now`.
    fn counter(&mut self, key: CounterKey, limit: &Limit, now: u64) -> &mut Counter {
        self.remove_ended(now);
        if self.counters.len() >= self.max_counters && !self.counters.contains_key(&key) {
            self.make_room();
        }
        match self.counters.entry(key) {
            Entry::Occupied(entry) => {
                let counter = entry.into_mut();
                if counter.is_over(limit, now) {
                    *counter = Counter::starting(limit, now);
                }
                counter
            }
            Entry::Vacant(entry) => {
                let counter = Counter::starting(limit, now);
                self.ends.push(Reverse((counter.ends(), key)));
                entry.insert(counter)
            }
        }
    }

    fn remove_ended(&mut self, now: u64) {
        for _ in 0..REMOVED_PER_VISIT {
            match self.ends.peek() {
                Some(Reverse((end, _))) if *end <= now => self.remove_first(now),
                _ => return,
            }
        }
    }

    /// Gives up the counter that would end first: it has the least left to enforce.
    fn make_room(&mut self) {
        while self.counters.len() >= self.max_counters && !self.ends.is_empty() {
            let Some(Reverse((end, _))) = self.ends.peek() else {
                return;
            };
            self.remove_first(*end);
        }
    }

    /// Removes the heap's first counter if it ends by `now`; else notes when it really ends.
    fn remove_first(&mut self, now: u64) {
        let Some(Reverse((_, key))) = self.ends.pop() else {
            return;
        };
        match self.counters.get(&key).map(Counter::ends) {
            Some(end) if end > now => self.ends.push(Reverse((end, key))),
            _ => {
                self.counters.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
