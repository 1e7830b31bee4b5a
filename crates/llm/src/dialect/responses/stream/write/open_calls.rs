//! Calls that are not done.
//!
//! Arguments of several calls may come mixed, and what is complete can be told before what is not. Invariant: nothing
//! here costs more the more calls are open.

use std::collections::{BTreeMap, HashMap};

use crate::dialect::responses::stream::items::Call;

/// Calls in the order in which they were last told of.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    /// When each was last told of, by its number.
    told: HashMap<u32, u64>,
    /// Calls that wait for the rest of their arguments.
    waiting: BTreeMap<u64, Call>,
    complete: BTreeMap<u64, Call>,
    now: u64,
}

impl OpenCalls {
    /// Keeps a call that has just been told of.
    pub(super) fn keep(&mut self, call: Call) {
        self.now += 1;
        self.told.insert(call.number, self.now);
        let calls = if call.progress.is_complete() { &mut self.complete } else { &mut self.waiting };
        calls.insert(self.now, call);
    }

    /// Takes out the call with this number.
    pub(super) fn take(&mut self, number: u32) -> Option<Call> {
        let told = self.told.remove(&number)?;
        self.waiting.remove(&told).or_else(|| self.complete.remove(&told))
    }

    /// Takes out the call that was told of last, if it has all its arguments or none.
    pub(super) fn take_last_ended(&mut self) -> Option<Call> {
        let waiting = self.waiting.last_key_value();
        let told = match (self.complete.last_key_value(), waiting) {
            (Some((told, _)), None) => *told,
            (Some((told, _)), Some((waiting, _))) if told > waiting => *told,
            (_, Some((told, call))) if call.arguments.is_empty() => *told,
            (_, _) => return None,
        };
        self.waiting.remove(&told).or_else(|| self.complete.remove(&told))
    }

    /// Takes out the calls that have all their arguments, in order.
    pub(super) fn take_complete(&mut self) -> impl Iterator<Item = Call> + use<> {
        std::mem::take(&mut self.complete).into_values()
    }

    /// Takes out all calls, in order.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Call> + use<> {
        let mut all = std::mem::take(&mut self.waiting);
        all.append(&mut self.complete);
        all.into_values()
    }
}
