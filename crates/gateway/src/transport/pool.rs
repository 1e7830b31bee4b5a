//! One worker's connections: idle HTTP/1 connections by origin, last used first, and shared HTTP/2 connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::UPGRADE;
use http::{Request, Response, StatusCode};
use hyper::client::conn::http2::SendRequest;

use config::resource::Timeout;

use super::body::{Breakage, Lease, SharedStream, Source, UpstreamBody};
use super::connect::{ConnectError, Dialer, Peer};
use super::h1::{H1, H1Fault, SendFault};
use super::origin::Origin;
use super::outgoing::{ClientBodyFault, OutgoingBody, UploadProgress, UploadStage};
use super::shared::{self, SharedConnections, StreamGuard};
use crate::lazy_timer::LazyTimer;

/// A response whose head has arrived.
pub struct Sent {
    pub response: Response<UpstreamBody>,
    /// How long connecting took; zero on a connection from the pool.
    pub connect_time: Duration,
    /// The address that was picked, where the origin has a name.
    pub peer: Option<Arc<Peer>>,
    /// Bytes of the request that had gone out by then; `None` over HTTP/2, where streams share them.
    pub sent_bytes: Option<u64>,
}

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the upstream took the request, or answered it, too slowly")]
    Timeout,
    #[error("the connection broke: {0}")]
    Broken(#[from] Breakage),
}

impl SendError {
    /// What was wrong with the client's body, if that was the fault.
    pub fn client_fault(&self) -> Option<&ClientBodyFault> {
        match self {
            SendError::Broken(Breakage::Http1(H1Fault::Client(fault))) => Some(fault),
            SendError::Broken(Breakage::Http2(error)) => {
                std::error::Error::source(error).and_then(|source| source.downcast_ref())
            }
            SendError::Broken(Breakage::Http1(_)) | SendError::Connect(_) | SendError::Timeout => None,
        }
    }
}

/// A failed attempt.
#[derive(Debug)]
pub struct SendFailure {
    pub error: SendError,
    /// The request, if not a byte of it was sent: it can go to another node whatever its method.
    pub unsent: Option<Box<Request<OutgoingBody>>>,
}

impl SendFailure {
    fn unsent(error: SendError, request: Request<OutgoingBody>) -> Self {
        Self { error, unsent: Some(Box::new(request)) }
    }
}

impl From<SendError> for SendFailure {
    fn from(error: SendError) -> Self {
        Self { error, unsent: None }
    }
}

impl SendError {
    /// `true` if nobody knows where the origin is.
    pub fn is_unresolved(&self) -> bool {
        matches!(self, SendError::Connect(ConnectError::Resolve { .. }))
    }

    /// `true` if waiting too long was the fault.
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendError::Timeout | SendError::Connect(ConnectError::Timeout { .. }))
    }
}

/// Why one connection brought no response.
enum Failure {
    /// Not a byte of the request was sent.
    Unsent(SendError),
    /// The connection was lost without an answer.
    Lost(SendError),
    /// Another connection would do no better.
    Final(SendError),
}

impl From<SendFault> for Failure {
    fn from(fault: SendFault) -> Self {
        let error = |fault| SendError::Broken(Breakage::Http1(fault));
        match fault {
            SendFault::Unsent(fault) => Failure::Unsent(error(fault)),
            SendFault::Underway(fault) if fault.is_loss() => Failure::Lost(error(fault)),
            SendFault::Underway(fault) => Failure::Final(error(fault)),
        }
    }
}

impl Failure {
    /// The failure of the attempt to send `request`.
    fn with(self, request: Request<OutgoingBody>) -> SendFailure {
        match self {
            Failure::Unsent(error) => SendFailure::unsent(error, request),
            Failure::Lost(error) | Failure::Final(error) => error.into(),
        }
    }
}

/// The connections of one worker.
#[derive(Default)]
pub struct Pool {
    dialer: Dialer,
    #[allow(clippy::vec_box, reason = "a connection is large, and moves between pool and response")]
    idle: RefCell<HashMap<u64, Vec<Box<H1>>, foldhash::fast::RandomState>>,
    shared: RefCell<HashMap<u64, SharedConnections, foldhash::fast::RandomState>>,
}

impl Pool {
    /// Sends `request` to `origin` and waits for the response's head.
    ///
    /// # Errors
    /// If no connection comes about, it breaks, or the head does not come within `timeout.read` of the request's
    /// last byte.
    pub async fn send(
        self: &Rc<Self>,
        origin: &Arc<Origin>,
        mut request: Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        if request.headers().contains_key(UPGRADE) {
            return self.send_upgrade(origin, request, timeout).await;
        }
        if origin.tls.is_some()
            && let Some((sender, guard)) = self.shared_connection(origin)
        {
            return self.send_shared(sender, guard, request, timeout, Duration::ZERO).await;
        }
        // A connection that the upstream closed while it was idle gives the request back unsent: take the next. If
        // the close met the request half way, it goes out once more, on a new connection.
        let repeatable = is_repeatable(&request);
        while let Some(connection) = self.take_idle(origin) {
            match self.send_on(connection, &mut request, timeout, Duration::ZERO).await {
                Ok(sent) => return Ok(sent),
                Err(Failure::Unsent(_)) => {}
                Err(Failure::Lost(_)) if repeatable => break,
                Err(Failure::Lost(error) | Failure::Final(error)) => return Err(error.into()),
            }
        }
        let started = Instant::now();
        let dialled = match self.dialer.dial(origin, timeout.connect).await {
            Ok(dialled) => dialled,
            Err(error) => return Err(SendFailure::unsent(error.into(), request)),
        };
        let connect_time = started.elapsed();
        if dialled.http2 {
            let sender = match shared::handshake(dialled.io).await {
                Ok(sender) => sender,
                Err(error) => return Err(SendFailure::unsent(Breakage::from(error).into(), request)),
            };
            let (sender, guard) = self.shared.borrow_mut().entry(origin.id).or_default().add(sender, dialled.peer);
            return self.send_shared(sender, guard, request, timeout, connect_time).await;
        }
        let mut connection = Box::new(H1::new(dialled.io, origin.clone()));
        connection.peer = dialled.peer;
        let sent = self.send_on(connection, &mut request, timeout, connect_time).await;
        sent.map_err(|failure| failure.with(request))
    }

    /// Sends a request that asks to switch protocols, on a connection of its own that speaks HTTP/1.1.
    async fn send_upgrade(
        self: &Rc<Self>,
        origin: &Arc<Origin>,
        mut request: Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        let started = Instant::now();
        let dialled = match self.dialer.dial_http1(origin, timeout.connect).await {
            Ok(dialled) => dialled,
            Err(error) => return Err(SendFailure::unsent(error.into(), request)),
        };
        let connect_time = started.elapsed();
        let mut connection = Box::new(H1::new(dialled.io, origin.clone()));
        connection.peer = dialled.peer;
        let sent = self.send_on(connection, &mut request, timeout, connect_time).await;
        sent.map_err(|failure| failure.with(request))
    }

    async fn send_on(
        self: &Rc<Self>,
        mut connection: Box<H1>,
        request: &mut Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, Failure> {
        let progress = request.body().progress();
        let mut timer = std::mem::take(&mut connection.timer);
        let head = match within(timeout, &mut timer, progress, connection.send(request)).await {
            Some(Ok(head)) => head,
            Some(Err(fault)) => return Err(fault.into()),
            None => return Err(Failure::Final(SendError::Timeout)),
        };
        connection.timer = timer;
        let (peer, sent_bytes) = (connection.peer.clone(), Some(connection.sent_bytes()));
        let source = match head.status() {
            StatusCode::SWITCHING_PROTOCOLS => Source::Switched(connection),
            _ => Source::Connection(Lease { connection, pool: self.clone() }),
        };
        let response = head.map(|()| UpstreamBody::new(source, timeout.read));
        Ok(Sent { response, connect_time, peer, sent_bytes })
    }

    async fn send_shared(
        &self,
        mut sender: SendRequest<OutgoingBody>,
        guard: StreamGuard,
        mut request: Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendFailure> {
        let progress = request.body().progress();
        shared::as_http2(&mut request);
        let head = match within(timeout, &mut LazyTimer::default(), progress, sender.try_send_request(request)).await {
            Some(Ok(head)) => head,
            Some(Err(mut failure)) => {
                let unsent = failure.take_message().map(Box::new);
                return Err(SendFailure { error: Breakage::from(failure.into_error()).into(), unsent });
            }
            None => return Err(SendError::Timeout.into()),
        };
        let peer = guard.peer.clone();
        let response = head.map(|incoming| {
            let stream = SharedStream::new(incoming, guard);
            UpstreamBody::new(Source::Stream(Box::new(stream)), timeout.read)
        });
        Ok(Sent { response, connect_time, peer, sent_bytes: None })
    }

    fn shared_connection(&self, origin: &Origin) -> Option<(SendRequest<OutgoingBody>, StreamGuard)> {
        self.shared.borrow_mut().get_mut(&origin.id)?.take()
    }

    /// The connection used last. Whether it was closed since, sending on it tells before a byte is written.
    fn take_idle(&self, origin: &Origin) -> Option<Box<H1>> {
        loop {
            let connection = self.idle.borrow_mut().get_mut(&origin.id)?.pop()?;
            if !expired(&connection) {
                return Some(connection);
            }
        }
    }

    /// Takes a connection back after its response, if it can be used again and there is room.
    pub(super) fn put_back(&self, mut connection: Box<H1>) {
        let (id, keepalive) = (connection.origin.id, connection.origin.keepalive);
        if connection.requests >= keepalive.requests || !connection.is_idle() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(id).or_default();
        if connections.len() < keepalive.size as usize {
            connections.push(connection);
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
}

/// `true` if sending the request twice does no harm and its body is at hand.
fn is_repeatable(request: &Request<OutgoingBody>) -> bool {
    let at_hand = match request.body() {
        OutgoingBody::Empty | OutgoingBody::Full(_) => true,
        OutgoingBody::Stream(_) => false,
    };
    at_hand && request.method().is_idempotent()
}

fn expired(connection: &H1) -> bool {
    let limit = connection.origin.keepalive.idle_timeout;
    !limit.is_zero() && connection.idle_since.elapsed() > limit
}

/// Waits for `head` for at most `timeout.read`, counted anew from each piece of the body that is still going out, and
/// for the upstream to take a piece for at most `timeout.send`. `None` if the time is up.
async fn within<T>(
    timeout: &Timeout,
    timer: &mut LazyTimer,
    progress: Option<UploadProgress>,
    head: impl Future<Output = T>,
) -> Option<T> {
    let mut head = pin!(head);
    let started = Instant::now();
    poll_fn(|cx| {
        if let Poll::Ready(head) = head.as_mut().poll(cx) {
            return Poll::Ready(Some(head));
        }
        let due = match &progress {
            None => started + timeout.read,
            Some(progress) => match progress.stage() {
                UploadStage::Over => progress.last() + timeout.read,
                UploadStage::Handed => progress.last() + timeout.send,
                // The upstream is not to blame; the body itself tells when the client has been silent for too long.
                UploadStage::AwaitsClient => return Poll::Pending,
            },
        };
        timer.poll_until(cx, due.into()).map(|()| None)
    })
    .await
}
