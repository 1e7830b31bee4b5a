//! The body of a request on its way to an upstream.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::lazy_timer::LazyTimer;
use crate::self_wake::poll_client;

/// What goes to the upstream as the request's body.
#[derive(Debug)]
pub enum OutgoingBody {
    Empty,
    /// In memory; can be sent again on another node.
    Full(Bytes),
    /// The client's, as it arrives.
    Stream(Box<ClientStream>),
}

/// A client's body with the bounds that hold while it passes through.
#[derive(Debug)]
pub struct ClientStream {
    incoming: Incoming,
    /// Bytes that may still come.
    room: u64,
    idle: Duration,
    timer: LazyTimer,
    /// Since when the client has been silent.
    silent_since: Option<Instant>,
    progress: UploadProgress,
}

/// How far a client's body has come, seen from whoever waits for the answer.
#[derive(Debug, Clone)]
pub struct UploadProgress(Rc<Cell<(std::time::Instant, bool)>>);

impl UploadProgress {
    fn begin() -> Self {
        Self(Rc::new(Cell::new((std::time::Instant::now(), false))))
    }

    fn note(&self, over: bool) {
        self.0.set((std::time::Instant::now(), over));
    }

    /// When the last piece went out.
    pub fn last(&self) -> std::time::Instant {
        self.0.get().0
    }

    /// `true` when the whole body has gone out.
    pub fn is_over(&self) -> bool {
        self.0.get().1
    }
}

/// Why a client's body broke off on its way.
#[derive(Debug, thiserror::Error)]
pub enum ClientBodyFault {
    #[error("the client's body is longer than allowed")]
    TooLarge,
    #[error("the client sent no more of its body within {0:?}")]
    Idle(Duration),
    #[error("the client broke off in the middle of its body: {0}")]
    Broken(#[from] hyper::Error),
}

impl ClientStream {
    /// `incoming`, of at most `limit` bytes (0: any number) and with at most `idle` between two reads.
    pub fn new(incoming: Incoming, limit: u64, idle: Duration) -> Self {
        Self {
            incoming,
            room: if limit == 0 { u64::MAX } else { limit },
            idle,
            timer: LazyTimer::default(),
            silent_since: None,
            progress: UploadProgress::begin(),
        }
    }

    /// The body itself, if nothing of it was read.
    pub fn into_incoming(self) -> Incoming {
        self.incoming
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyFault>>> {
        let Poll::Ready(frame) = poll_client(&mut self.incoming, cx) else {
            let due = *self.silent_since.get_or_insert_with(Instant::now) + self.idle;
            return self.timer.poll_until(cx, due).map(|()| Some(Err(ClientBodyFault::Idle(self.idle))));
        };
        self.silent_since = None;
        let Some(frame) = frame.transpose()? else {
            self.progress.note(true);
            return Poll::Ready(None);
        };
        self.progress.note(self.incoming.is_end_stream());
        if let Some(data) = frame.data_ref() {
            match self.room.checked_sub(data.len() as u64) {
                Some(room) => self.room = room,
                None => return Poll::Ready(Some(Err(ClientBodyFault::TooLarge))),
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl OutgoingBody {
    /// The progress of a body that goes out as the client sends it.
    pub fn progress(&self) -> Option<UploadProgress> {
        match self {
            OutgoingBody::Stream(stream) => Some(stream.progress.clone()),
            OutgoingBody::Empty | OutgoingBody::Full(_) => None,
        }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = ClientBodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyFault>>> {
        let body = self.get_mut();
        match body {
            OutgoingBody::Empty => Poll::Ready(None),
            OutgoingBody::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *body = OutgoingBody::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            OutgoingBody::Stream(stream) => stream.poll_chunk(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutgoingBody::Empty => true,
            OutgoingBody::Full(bytes) => bytes.is_empty(),
            OutgoingBody::Stream(stream) => stream.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Empty => SizeHint::with_exact(0),
            OutgoingBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OutgoingBody::Stream(stream) => stream.incoming.size_hint(),
        }
    }
}
