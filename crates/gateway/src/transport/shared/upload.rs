//! A request's body on its way into HTTP/2: hyper's task takes it piece by piece, as the upstream makes room, while the
//! request's own task waits for the answer and sees how far it has come.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use config::resource::Timeout;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::transport::outgoing::{ClientBodyFault, OutgoingBody};
use crate::transport::upload_stage::UploadStage;

/// What of a body in memory is given at once: as much as goes into a frame mostly. Of what is given nobody sees when
/// it goes up.
const PIECE_BYTES: usize = 16 * 1024;

/// A body of which somebody sees how far it has gone up.
pub(in crate::transport) struct SharedUpload {
    body: OutgoingBody,
    watch: Rc<UploadWatch>,
}

/// How far a body has gone up, seen from who waits for the answer.
pub(in crate::transport) struct UploadWatch {
    send_timeout: Duration,
    read_timeout: Duration,
    stage: Cell<UploadStage>,
    waiting: Cell<Option<Waker>>,
}

impl UploadWatch {
    pub fn new(body: &OutgoingBody, timeout: &Timeout) -> Self {
        let now = Instant::now();
        let stage = match body.is_end_stream() {
            true => UploadStage::Over(now),
            false => UploadStage::AwaitsUpstream(now + timeout.send),
        };
        let (send_timeout, read_timeout) = (timeout.send, timeout.read);
        Self { send_timeout, read_timeout, stage: Cell::new(stage), waiting: Cell::new(None) }
    }

    /// Who the upload waits for. Who asks is woken when the upstream's answer is due earlier than it was.
    pub fn poll_stage(&self, cx: &mut Context<'_>) -> UploadStage {
        let stage = self.stage.get();
        if !matches!(stage, UploadStage::Over(_)) {
            self.waiting.set(Some(cx.waker().clone()));
        }
        stage
    }

    fn note(&self, stage: UploadStage) {
        let before = self.stage.replace(stage).due(self.read_timeout);
        let due = stage.due(self.read_timeout);
        let is_earlier = due.is_some_and(|due| before.is_none_or(|before| due < before));
        if is_earlier && let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn note_over(&self) {
        if !matches!(self.stage.get(), UploadStage::Over(_)) {
            self.note(UploadStage::Over(Instant::now()));
        }
    }
}

impl SharedUpload {
    pub fn new(body: OutgoingBody, watch: Rc<UploadWatch>) -> Self {
        Self { body, watch }
    }

    /// The body, if nothing of it was sent.
    pub fn into_inner(mut self) -> OutgoingBody {
        std::mem::replace(&mut self.body, OutgoingBody::Empty)
    }
}

impl Body for SharedUpload {
    type Data = Bytes;
    type Error = ClientBodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyFault>>> {
        let upload = self.get_mut();
        let polled = match &mut upload.body {
            OutgoingBody::Full(bytes) if bytes.len() > PIECE_BYTES => {
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(PIECE_BYTES)))))
            }
            body => Pin::new(body).poll_frame(cx),
        };
        match &polled {
            Poll::Pending => upload.watch.note(UploadStage::AwaitsClient),
            // The last piece too may have to wait for room: only when the body is dropped has it gone.
            Poll::Ready(Some(Ok(_))) => {
                upload.watch.note(UploadStage::AwaitsUpstream(Instant::now() + upload.watch.send_timeout));
            }
            Poll::Ready(Some(Err(_)) | None) => upload.watch.note_over(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for SharedUpload {
    /// hyper drops it behind its last piece. Nothing more of it goes up, whether or not it came to its end.
    fn drop(&mut self) {
        self.watch.note_over();
    }
}
