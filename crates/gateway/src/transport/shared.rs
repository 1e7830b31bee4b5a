//! HTTP/2 connections of one worker: shared by requests up to a number of streams, then one more is opened.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::connect::Peer;
use super::io::UpstreamIo;
use super::outgoing::OutgoingBody;
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
    sender: SendRequest<OutgoingBody>,
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
    pub fn take(&mut self) -> Option<(SendRequest<OutgoingBody>, StreamGuard)> {
        self.0.retain(|shared| !shared.sender.is_closed());
        let shared = self.0.iter().find(|shared| shared.streams.get() < MAX_STREAMS)?;
        Some((shared.sender.clone(), StreamGuard::enter(shared)))
    }

    /// Adds a connection and takes its first stream.
    pub fn add(
        &mut self,
        sender: SendRequest<OutgoingBody>,
        peer: Option<Arc<Peer>>,
    ) -> (SendRequest<OutgoingBody>, StreamGuard) {
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
pub(super) async fn handshake(io: UpstreamIo) -> hyper::Result<SendRequest<OutgoingBody>> {
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

/// HTTP/2 wants the authority in the URI and knows no Host header.
pub(super) fn as_http2(request: &mut Request<OutgoingBody>) {
    *request.version_mut() = http::Version::HTTP_2;
    let Some(host) = request.headers_mut().remove(http::header::HOST) else { return };
    request.headers_mut().remove(http::header::TRANSFER_ENCODING);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTPS);
    parts.authority = http::uri::Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}
