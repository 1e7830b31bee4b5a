//! The body of a request on its way to an upstream.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::client_body::ClientBody;
use crate::lazy_timer::LazyTimer;

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
    incoming: ClientBody,
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
pub struct UploadProgress(Rc<Cell<(std::time::Instant, UploadStage)>>);

/// Who a body waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadStage {
    /// The client, for the next piece.
    AwaitsClient,
    /// The upstream, which has not taken the last piece yet.
    Handed,
    /// Nobody: there are no more pieces.
    Over,
}

impl UploadProgress {
    fn begin() -> Self {
        Self(Rc::new(Cell::new((std::time::Instant::now(), UploadStage::AwaitsClient))))
    }

    fn note(&self, stage: UploadStage) {
        self.0.set((std::time::Instant::now(), stage));
    }

    /// The client has nothing more for now; what it gave has been taken.
    fn note_pause(&self) {
        let (last, stage) = self.0.get();
        if stage == UploadStage::Handed {
            self.0.set((last, UploadStage::AwaitsClient));
        }
    }

    /// When a piece, or a part of one, went on last.
    pub fn last(&self) -> std::time::Instant {
        self.0.get().0
    }

    pub fn stage(&self) -> UploadStage {
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
    pub fn new(incoming: ClientBody, limit: u64, idle: Duration) -> Self {
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
    pub fn into_incoming(self) -> ClientBody {
        self.incoming
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyFault>>> {
        let Poll::Ready(frame) = self.incoming.poll_frame(cx) else {
            self.progress.note_pause();
            let due = *self.silent_since.get_or_insert_with(Instant::now) + self.idle;
            std::task::ready!(self.timer.poll_until(cx, due));
            self.incoming.give_up();
            return Poll::Ready(Some(Err(ClientBodyFault::Idle(self.idle))));
        };
        self.silent_since = None;
        let Some(frame) = frame.transpose()? else {
            self.progress.note(UploadStage::Over);
            return Poll::Ready(None);
        };
        let is_last = self.incoming.is_end_stream();
        self.progress.note(if is_last { UploadStage::Over } else { UploadStage::Handed });
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

    /// The upstream has taken some of the last piece.
    pub fn note_taken(&self) {
        if let OutgoingBody::Stream(stream) = self {
            stream.progress.note(stream.progress.stage());
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
