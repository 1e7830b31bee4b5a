//! The body of a request on its way to an upstream.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::client_body::ClientBody;
use crate::lazy_timer::LazyTimer;
use crate::request_body::{Begun, RequestBody};

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
    /// What was read of it ahead.
    beginning: Bytes,
    incoming: ClientBody,
    /// Bytes that may still come.
    room: u64,
    idle: Duration,
    timer: LazyTimer,
    /// Since when the client has been silent.
    silent_since: Option<Instant>,
    passed: PassedBytes,
}

/// Bytes of a client's body that have been passed on, for whoever settles the request.
#[derive(Debug, Clone, Default)]
pub struct PassedBytes(Rc<Cell<u64>>);

impl PassedBytes {
    pub fn get(&self) -> u64 {
        self.0.get()
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

impl ClientBodyFault {
    /// What the client is told.
    pub fn status(&self) -> StatusCode {
        match self {
            ClientBodyFault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ClientBodyFault::Idle(_) => StatusCode::REQUEST_TIMEOUT,
            ClientBodyFault::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl ClientStream {
    /// `incoming`, of at most `limit` bytes (0: any number) and with at most `idle` between two reads.
    pub fn new(incoming: ClientBody, limit: u64, idle: Duration) -> Self {
        Self {
            beginning: Bytes::new(),
            incoming,
            room: if limit == 0 { u64::MAX } else { limit },
            idle,
            timer: LazyTimer::default(),
            silent_since: None,
            passed: PassedBytes::default(),
        }
    }

    /// As [`ClientStream::new`], for a body of which something was read ahead.
    pub fn begun(begun: Begun, limit: u64, idle: Duration) -> Self {
        Self { beginning: begun.beginning, ..Self::new(begun.rest, limit, idle) }
    }

    /// The body itself, if nothing of it was sent.
    pub fn into_body(self) -> RequestBody {
        match self.beginning.is_empty() {
            true => RequestBody::Stream(self.incoming),
            false => RequestBody::Begun(Box::new(Begun { beginning: self.beginning, rest: self.incoming })),
        }
    }

    /// How much of it has been passed on, now and later.
    pub fn passed(&self) -> PassedBytes {
        self.passed.clone()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyFault>>> {
        if !self.beginning.is_empty() {
            let beginning = std::mem::take(&mut self.beginning);
            return Poll::Ready(Some(self.pass(Frame::data(beginning))));
        }
        let Poll::Ready(frame) = self.incoming.poll_frame(cx) else {
            let due = *self.silent_since.get_or_insert_with(Instant::now) + self.idle;
            std::task::ready!(self.timer.poll_until(cx, due));
            self.incoming.give_up();
            return Poll::Ready(Some(Err(ClientBodyFault::Idle(self.idle))));
        };
        self.silent_since = None;
        Poll::Ready(frame.transpose()?.map(|frame| self.pass(frame)))
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, ClientBodyFault> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.passed.0.update(|passed| passed + length as u64);
        self.room = self.room.checked_sub(length as u64).ok_or(ClientBodyFault::TooLarge)?;
        Ok(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.beginning.len() as u64;
        let coming = self.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(coming.lower() + ahead);
        if let Some(upper) = coming.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

impl OutgoingBody {
    /// The body to send; one in memory stays, for it may go out again.
    pub(super) fn take(&mut self) -> Self {
        match self {
            OutgoingBody::Empty => OutgoingBody::Empty,
            OutgoingBody::Full(bytes) => OutgoingBody::Full(bytes.clone()),
            OutgoingBody::Stream(_) => std::mem::replace(self, OutgoingBody::Empty),
        }
    }

    /// `true` if it can be sent again.
    pub fn is_at_hand(&self) -> bool {
        match self {
            OutgoingBody::Empty | OutgoingBody::Full(_) => true,
            OutgoingBody::Stream(_) => false,
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
            OutgoingBody::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Empty => SizeHint::with_exact(0),
            OutgoingBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OutgoingBody::Stream(stream) => stream.size_hint(),
        }
    }
}
