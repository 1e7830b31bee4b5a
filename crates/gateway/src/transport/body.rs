//! The body of an upstream's response. It drives its HTTP/1 connection and gives it back to the pool at its end;
//! dropped earlier, it closes the connection, which tells the upstream at once that nobody listens any more.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::h1::{H1, H1Fault, Switched};
use super::pool::Pool;
use super::shared::{StreamGuard, UploadWatch};
use crate::lazy_timer::LazyTimer;

/// Why a response body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    #[error("the upstream broke off: {0}")]
    Broken(#[from] Breakage),
    #[error("the upstream sent nothing for {0:?}")]
    Idle(Duration),
}

/// How a connection failed under a request.
#[derive(Debug, thiserror::Error)]
pub enum Breakage {
    #[error(transparent)]
    Http1(#[from] H1Fault),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

/// A response body as it arrives.
pub struct UpstreamBody {
    source: Source,
    read_timeout: Duration,
    /// Since when the upstream has been silent.
    silent_since: Option<Instant>,
}

/// Where a body comes from, and what it keeps in use until its end.
pub(super) enum Source {
    /// An HTTP/1 connection, which the body drives.
    Connection(Lease),
    /// A stream on a shared HTTP/2 connection.
    Stream(Box<SharedStream>),
    /// A connection that has switched protocols; there is no body.
    Switched(Box<H1>),
    /// Over, and given back.
    Nothing,
}

/// A connection in use, and where it belongs.
pub(super) struct Lease {
    pub connection: Box<H1>,
    pub pool: Rc<Pool>,
}

/// A stream in use on a shared connection.
pub(super) struct SharedStream {
    incoming: Incoming,
    upload: Rc<UploadWatch>,
    timer: LazyTimer,
    _guard: StreamGuard,
}

impl SharedStream {
    pub fn new(incoming: Incoming, upload: Rc<UploadWatch>, guard: StreamGuard) -> Self {
        Self { incoming, upload, timer: LazyTimer::default(), _guard: guard }
    }
}

impl UpstreamBody {
    pub(super) fn new(source: Source, read_timeout: Duration) -> Self {
        let mut body = Self { source, read_timeout, silent_since: None };
        if body.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// The connection, if the upstream has switched protocols; the body is over then.
    pub fn take_upgrade(&mut self) -> Option<Switched> {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Switched(connection) => Some(connection.into_switched()),
            source @ (Source::Connection(_) | Source::Stream(_) | Source::Nothing) => {
                self.source = source;
                None
            }
        }
    }

    /// How long the upstream may be silent.
    pub fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// Gives back what is in use, for the body is over.
    fn give_back(&mut self) {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Connection(lease) => lease.pool.put_back(lease.connection),
            Source::Stream(_) | Source::Nothing => {}
            switched @ Source::Switched(_) => self.source = switched,
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Breakage>>> {
        match &mut self.source {
            Source::Connection(lease) => {
                lease.connection.poll_body(cx).map(|data| data.map(|data| Ok(Frame::data(data?))))
            }
            Source::Stream(stream) => {
                Pin::new(&mut stream.incoming).poll_frame(cx).map(|frame| frame.map(|frame| Ok(frame?)))
            }
            Source::Switched(_) | Source::Nothing => Poll::Ready(None),
        }
    }

    /// Ready when the upstream has been silent for too long. An answer may begin before the request is through, and is
    /// not waited for then as long as the request goes up.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (stage, timer) = match &mut self.source {
            Source::Connection(lease) => (lease.connection.upload_stage(), &mut lease.connection.timer),
            Source::Stream(stream) => (stream.upload.poll_stage(cx), &mut stream.timer),
            Source::Switched(_) | Source::Nothing => return Poll::Pending,
        };
        let silence_due = *self.silent_since.get_or_insert_with(Instant::now) + self.read_timeout;
        match stage.due(self.read_timeout) {
            Some(due) => timer.poll_until(cx, due.max(silence_due)),
            None => Poll::Pending,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let body = self.get_mut();
        match body.poll_source(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                body.silent_since = None;
                if body.is_end_stream() {
                    body.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(breakage))) => {
                body.source = Source::Nothing;
                Poll::Ready(Some(Err(breakage.into())))
            }
            Poll::Ready(None) => {
                body.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => {
                std::task::ready!(body.poll_silence(cx));
                body.source = Source::Nothing;
                Poll::Ready(Some(Err(BodyFault::Idle(body.read_timeout))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Connection(lease) => lease.connection.is_body_over(),
            Source::Stream(stream) => stream.incoming.is_end_stream(),
            Source::Switched(_) | Source::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Connection(lease) => lease.connection.size_hint(),
            Source::Stream(stream) => stream.incoming.size_hint(),
            Source::Switched(_) | Source::Nothing => SizeHint::with_exact(0),
        }
    }
}
