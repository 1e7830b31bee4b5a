//! The body of an upstream's response. It drives its HTTP/1 connection and gives it back to the pool at its end;
//! dropped earlier, it closes the connection, which tells the upstream at once that nobody listens any more.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use super::h1::H1;
use super::pool::Pool;
use super::shared::StreamGuard;
use crate::lazy_timer::LazyTimer;
use crate::self_wake::poll_driven;

/// Why a response body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    #[error("the upstream broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the upstream sent nothing for {0:?}")]
    Idle(Duration),
}

/// A response body as it arrives.
pub struct UpstreamBody {
    incoming: Incoming,
    held: Held,
    read_timeout: Duration,
    timer: LazyTimer,
    /// Since when the upstream has been silent.
    silent_since: Option<Instant>,
}

/// What a response keeps in use until its end.
pub(super) enum Held {
    /// An HTTP/1 connection, which the body drives.
    Connection(Lease),
    /// A stream on a shared HTTP/2 connection.
    Stream(#[allow(dead_code, reason = "held for its drop")] StreamGuard),
    /// A connection that is about to switch protocols; a task of its own drives it.
    Switching(OnUpgrade),
    /// Given back already.
    Nothing,
}

/// A connection in use, and where it belongs.
pub(super) struct Lease {
    pub connection: Box<H1>,
    pub pool: Rc<Pool>,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, mut held: Held, read_timeout: Duration) -> Self {
        let timer = match &mut held {
            Held::Connection(lease) => std::mem::take(&mut lease.connection.timer),
            Held::Stream(_) | Held::Switching(_) | Held::Nothing => LazyTimer::default(),
        };
        let mut body = Self { incoming, held, read_timeout, timer, silent_since: None };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// The connection, if the upstream has switched protocols; the body is over then.
    pub fn take_upgrade(&mut self) -> Option<OnUpgrade> {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Switching(upgrade) => Some(upgrade),
            held => {
                self.held = held;
                None
            }
        }
    }

    /// How long the upstream may be silent.
    pub fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    fn give_back(&mut self) {
        if matches!(self.held, Held::Switching(_)) {
            return;
        }
        if let Held::Connection(mut lease) = std::mem::replace(&mut self.held, Held::Nothing) {
            lease.connection.timer = std::mem::take(&mut self.timer);
            lease.pool.clone().put_back(lease.connection);
        }
    }

    fn check_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        self.timer.poll_until(cx, since + self.read_timeout)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let body = self.get_mut();
        let polled = match &mut body.held {
            Held::Connection(lease) => {
                let over = lease.connection.drive(cx);
                match poll_driven(&mut body.incoming, &mut Context::from_waker(Waker::noop())) {
                    Poll::Pending if over => Pin::new(&mut body.incoming).poll_frame(cx),
                    polled => polled,
                }
            }
            Held::Stream(_) | Held::Switching(_) | Held::Nothing => Pin::new(&mut body.incoming).poll_frame(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                body.silent_since = None;
                if body.incoming.is_end_stream() {
                    body.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                body.held = Held::Nothing;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                body.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => match body.check_idle(cx) {
                Poll::Ready(()) => {
                    body.held = Held::Nothing;
                    Poll::Ready(Some(Err(BodyFault::Idle(body.read_timeout))))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
