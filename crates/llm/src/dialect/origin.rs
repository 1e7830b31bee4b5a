//! Where what is being written was read: what only one dialect knows means nothing to another.
//!
//! Used by the writers of requests and answers.

use super::Dialect;

/// Where what is written was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Origin {
    /// The dialect that it is written in: members and parts that it alone knows are written back as they were.
    Own,
    /// Another: it is fitted to what the dialect's providers accept.
    Foreign,
}

impl Origin {
    /// Of what was read in the one dialect and is written in the other.
    pub(in crate::dialect) fn of(read: Dialect, written: Dialect) -> Self {
        if read == written { Origin::Own } else { Origin::Foreign }
    }
}
