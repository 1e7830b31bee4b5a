//! Room for request bodies that are read whole before their plugins have run, and so before anybody has shown a
//! credential: a number of bytes for the whole process, so that strangers cannot fill its memory. A body has its share
//! while it comes. Short bodies need none: that many a connection may hold anyway. Called from admission.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a body that needs no share.
pub(crate) const FREE: u64 = 64 << 10;

/// The room of a process.
#[derive(Debug)]
pub struct EarlyBodies {
    limit: u64,
    taken: AtomicU64,
}

/// What one body takes of it; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share<'r> {
    room: &'r EarlyBodies,
    bytes: u64,
}

impl EarlyBodies {
    /// Room for `limit` bytes; 0 sets no bound.
    pub fn new(limit: u64) -> Self {
        Self { limit: if limit == 0 { u64::MAX } else { limit }, taken: AtomicU64::new(0) }
    }

    /// The share of a body of which nothing has come yet.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { room: self, bytes: 0 }
    }
}

impl Share<'_> {
    /// Takes what a body of `size` bytes needs. `false` if there is no room for it.
    pub fn grow(&mut self, size: u64) -> bool {
        if size <= FREE.max(self.bytes) {
            return true;
        }
        let more = size - self.bytes;
        let taken = self.room.taken.fetch_add(more, Ordering::Relaxed);
        self.bytes = size;
        taken.checked_add(more).is_some_and(|taken| taken <= self.room.limit)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_the_room_and_give_it_back() {
        let room = EarlyBodies::new(300_000);
        let (mut one, mut two) = (room.share(), room.share());
        assert!(one.grow(100_000) && one.grow(200_000) && two.grow(100_000));
        assert!(!two.grow(100_001), "more than there is");
        assert!(!room.share().grow(FREE + 1) && room.share().grow(FREE), "short bodies need no share");
        drop(two);
        assert!(room.share().grow(100_000));
        drop(one);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
        assert!(EarlyBodies::new(0).share().grow(u64::MAX));
    }
}
