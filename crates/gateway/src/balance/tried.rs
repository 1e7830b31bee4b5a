//! Which nodes one request has tried already.

/// A set of node positions. The first 64 need no allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedSet {
    first: u64,
    /// Positions 64 and up.
    others: Vec<u64>,
}

impl TriedSet {
    pub const fn new() -> Self {
        Self { first: 0, others: Vec::new() }
    }

    pub fn insert(&mut self, node: usize) {
        let bit = 1 << (node % 64);
        match (node / 64).checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.others.len() <= word {
                    self.others.resize(word + 1, 0);
                }
                self.others[word] |= bit;
            }
        }
    }

    pub fn contains(&self, node: usize) -> bool {
        let word = match (node / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.others.get(word).copied().unwrap_or(0),
        };
        word & (1 << (node % 64)) != 0
    }
}
