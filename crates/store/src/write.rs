//! What can be asked of the store, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::Item;

/// One change of one key. A batch of them is one transaction.
#[derive(Debug, Clone)]
pub enum Write {
    /// Creates or replaces the item under `key`.
    Put {
        key: String,
        value: Value,
        expect: Expect,
        /// The item is deleted after this time, rounded up to whole seconds. `None`: it stays. A put
        /// without `ttl` removes the one that an earlier put gave.
        ttl: Option<Duration>,
    },
    /// Removes the item under `key`. A key that is not there is no error and makes no revision.
    Delete { key: String },
}

/// What must be true of a key for a put to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: create or replace.
    Any,
    /// There is no such item.
    Absent,
    /// The item's `modified_index` is this one (compare and swap).
    Revision(u64),
}

impl Expect {
    /// `found` is the modified revision under the key, `None` if nothing is there.
    pub(crate) fn holds(self, found: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Revision(revision) => found == Some(revision),
        }
    }
}

/// What became of one [`Write`].
#[derive(Debug, Clone)]
pub struct WriteOutcome {
    /// `true` if a put made an item that was not there before.
    pub created: bool,
    /// The store's revision after the batch; the same for all its writes.
    pub revision: u64,
    /// Put: the item as stored. Delete: the item that was removed, `None` if there was none.
    pub item: Option<Arc<Item>>,
}

/// A [`Write`] made ready by the caller's task, so that the one writer thread need not serialise.
pub(crate) enum Change {
    Put { key: Arc<str>, value: Arc<Value>, text: Arc<str>, expect: Expect, ttl: Option<Duration> },
    Delete { key: Arc<str> },
}

impl From<Write> for Change {
    fn from(write: Write) -> Self {
        match write {
            Write::Put { key, value, expect, ttl } => {
                let text = value.to_string().into();
                Self::Put { key: key.into(), value: Arc::new(value), text, expect, ttl }
            }
            Write::Delete { key } => Self::Delete { key: key.into() },
        }
    }
}
