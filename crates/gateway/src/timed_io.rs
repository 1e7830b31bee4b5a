//! A client's byte stream that gives up when the client takes nothing for too long. Without it a client that
//! stops reading would hold its upstream response, and what that costs, for ever. It also says whether the client has
//! taken anything lately, which tells a connection that is idle from one whose last response is still on its way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// `io` with a limit on how long a write may stand still.
#[derive(Debug)]
pub(crate) struct TimedIo<S> {
    io: S,
    send_timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    taken: Taken,
}

/// Whether the client has taken anything since this was last asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(Arc<AtomicBool>);

impl Taken {
    /// Asks, and begins anew.
    pub fn take(&self) -> bool {
        // Written and read by one thread; no more than a flag is needed, and no atomic exchange.
        let taken = self.0.load(Ordering::Relaxed);
        if taken {
            self.0.store(false, Ordering::Relaxed);
        }
        taken
    }
}

impl<S> TimedIo<S> {
    pub fn new(io: S, send_timeout: Duration) -> Self {
        Self { io, send_timeout, timer: None, taken: Taken::default() }
    }

    /// For who wants to know whether the client takes anything.
    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// Watches a write of bytes; what is taken is noted.
    fn watch_write(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.taken.0.store(true, Ordering::Relaxed);
        }
        self.watch(cx, written)
    }

    /// Watches a write: progress stops the clock, standing still starts it.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.send_timeout)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedIo<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedIo<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.watch_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
