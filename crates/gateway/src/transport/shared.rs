//! HTTP/2 connections of one worker: shared by requests up to a number of streams, then one more is opened.

mod upload;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use config::resource::Timeout;
use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

pub(super) use self::upload::{SharedUpload, UploadWatch};
use super::body::Breakage;
use super::connect::Peer;
use super::failure::{SendError, SendFailure, is_refusal};
use super::io::UpstreamIo;
use super::origin::Origin;
use super::outgoing::OutgoingBody;
use crate::headers;
use crate::lazy_timer::LazyTimer;
use crate::local::LocalExecutor;

/// Streams per connection; servers mostly allow 100.
const MAX_STREAMS: usize = 90;

/// A silent connection is asked whether it lives after this long, and given up after as long again.
const PING_EVERY: Duration = Duration::from_secs(15);

/// What a client may leave unread of one stream; what all streams of a connection may leave together.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The connections to one node, in the order in which they were opened.
#[derive(Default)]
pub(super) struct SharedConnections(Vec<Shared>);

/// A connection. It ends when it is dropped and its last stream is over.
pub(super) struct Shared {
    sender: SendRequest<SharedUpload>,
    origin: Arc<Origin>,
    usage: Rc<Usage>,
    peer: Option<Arc<Peer>>,
}

#[derive(Debug)]
struct Usage {
    streams: Cell<usize>,
    /// When its last stream ended, if it has none.
    idle_since: Cell<Instant>,
}

/// A stream in use on a shared connection.
#[derive(Debug)]
pub(super) struct StreamGuard {
    usage: Rc<Usage>,
    /// The address behind the origin's name.
    pub peer: Option<Arc<Peer>>,
}

impl SharedConnections {
    /// A connection to `origin` with room for one more stream.
    pub fn take(&mut self, origin: &Origin) -> Option<(SendRequest<SharedUpload>, StreamGuard)> {
        self.0.retain(|shared| !shared.sender.is_closed());
        let mut fitting = self.0.iter().filter(|shared| shared.origin.id == origin.id);
        let shared = fitting.find(|shared| shared.usage.streams.get() < MAX_STREAMS)?;
        Some((shared.sender.clone(), StreamGuard::enter(shared)))
    }

    /// Adds a connection and takes its first stream.
    pub fn add(&mut self, shared: Shared) -> (SendRequest<SharedUpload>, StreamGuard) {
        self.shed(shared.origin.keepalive.size as usize);
        let taken = (shared.sender.clone(), StreamGuard::enter(&shared));
        self.0.push(shared);
        taken
    }

    /// Forgets those that are idle the longest until `keep` idle ones are left.
    fn shed(&mut self, keep: usize) {
        let mut idle: Vec<Instant> = self.0.iter().filter_map(Shared::idle_since).collect();
        idle.sort_unstable();
        if let Some(last) = idle.len().checked_sub(keep + 1) {
            self.0.retain(|shared| shared.idle_since().is_none_or(|since| since > idle[last]));
        }
    }

    /// Connections without a stream.
    #[cfg(test)]
    pub fn idle(&self) -> usize {
        self.0.iter().filter_map(Shared::idle_since).count()
    }

    /// `true` if no connection is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets connections that have ended or been idle for too long, and of those that are idle all but as many as the
    /// node may keep.
    pub fn sweep(&mut self) {
        self.0.retain(|shared| !shared.sender.is_closed() && !shared.is_expired());
        if let Some(shared) = self.0.first() {
            self.shed(shared.origin.keepalive.size as usize);
        }
    }
}

impl Shared {
    pub fn new(sender: SendRequest<SharedUpload>, origin: Arc<Origin>, peer: Option<Arc<Peer>>) -> Self {
        let usage = Rc::new(Usage { streams: Cell::new(0), idle_since: Cell::new(Instant::now()) });
        Self { sender, origin, usage, peer }
    }

    /// `None` if it is in use.
    fn idle_since(&self) -> Option<Instant> {
        (self.usage.streams.get() == 0).then(|| self.usage.idle_since.get())
    }

    fn is_expired(&self) -> bool {
        let limit = self.origin.keepalive.idle_timeout;
        !limit.is_zero() && self.idle_since().is_some_and(|since| since.elapsed() > limit)
    }
}

impl StreamGuard {
    fn enter(shared: &Shared) -> Self {
        shared.usage.streams.update(|streams| streams + 1);
        Self { usage: shared.usage.clone(), peer: shared.peer.clone() }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.usage.streams.update(|streams| streams - 1);
        self.usage.idle_since.set(Instant::now());
    }
}

/// Opens HTTP/2 on `io`; a task of its own drives it.
pub(super) async fn handshake(io: UpstreamIo) -> hyper::Result<SendRequest<SharedUpload>> {
    let mut builder = Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an HTTP/2 connection to an upstream ended");
        }
    });
    Ok(sender)
}

/// Sends `request` and waits for the response's head. A body that is a stream is taken out of the
/// request; one in memory stays.
///
/// # Errors
/// If the connection or the stream breaks, or the upstream is too slow.
pub(super) async fn send(
    mut sender: SendRequest<SharedUpload>,
    request: &mut Request<OutgoingBody>,
    timeout: &Timeout,
) -> Result<(Response<Incoming>, Rc<UploadWatch>), SendFailure> {
    let is_kept = request.body().is_at_hand();
    let watch = Rc::new(UploadWatch::new(request.body(), timeout));
    let mut timer = LazyTimer::default();
    let mut head = pin!(sender.try_send_request(as_http2(request, &watch)));
    let head = poll_fn(|cx| {
        if let Poll::Ready(head) = head.as_mut().poll(cx) {
            return Poll::Ready(Some(head));
        }
        match watch.poll_stage(cx).due(timeout.read) {
            Some(due) => timer.poll_until(cx, due).map(|()| None),
            None => Poll::Pending,
        }
    });
    match head.await {
        Some(Ok(response)) => Ok((response, watch)),
        Some(Err(mut failure)) => {
            let given_back = failure.take_message();
            let error = failure.into_error();
            let is_unsent = given_back.is_some() || (is_kept && is_refusal(&error));
            if let Some(message) = given_back {
                *request.body_mut() = message.into_body().into_inner();
            }
            Err(SendFailure { error: Breakage::from(error).into(), is_unsent })
        }
        None => Err(SendFailure::underway(SendError::Timeout)),
    }
}

/// HTTP/2 wants the authority in the URI and knows no Host header.
fn as_http2(request: &mut Request<OutgoingBody>, watch: &Rc<UploadWatch>) -> Request<SharedUpload> {
    let mut message = Request::new(SharedUpload::new(request.body_mut().take(), watch.clone()));
    *message.version_mut() = Version::HTTP_2;
    *message.method_mut() = request.method().clone();
    *message.uri_mut() = request.uri().clone();
    *message.headers_mut() = headers::copy(request.headers(), |name| name != HOST && name != TRANSFER_ENCODING);
    let Some(host) = request.headers().get(HOST) else { return message };
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *message.uri_mut() = uri;
    }
    message
}
