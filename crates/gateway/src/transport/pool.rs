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
use http::{Request, Response, StatusCode, Version};
use hyper::client::conn::http1;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioIo;

use config::resource::Timeout;

use super::body::{Held, Lease, UpstreamBody};
use super::connect::{ConnectError, Dialer};
use super::h1::H1;
use super::origin::Origin;
use super::outgoing::{ClientBodyFault, OutgoingBody, UploadProgress};
use super::shared::{self, SharedConnections, StreamGuard};
use crate::lazy_timer::LazyTimer;

/// How much longer than the read timeout an upload may stand still.
const UPLOAD_GRACE: Duration = Duration::from_secs(1);

/// A response whose head has arrived.
pub struct Sent {
    pub response: Response<UpstreamBody>,
    /// How long connecting took; zero on a connection from the pool.
    pub connect_time: Duration,
}

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
}

impl SendError {
    /// What was wrong with the client's body, if that was the fault.
    pub fn client_fault(&self) -> Option<&ClientBodyFault> {
        let SendError::Broken(error) = self else { return None };
        std::error::Error::source(error).and_then(|source| source.downcast_ref())
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
    /// `true` if waiting too long was the fault.
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendError::Timeout(_) | SendError::Connect(ConnectError::Timeout { .. }))
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
        // the close met the request half way, a copy of it goes out once more, on a new connection.
        while let Some(connection) = self.take_idle(origin) {
            let copy = copy_of(&request);
            match self.send_on(connection, request, timeout, Duration::ZERO).await {
                Ok(sent) => return Ok(sent),
                Err(SendFailure { unsent: Some(unsent), .. }) => request = *unsent,
                Err(failure) => match copy.filter(|_| matches!(failure.error, SendError::Broken(_))) {
                    Some(copy) => {
                        request = copy;
                        break;
                    }
                    None => return Err(failure),
                },
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
                Err(error) => return Err(SendFailure::unsent(error.into(), request)),
            };
            let (sender, guard) = self.shared.borrow_mut().entry(origin.id).or_default().add(sender);
            return self.send_shared(sender, guard, request, timeout, connect_time).await;
        }
        match H1::handshake(dialled.io, origin.clone()).await {
            Ok(connection) => self.send_on(Box::new(connection), request, timeout, connect_time).await,
            Err(error) => Err(SendFailure::unsent(error.into(), request)),
        }
    }

    /// Sends a request that asks to switch protocols, on a connection of its own that speaks HTTP/1.1. A task
    /// drives that connection, since what follows a switch outlives the response.
    async fn send_upgrade(
        &self,
        origin: &Origin,
        request: Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        let started = Instant::now();
        let io = match self.dialer.dial_http1(origin, timeout.connect).await {
            Ok(io) => io,
            Err(error) => return Err(SendFailure::unsent(error.into(), request)),
        };
        let connect_time = started.elapsed();
        let (mut sender, connection) = match http1::handshake(TokioIo::new(io)).await {
            Ok(opened) => opened,
            Err(error) => return Err(SendFailure::unsent(error.into(), request)),
        };
        tokio::task::spawn_local(connection.with_upgrades());
        let mut head =
            match within(timeout.read, &mut LazyTimer::default(), None, sender.try_send_request(request)).await {
                Some(Ok(head)) => head,
                Some(Err(mut failure)) => {
                    let unsent = failure.take_message().map(Box::new);
                    return Err(SendFailure { error: failure.into_error().into(), unsent });
                }
                None => return Err(SendError::Timeout(timeout.read).into()),
            };
        let held = match head.status() {
            StatusCode::SWITCHING_PROTOCOLS => Held::Switching(hyper::upgrade::on(&mut head)),
            _ => Held::Nothing,
        };
        let (parts, incoming) = head.into_parts();
        let body = UpstreamBody::new(incoming, held, timeout.read);
        Ok(Sent { response: Response::from_parts(parts, body), connect_time })
    }

    async fn send_on(
        self: &Rc<Self>,
        mut connection: Box<H1>,
        request: Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendFailure> {
        let progress = request.body().progress();
        let mut timer = std::mem::take(&mut connection.timer);
        let head = match within(timeout.read, &mut timer, progress, connection.send(request)).await {
            Some(Ok(head)) => head,
            Some(Err(failure)) => {
                return Err(SendFailure { error: failure.error.into(), unsent: failure.unsent.map(Box::new) });
            }
            None => return Err(SendError::Timeout(timeout.read).into()),
        };
        let (parts, incoming) = head.into_parts();
        if parts.version < Version::HTTP_11 {
            // hyper would speak HTTP/1.0 for the rest of the connection's life.
            connection.requests = u64::MAX;
        }
        connection.timer = timer;
        let held = Held::Connection(Lease { connection, pool: self.clone() });
        let body = UpstreamBody::new(incoming, held, timeout.read);
        Ok(Sent { response: Response::from_parts(parts, body), connect_time })
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
        let head =
            match within(timeout.read, &mut LazyTimer::default(), progress, sender.try_send_request(request)).await {
                Some(Ok(head)) => head,
                Some(Err(mut failure)) => {
                    let unsent = failure.take_message().map(Box::new);
                    return Err(SendFailure { error: failure.into_error().into(), unsent });
                }
                None => return Err(SendError::Timeout(timeout.read).into()),
            };
        let (parts, incoming) = head.into_parts();
        let body = UpstreamBody::new(incoming, Held::Stream(guard), timeout.read);
        Ok(Sent { response: Response::from_parts(parts, body), connect_time })
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
        if connection.requests >= keepalive.requests || !(connection.is_ready() || connection.is_usable()) {
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

/// The request once more, if sending it twice does no harm and its body is at hand.
fn copy_of(request: &Request<OutgoingBody>) -> Option<Request<OutgoingBody>> {
    let body = match request.body() {
        OutgoingBody::Empty => OutgoingBody::Empty,
        OutgoingBody::Full(bytes) => OutgoingBody::Full(bytes.clone()),
        OutgoingBody::Stream(_) => return None,
    };
    if !request.method().is_idempotent() {
        return None;
    }
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn expired(connection: &H1) -> bool {
    let limit = connection.origin.keepalive.idle_timeout;
    !limit.is_zero() && connection.idle_since.elapsed() > limit
}

/// Waits for `head` for at most `limit`, counted anew from each piece of the body that is still going out. `None`
/// if the time is up.
async fn within<T>(
    limit: Duration,
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
            None => started + limit,
            Some(progress) if progress.is_over() => progress.last() + limit,
            // While the body is outstanding the client's own silence must show first.
            Some(progress) => progress.last() + limit + UPLOAD_GRACE,
        };
        timer.poll_until(cx, due.into()).map(|()| None)
    })
    .await
}
