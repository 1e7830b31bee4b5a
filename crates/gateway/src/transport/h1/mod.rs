//! One HTTP/1.1 connection to an upstream, in the hands of whoever uses it.
//!
//! There is no task and no channel: the request that has the connection writes and reads its socket, first while it
//! waits for the head, then from the response body. What waits holds no buffer: heads are written from, and bytes read
//! into, memory that all connections of a thread share; only what has arrived is kept, in pieces of just that size.

mod chunked;
mod decoder;
mod fault;
mod framing;
mod head;
mod scratch;
mod switched;
#[cfg(test)]
mod tests;
mod upload;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use config::resource::Timeout;
use http::header::HeaderMap;
use http::{Request, Response, StatusCode};
use http_body::SizeHint;
use tokio::time::Instant;

use self::decoder::{BodyDecoder, Decoded};
pub use self::fault::{H1Fault, Malformed};
use self::framing::{Asked, RequestFraming};
use self::head::{Parsed, ResponseHead};
pub use self::switched::Switched;
use self::upload::{Upload, UploadFault};
use super::connect::Peer;
use super::failure::{SendError, SendFailure};
use super::io::UpstreamIo;
use super::origin::Origin;
use super::outgoing::OutgoingBody;
use super::upload_stage::UploadStage;
use crate::lazy_timer::LazyTimer;

/// How many times `timeout.read` a head may take that goes on arriving.
const LONGEST_HEAD: u32 = 10;

/// A connection with nothing else attached to it.
pub(super) struct H1 {
    io: UpstreamIo,
    /// Has arrived and was not looked at: the beginning of a head, or what came behind one.
    unread: Bytes,
    asked: Asked,
    body: BodyDecoder,
    /// What of the request has not gone out; boxed, for most requests go out at once.
    upload: Option<Box<Upload>>,
    /// Both sides have kept to the protocol, and neither wants to close.
    lasts: bool,
    /// Where it leads.
    pub origin: Arc<Origin>,
    /// The address behind the origin's name.
    pub peer: Option<Arc<Peer>>,
    /// Bytes that went out with the last request whose upload has ended, and when it did.
    uploaded: u64,
    uploaded_at: Instant,
    /// Bytes of the last response's head, with those that only announced it.
    pub head_bytes: u64,
    /// When the last piece came of a head that is not whole yet.
    heard_at: Option<Instant>,
    /// Requests sent so far.
    pub requests: u64,
    /// Since when it has been idle.
    pub idle_since: Instant,
    /// Watches the upstream's silence, here and for whoever reads the response's body.
    pub timer: LazyTimer,
}

impl H1 {
    pub fn new(io: UpstreamIo, origin: Arc<Origin>) -> Self {
        let now = Instant::now();
        Self {
            peer: None,
            io,
            unread: Bytes::new(),
            asked: Asked::Answer,
            body: BodyDecoder::Length(0),
            upload: None,
            lasts: true,
            uploaded: 0,
            uploaded_at: now,
            head_bytes: 0,
            heard_at: None,
            origin,
            requests: 0,
            idle_since: now,
            timer: LazyTimer::default(),
        }
    }

    /// Sends `request` and waits for the response's head, which takes over the request's header map. A body that is a
    /// stream is taken out of the request; one in memory stays.
    ///
    /// # Errors
    /// If the connection breaks, the answer is none, or the upstream is too slow. The connection is of no use then.
    pub async fn send(
        &mut self,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Response<()>, SendFailure> {
        if !self.is_usable() {
            return Err(SendFailure::unsent(H1Fault::Closed));
        }
        self.requests += 1;
        self.asked = Asked::by(request);
        self.head_bytes = 0;
        self.heard_at = None;
        poll_fn(|cx| Poll::Ready(self.begin(cx, request, timeout.send))).await?;
        let headers = request.headers_mut();
        let head = poll_fn(|cx| {
            if let Poll::Ready(head) = self.poll_head(cx, headers) {
                return Poll::Ready(head.map_err(SendError::from));
            }
            match self.upload_stage().due(timeout.read) {
                Some(first) => self
                    .timer
                    .poll_until(cx, head_due(first, self.heard_at, timeout.read))
                    .map(|()| Err(SendError::Timeout)),
                None => Poll::Pending,
            }
        });
        head.await.map_err(SendFailure::underway)
    }

    /// Writes the head, and as much of the body as is at hand and taken.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Request<OutgoingBody>,
        send_timeout: Duration,
    ) -> Result<(), SendFailure> {
        let framing = RequestFraming::of(request);
        let is_kept = request.body().is_at_hand();
        let body = request.body_mut().take();
        let mut upload = Upload::new(body, framing, send_timeout);
        let begun = scratch::writing(|out| {
            head::write_request(out, request, framing);
            upload.begin(cx, &mut self.io, out)
        });
        match begun.map_err(H1Fault::from) {
            Ok(()) => {}
            Err(fault) if is_kept && self.io.fails_whole() => return Err(SendFailure::unsent(fault)),
            Err(fault) => return Err(SendFailure::underway(fault)),
        }
        match upload.poll(cx, &mut self.io) {
            Poll::Ready(ended) => {
                self.note_uploaded(&upload);
                self.end_upload(ended).map_err(SendFailure::underway)
            }
            Poll::Pending => {
                self.upload = Some(Box::new(upload));
                Ok(())
            }
        }
    }

    /// Writes on what has not gone out.
    fn drive_upload(&mut self, cx: &mut Context<'_>) -> Result<(), H1Fault> {
        match self.upload.as_mut().map(|upload| upload.poll(cx, &mut self.io)) {
            None | Some(Poll::Pending) => Ok(()),
            Some(Poll::Ready(ended)) => self.end_upload(ended),
        }
    }

    fn end_upload(&mut self, ended: Result<(), UploadFault>) -> Result<(), H1Fault> {
        if let Some(upload) = self.upload.take() {
            self.note_uploaded(&upload);
        }
        match ended {
            Ok(()) => Ok(()),
            Err(UploadFault::Io(_)) => {
                // What the upstream does not take it may have answered nevertheless; if not, reading tells.
                self.lasts = false;
                Ok(())
            }
            Err(fault @ (UploadFault::Client(_) | UploadFault::BodyLength)) => Err(fault.into()),
        }
    }

    fn note_uploaded(&mut self, upload: &Upload) {
        self.uploaded = upload.written();
        self.uploaded_at = Instant::now();
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, spare: &mut HeaderMap) -> Poll<Result<Response<()>, H1Fault>> {
        self.drive_upload(cx)?;
        let mut has_read = false;
        loop {
            if let Some(head) = self.take_head(spare)? {
                return Poll::Ready(self.accept(head));
            }
            if has_read {
                self.heard_at = Some(Instant::now());
            }
            ready!(self.poll_line(cx))?;
            has_read = true;
        }
    }

    /// The answer's head, if it has arrived; those that only announce it are passed over.
    fn take_head(&mut self, spare: &mut HeaderMap) -> Result<Option<ResponseHead>, Malformed> {
        while !self.unread.is_empty() {
            match head::parse_response(&self.unread, spare)? {
                Parsed::Partial => return Ok(None),
                Parsed::Interim(length) => self.pass_over(length),
                Parsed::Final(head) => {
                    self.pass_over(head.length);
                    return Ok(Some(head));
                }
            }
        }
        Ok(None)
    }

    fn pass_over(&mut self, length: usize) {
        self.head_bytes += length as u64;
        self.unread.advance(length);
        if self.unread.is_empty() {
            // Not only its end: an empty piece would keep its memory.
            self.unread = Bytes::new();
        }
    }

    /// Reads until a head may be whole: heads end with a line, so that one that drips in is not parsed for each byte.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), H1Fault>> {
        loop {
            let unread = &mut self.unread;
            let (length, may_end) = ready!(scratch::poll_read(&mut self.io, cx, |read| {
                let may_end = unread.is_empty() || memchr::memchr(b'\n', read).is_some();
                *unread = joined(std::mem::take(unread), read);
                (read.len(), may_end)
            }))?;
            if length == 0 {
                return Poll::Ready(Err(H1Fault::Closed));
            }
            if may_end || self.unread.len() > head::MAX_HEAD_BYTES {
                return Poll::Ready(Ok(()));
            }
            self.heard_at = Some(Instant::now());
        }
    }

    fn accept(&mut self, head: ResponseHead) -> Result<Response<()>, H1Fault> {
        let ResponseHead { status, version, headers, framing, .. } = head;
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && self.asked != Asked::Switch {
            return Err(Malformed::UnaskedSwitch.into());
        }
        self.body = BodyDecoder::new(framing.body(self.asked, status, version)?);
        let leaves_http = switches || (self.asked == Asked::Tunnel && status.is_success());
        self.lasts &= !leaves_http && framing.lasts(version);
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.version_mut() = version;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// The next piece of the response's body, and meanwhile what is left of the request's; `None` at the end.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, H1Fault>>> {
        self.drive_upload(cx)?;
        while !self.body.is_over() {
            let Some(Decoded { data, surplus }) = ready!(self.poll_decoded(cx))? else {
                return Poll::Ready(self.end_at_close());
            };
            if surplus > 0 {
                self.lasts = false;
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
        Poll::Ready(None)
    }

    /// What has arrived of the body, else what arrives next; `None` if the connection has ended.
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Decoded>, H1Fault>> {
        let body = &mut self.body;
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            let decoded = body.decode(&unread, |piece| unread.slice_ref(piece))?;
            return Poll::Ready(Ok(Some(decoded)));
        }
        let decoded = ready!(scratch::poll_read(&mut self.io, cx, |read| {
            (!read.is_empty()).then(|| body.decode(read, Bytes::copy_from_slice))
        }))?;
        Poll::Ready(decoded.transpose().map_err(H1Fault::Malformed))
    }

    fn end_at_close(&mut self) -> Option<Result<Bytes, H1Fault>> {
        self.lasts = false;
        match self.body {
            BodyDecoder::UntilClose => {
                self.body = BodyDecoder::Length(0);
                None
            }
            BodyDecoder::Length(_) | BodyDecoder::Chunked(_) => Some(Err(H1Fault::Closed)),
        }
    }

    /// Bytes of the present request that have gone out, head and framing included.
    pub fn sent_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(self.uploaded, |upload| upload.written())
    }

    /// How far the present request has gone up.
    pub fn upload_stage(&self) -> UploadStage {
        self.upload.as_ref().map_or(UploadStage::Over(self.uploaded_at), |upload| upload.waits_for())
    }

    /// `true` if the response's body has been read to its end.
    pub fn is_body_over(&self) -> bool {
        self.body.is_over()
    }

    /// What is known of the length of the response's body that is still to come.
    pub fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    /// `true` if the connection can take another request, as far as is known without looking at its socket.
    pub fn is_idle(&self) -> bool {
        self.lasts && self.body.is_over() && self.upload.is_none() && self.unread.is_empty()
    }

    /// `true` if the connection can take another request right now: nobody has closed it or spoken unasked.
    pub fn is_usable(&mut self) -> bool {
        self.is_idle() && self.io.is_silent()
    }

    /// The connection as the upstream's answer to a request to switch protocols leaves it.
    pub fn into_switched(self) -> Switched {
        Switched::new(self.io, self.unread)
    }
}

fn joined(before: Bytes, read: &[u8]) -> Bytes {
    if before.is_empty() {
        return Bytes::copy_from_slice(read);
    }
    let mut joined = BytesMut::from(before);
    joined.extend_from_slice(read);
    joined.freeze()
}

/// When to wait no longer for a head whose `first` piece was due then and whose last one came at `heard_at`: the
/// upstream may pause for `read` between two pieces.
fn head_due(first: Instant, heard_at: Option<Instant>, read: Duration) -> Instant {
    let next = heard_at.map_or(first, |heard_at| heard_at + read);
    next.clamp(first, first + read * (LONGEST_HEAD - 1))
}
