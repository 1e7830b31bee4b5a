//! One connection: HTTP/1.1, or HTTP/2 when the peer starts with its preface, over a socket that can misbehave.
//!
//! [`Wire`] is the only place where bytes can leave in a way that hyper would not write them: dribbled,
//! replaced by garbage, or followed by a reset. [`Manners`] is how a request, handled above hyper, asks for it.
//! HTTP/2 ignores the first two.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::service::Simulator;

const PREFACE: &[u8] = b"PRI ";

/// Serves one connection to its end. Errors end it silently: a peer that leaves is part of the game.
pub(crate) async fn serve(stream: TcpStream, simulator: Arc<Simulator>) {
    let Ok(http2) = starts_http2(&stream).await else {
        return;
    };
    let manners = Arc::new(Manners::default());
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&manners)));
    let service = service_fn(move |request| Arc::clone(&simulator).answer(request, Arc::clone(&manners)));
    if http2 {
        let _ =
            http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).serve_connection(wire, service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(wire, service).with_upgrades().await;
    }
}

async fn starts_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut start).await?;
        if seen == PREFACE.len() || seen == 0 || start[..seen] != PREFACE[..seen] {
            return Ok(start[..seen] == *PREFACE);
        }
        // A peer that sends its first four bytes in pieces; peeking again returns at once, so give it a moment.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What the socket is to do with the answer to the present request.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    /// Set when `special` holds something: the one check that an ordinary write pays for.
    armed: AtomicBool,
    special: Mutex<Option<Special>>,
    reset: AtomicBool,
}

#[derive(Debug)]
enum Special {
    DribbleHead(Duration),
    Replace(Bytes),
}

impl Manners {
    /// Sends the answer's head byte by byte with this pause.
    pub(crate) fn dribble_head(&self, pause: Duration) {
        self.arm(Special::DribbleHead(pause));
    }

    /// Sends these bytes in place of the answer, then closes.
    pub(crate) fn replace(&self, bytes: Bytes) {
        self.arm(Special::Replace(bytes));
    }

    /// Ends the connection with a TCP reset, whenever it ends.
    pub(crate) fn reset_at_end(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    fn arm(&self, special: Special) {
        *self.special.lock() = Some(special);
        self.armed.store(true, Ordering::Release);
    }
}

struct Wire {
    stream: TcpStream,
    manners: Arc<Manners>,
    pause: Option<Pin<Box<Sleep>>>,
    /// The last four bytes that were dribbled, to see the end of the head.
    tail: [u8; 4],
}

impl Wire {
    fn new(stream: TcpStream, manners: Arc<Manners>) -> Self {
        Self { stream, manners, pause: None, tail: [0; 4] }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }

    fn write_specially(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let manners = Arc::clone(&self.manners);
        let mut special = manners.special.lock();
        match special.as_mut() {
            None => {
                manners.armed.store(false, Ordering::Relaxed);
                self.stream().poll_write(cx, bytes)
            }
            Some(Special::Replace(garbage)) => {
                while garbage.has_remaining() {
                    let written = ready!(self.as_mut().stream().poll_write(cx, garbage))?;
                    garbage.advance(written);
                }
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Some(Special::DribbleHead(pause)) => {
                let pause = *pause;
                let written = ready!(self.as_mut().dribble(cx, pause, bytes))?;
                if self.tail == *b"\r\n\r\n" {
                    *special = None;
                }
                Poll::Ready(Ok(written))
            }
        }
    }

    fn dribble(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pause: Duration,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(&first) = bytes.first() else {
            return Poll::Ready(Ok(0));
        };
        if let Some(sleep) = self.pause.as_mut() {
            ready!(sleep.as_mut().poll(cx));
        }
        let written = ready!(self.as_mut().stream().poll_write(cx, &[first]))?;
        self.tail.rotate_left(1);
        self.tail[3] = first;
        self.pause = Some(Box::pin(tokio::time::sleep_until(Instant::now() + pause)));
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.manners.armed.load(Ordering::Acquire) {
            return self.write_specially(cx, bytes);
        }
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.manners.armed.load(Ordering::Acquire) {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
            return self.write_specially(cx, first);
        }
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.manners.reset.load(Ordering::Relaxed) {
            // A FIN before the reset would let the peer take the end for an orderly one.
            return Poll::Ready(Ok(()));
        }
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.manners.reset.load(Ordering::Relaxed) {
            // Closing with unsent data to be dropped is what makes the kernel send a reset.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}
