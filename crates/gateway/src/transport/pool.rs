//! One worker's connections, by node: idle HTTP/1 connections, last used first, and shared HTTP/2 connections. Of those
//! that are idle each kind has at most as many as the node may keep; the one that is idle the longest goes first. For
//! HTTP/1 that holds always. HTTP/2 connections become idle when their last stream ends, wherever that is, and those
//! that are too many go with the next that is opened or the next sweep.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::UPGRADE;
use http::{Request, Response, StatusCode};
use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use config::resource::Timeout;

use super::body::{Breakage, Lease, SharedStream, Source, UpstreamBody};
use super::connect::{Dialer, Peer};
use super::failure::SendFailure;
use super::h1::H1;
use super::origin::Origin;
use super::outgoing::OutgoingBody;
use super::repeatable::is_repeatable;
use super::shared::{self, Shared, SharedConnections, SharedUpload, StreamGuard};

/// A response whose head has arrived.
pub struct Sent {
    pub response: Response<UpstreamBody>,
    /// How long connecting took; zero on a connection from the pool.
    pub connect_time: Duration,
    /// The address that was picked, where the origin has a name.
    pub peer: Option<Arc<Peer>>,
    /// Bytes of the request that had gone out by then; `None` over HTTP/2, where streams share them.
    pub sent_bytes: Option<u64>,
    /// Bytes of the response's head, with those that only announced it; 0 over HTTP/2, which compresses heads.
    pub head_bytes: u64,
}

/// The connections of one worker.
#[derive(Default)]
pub struct Pool {
    dialer: Dialer,
    idle: RefCell<HashMap<u64, VecDeque<Box<H1>>, foldhash::fast::RandomState>>,
    shared: RefCell<HashMap<u64, SharedConnections, foldhash::fast::RandomState>>,
}

impl Pool {
    /// Sends `request` to `origin` and waits for the response's head. A body that is a stream is taken out of the
    /// request; one in memory stays.
    ///
    /// # Errors
    /// If no connection comes about, it breaks, the upstream takes nothing of the request for `timeout.send`, or the
    /// head does not come within `timeout.read` of the request's last byte.
    pub async fn send(
        self: &Rc<Self>,
        origin: &Arc<Origin>,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        if request.headers().contains_key(UPGRADE) {
            return self.send_upgrade(origin, request, timeout).await;
        }
        // A connection that the upstream closed while it was idle leaves the request unsent: take another. If the close
        // met the request half way, it goes out once more, on a new connection, if that does no harm.
        let repeatable = request.body().is_at_hand() && is_repeatable(request.method());
        let mut is_lost = false;
        if origin.tls.is_some()
            && let Some((sender, guard)) = self.shared_connection(origin)
        {
            match self.send_shared(sender, guard, request, timeout, Duration::ZERO).await {
                Err(failure) if failure.is_unsent => {}
                Err(failure) if failure.error.is_loss() && repeatable => is_lost = true,
                ended => return ended,
            }
        }
        while !is_lost && let Some(connection) = self.take_idle(origin) {
            match self.send_on(connection, request, timeout, Duration::ZERO).await {
                Err(failure) if failure.is_unsent => {}
                Err(failure) if failure.error.is_loss() && repeatable => is_lost = true,
                ended => return ended,
            }
        }
        let started = Instant::now();
        let dialled = self.dialer.dial(origin, timeout.connect).await.map_err(SendFailure::unsent)?;
        let connect_time = started.elapsed();
        if dialled.http2 {
            let sender = shared::handshake(dialled.io).await.map_err(Breakage::from).map_err(SendFailure::unsent)?;
            let shared = Shared::new(sender, origin.clone(), dialled.peer);
            let (sender, guard) = self.shared.borrow_mut().entry(origin.node).or_default().add(shared);
            return self.send_shared(sender, guard, request, timeout, connect_time).await;
        }
        let mut connection = Box::new(H1::new(dialled.io, origin.clone()));
        connection.peer = dialled.peer;
        self.send_on(connection, request, timeout, connect_time).await
    }

    /// Sends a request that asks to switch protocols, on a connection of its own that speaks HTTP/1.1.
    async fn send_upgrade(
        self: &Rc<Self>,
        origin: &Arc<Origin>,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        let started = Instant::now();
        let dialled = self.dialer.dial_http1(origin, timeout.connect).await.map_err(SendFailure::unsent)?;
        let connect_time = started.elapsed();
        let mut connection = Box::new(H1::new(dialled.io, origin.clone()));
        connection.peer = dialled.peer;
        self.send_on(connection, request, timeout, connect_time).await
    }

    async fn send_on(
        self: &Rc<Self>,
        mut connection: Box<H1>,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendFailure> {
        let head = connection.send(request, timeout).await?;
        let (peer, sent_bytes) = (connection.peer.clone(), Some(connection.sent_bytes()));
        let head_bytes = connection.head_bytes;
        let source = match head.status() {
            StatusCode::SWITCHING_PROTOCOLS => Source::Switched(connection),
            _ => Source::Connection(Lease { connection, pool: self.clone() }),
        };
        let response = head.map(|()| UpstreamBody::new(source, timeout.read));
        Ok(Sent { response, connect_time, peer, sent_bytes, head_bytes })
    }

    async fn send_shared(
        &self,
        sender: SendRequest<SharedUpload>,
        guard: StreamGuard,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendFailure> {
        let (response, upload) = shared::send(sender, request, timeout).await?;
        let peer = guard.peer.clone();
        let response = response.map(|incoming| {
            let stream = SharedStream::new(incoming, upload, guard);
            UpstreamBody::new(Source::Stream(Box::new(stream)), timeout.read)
        });
        Ok(Sent { response, connect_time, peer, sent_bytes: None, head_bytes: 0 })
    }

    fn shared_connection(&self, origin: &Origin) -> Option<(SendRequest<SharedUpload>, StreamGuard)> {
        self.shared.borrow_mut().get_mut(&origin.node)?.take(origin)
    }

    /// The connection used last. Whether it was closed since, sending on it tells before a byte is written.
    fn take_idle(&self, origin: &Origin) -> Option<Box<H1>> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&origin.node)?;
        loop {
            let last = connections.iter().rposition(|connection| connection.origin.id == origin.id)?;
            let connection = connections.remove(last)?;
            if !expired(&connection) {
                return Some(connection);
            }
        }
    }

    /// Takes a connection back after its response, if it can be used again.
    pub(super) fn put_back(&self, mut connection: Box<H1>) {
        let (node, keepalive) = (connection.origin.node, connection.origin.keepalive);
        if connection.requests >= keepalive.requests || !connection.is_idle() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(node).or_default();
        connections.push_back(connection);
        if connections.len() > keepalive.size as usize {
            connections.pop_front();
        }
    }

    /// Drops connections that were closed or idle for too long. The worker calls it now and then.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain_mut(|connection| !expired(connection) && connection.is_usable());
            !connections.is_empty()
        });
        self.shared.borrow_mut().retain(|_, connections| {
            connections.sweep();
            !connections.is_empty()
        });
    }

    /// Connections that wait for a next request, to all nodes.
    #[cfg(test)]
    pub fn idle_connections(&self) -> usize {
        let http1: usize = self.idle.borrow().values().map(VecDeque::len).sum();
        let http2: usize = self.shared.borrow().values().map(SharedConnections::idle).sum();
        http1 + http2
    }
}

fn expired(connection: &H1) -> bool {
    let limit = connection.origin.keepalive.idle_timeout;
    !limit.is_zero() && connection.idle_since.elapsed() > limit
}
