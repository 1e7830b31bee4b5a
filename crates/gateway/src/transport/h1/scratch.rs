//! Memory that all connections of a thread share: each uses it only while it writes or reads, never while it waits.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};

use crate::transport::io::UpstreamIo;

/// Read at once. More than what mostly is there to read, so that a read tells that it has read everything.
const READ_BYTES: usize = 64 * 1024;

/// Kept for the next heads; what a longer one took is given back.
const KEPT_HEAD_BYTES: usize = 16 * 1024;

thread_local! {
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Runs `write` with room for a head.
pub(super) fn writing<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    HEAD.with_borrow_mut(|head| {
        head.clear();
        let result = write(head);
        if head.capacity() > KEPT_HEAD_BYTES {
            *head = Vec::new();
        }
        result
    })
}

/// Reads once, and runs `take` with what was read: nothing at the connection's end.
pub(super) fn poll_read<T>(
    io: &mut UpstreamIo,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    READ.with_borrow_mut(|memory| {
        let mut read = ReadBuf::new(memory);
        ready!(Pin::new(io).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(take(read.filled())))
    })
}
