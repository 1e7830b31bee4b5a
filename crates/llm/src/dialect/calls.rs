//! Calls of tools, put one after the other: blocks of Anthropic and Bedrock cannot be mixed, arguments of other dialects can.
//!
//! The first call that is not complete is written as it comes; calls that begin meanwhile wait. Invariant: no argument is
//! lost or reordered, and where calls come one after the other nothing waits.

use std::collections::{HashMap, VecDeque};

/// How far arguments are from being a whole JSON value.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::dialect) struct Progress {
    depth: u32,
    in_string: bool,
    escaped: bool,
    closed: bool,
}

impl Progress {
    /// Takes in the next piece.
    pub(in crate::dialect) fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => self.depth += 1,
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                (false, _) => {}
            }
        }
    }

    /// The arguments are a whole object: nothing can follow.
    pub(in crate::dialect) fn is_complete(&self) -> bool {
        self.closed
    }
}

/// A call that waits for its block.
#[derive(Debug)]
pub(in crate::dialect) struct Waiting {
    pub call: u32,
    pub id: String,
    pub name: String,
    /// Of the call, as a carrier writes it.
    pub signature: Option<String>,
}

/// Calls that wait, in the order in which they began.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Queue {
    calls: VecDeque<Waiting>,
    /// What has come of their arguments, by the call's number.
    arguments: HashMap<u32, String>,
}

impl Queue {
    pub(in crate::dialect) fn push(&mut self, waiting: Waiting) {
        self.arguments.insert(waiting.call, String::new());
        self.calls.push_back(waiting);
    }

    /// The next call and its arguments so far.
    pub(in crate::dialect) fn next(&mut self) -> Option<(Waiting, String)> {
        let waiting = self.calls.pop_front()?;
        let arguments = self.arguments.remove(&waiting.call).unwrap_or_default();
        Some((waiting, arguments))
    }

    pub(in crate::dialect) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Keeps a piece of a waiting call's arguments.
    pub(in crate::dialect) fn add(&mut self, call: u32, json: &str) {
        if let Some(arguments) = self.arguments.get_mut(&call) {
            arguments.push_str(json);
        }
    }
}
