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

pub(super) use self::upload::{SharedUpload, UploadWatch};
use super::body::Breakage;
use super::connect::Peer;
use super::failure::{SendError, SendFailure, is_refusal};
use super::io::UpstreamIo;
use super::outgoing::OutgoingBody;
use crate::lazy_timer::LazyTimer;
use crate::local::LocalExecutor;

/// Streams per connection; servers mostly allow 100.
const MAX_STREAMS: usize = 90;

/// A silent connection is asked whether it lives after this long, and given up after as long again.
const PING_EVERY: Duration = Duration::from_secs(15);

/// What a client may leave unread of one stream; what all streams of a connection may leave together.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The connections to one origin.
#[derive(Default)]
pub(super) struct SharedConnections(Vec<Shared>);

struct Shared {
    sender: SendRequest<SharedUpload>,
    streams: Rc<Cell<usize>>,
    peer: Option<Arc<Peer>>,
}

/// A stream in use on a shared connection.
#[derive(Debug)]
pub(super) struct StreamGuard {
    streams: Rc<Cell<usize>>,
    /// The address behind the origin's name.
    pub peer: Option<Arc<Peer>>,
}

impl SharedConnections {
    /// A connection with room for one more stream.
    pub fn take(&mut self) -> Option<(SendRequest<SharedUpload>, StreamGuard)> {
        self.0.retain(|shared| !shared.sender.is_closed());
        let shared = self.0.iter().find(|shared| shared.streams.get() < MAX_STREAMS)?;
        Some((shared.sender.clone(), StreamGuard::enter(shared)))
    }

    /// Adds a connection and takes its first stream.
    pub fn add(
        &mut self,
        sender: SendRequest<SharedUpload>,
        peer: Option<Arc<Peer>>,
    ) -> (SendRequest<SharedUpload>, StreamGuard) {
        let shared = Shared { sender: sender.clone(), streams: Rc::new(Cell::new(0)), peer };
        let guard = StreamGuard::enter(&shared);
        self.0.push(shared);
        (sender, guard)
    }

    /// `true` if no connection is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets connections that have ended.
    pub fn sweep(&mut self) {
        self.0.retain(|shared| !shared.sender.is_closed());
    }
}

impl StreamGuard {
    fn enter(shared: &Shared) -> Self {
        shared.streams.set(shared.streams.get() + 1);
        Self { streams: shared.streams.clone(), peer: shared.peer.clone() }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.streams.set(self.streams.get() - 1);
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

/// Sends `request` and waits for the response's head. A body that is a stream is taken out of the request; one in memory
/// stays.
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
    *message.headers_mut() = request.headers().clone();
    let Some(host) = message.headers_mut().remove(HOST) else { return message };
    message.headers_mut().remove(TRANSFER_ENCODING);
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *message.uri_mut() = uri;
    }
    message
}
