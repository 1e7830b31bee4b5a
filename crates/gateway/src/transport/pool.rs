//! One worker's connections: idle HTTP/1 connections by origin, last used first, and shared HTTP/2 connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response, Version};
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;

use config::resource::Timeout;

use super::body::{Lease, UpstreamBody};
use super::connect::{ConnectError, Dialer};
use super::h1::H1;
use super::io::UpstreamIo;
use super::origin::Origin;
use super::outgoing::{ClientBodyFault, OutgoingBody};
use crate::local::LocalExecutor;

/// How often idle connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

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
    idle: RefCell<HashMap<u64, Vec<Box<H1>>, foldhash::fast::RandomState>>,
    shared: RefCell<HashMap<u64, http2::SendRequest<OutgoingBody>, foldhash::fast::RandomState>>,
    swept: std::cell::Cell<Option<Instant>>,
}

impl Pool {
    /// Sends `request` to `origin` and waits for the response's head.
    ///
    /// # Errors
    /// If no connection comes about, it breaks, or the head does not come within `timeout.read`.
    pub async fn send(
        self: &Rc<Self>,
        origin: &Arc<Origin>,
        mut request: Request<OutgoingBody>,
        timeout: &Timeout,
    ) -> Result<Sent, SendFailure> {
        if let Some(sender) = self.shared_connection(origin) {
            return Ok(self.send_shared(sender, request, timeout, Duration::ZERO).await?);
        }
        // A connection that the upstream closed while it was idle gives the request back unsent: take the next.
        while let Some(connection) = self.take_idle(origin) {
            match self.send_on(connection, origin, request, timeout, Duration::ZERO).await {
                Ok(sent) => return Ok(sent),
                Err(SendFailure { unsent: Some(unsent), .. }) => request = *unsent,
                Err(failure) => return Err(failure),
            }
        }
        let started = Instant::now();
        let dialled = match self.dialer.dial(origin, timeout.connect).await {
            Ok(dialled) => dialled,
            Err(error) => return Err(SendFailure { error: error.into(), unsent: Some(Box::new(request)) }),
        };
        let connect_time = started.elapsed();
        if dialled.http2 {
            let sender = self.share(origin, dialled.io).await.map_err(SendError::from)?;
            return Ok(self.send_shared(sender, request, timeout, connect_time).await?);
        }
        let connection = Box::new(H1::handshake(dialled.io).await.map_err(SendError::from)?);
        self.send_on(connection, origin, request, timeout, connect_time).await
    }

    /// A connection of its own, for upgrades; never returned to the pool.
    ///
    /// # Errors
    /// As for connecting.
    pub async fn dial_exclusive(&self, origin: &Origin, limit: Duration) -> Result<UpstreamIo, ConnectError> {
        Ok(self.dialer.dial(origin, limit).await?.io)
    }

    async fn send_on(
        self: &Rc<Self>,
        mut connection: Box<H1>,
        origin: &Arc<Origin>,
        request: Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendFailure> {
        let head = match tokio::time::timeout(timeout.read, connection.send(request)).await {
            Ok(Ok(head)) => head,
            Ok(Err(failure)) => {
                return Err(SendFailure { error: failure.error.into(), unsent: failure.unsent.map(Box::new) });
            }
            Err(_) => return Err(SendError::Timeout(timeout.read).into()),
        };
        let (parts, incoming) = head.into_parts();
        let lease = Lease { connection, origin: origin.clone(), pool: self.clone() };
        let body = UpstreamBody::new(incoming, Some(lease), timeout.read);
        Ok(Sent { response: Response::from_parts(parts, body), connect_time })
    }

    async fn send_shared(
        &self,
        mut sender: http2::SendRequest<OutgoingBody>,
        mut request: Request<OutgoingBody>,
        timeout: &Timeout,
        connect_time: Duration,
    ) -> Result<Sent, SendError> {
        *request.version_mut() = Version::HTTP_2;
        as_http2(&mut request);
        let head = tokio::time::timeout(timeout.read, sender.send_request(request))
            .await
            .map_err(|_| SendError::Timeout(timeout.read))??;
        let (parts, incoming) = head.into_parts();
        let body = UpstreamBody::new(incoming, None, timeout.read);
        Ok(Sent { response: Response::from_parts(parts, body), connect_time })
    }

    async fn share(&self, origin: &Origin, io: UpstreamIo) -> hyper::Result<http2::SendRequest<OutgoingBody>> {
        let (sender, connection) = http2::handshake(LocalExecutor, TokioIo::new(io)).await?;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection to an upstream ended");
            }
        });
        self.shared.borrow_mut().insert(origin.id, sender.clone());
        Ok(sender)
    }

    fn shared_connection(&self, origin: &Origin) -> Option<http2::SendRequest<OutgoingBody>> {
        let mut shared = self.shared.borrow_mut();
        let sender = shared.get(&origin.id)?;
        if sender.is_closed() {
            shared.remove(&origin.id);
            return None;
        }
        Some(sender.clone())
    }

    fn take_idle(&self, origin: &Origin) -> Option<Box<H1>> {
        loop {
            let mut connection = self.idle.borrow_mut().get_mut(&origin.id)?.pop()?;
            if !expired(&connection) && connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// Takes a connection back after its response, if it can be used again and there is room.
    pub(super) fn put_back(&self, origin: &Arc<Origin>, mut connection: Box<H1>) {
        if connection.requests >= origin.keepalive.requests || !connection.is_usable() {
            return;
        }
        connection.idle_since = Instant::now();
        connection.idle_timeout = origin.keepalive.idle_timeout;
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(origin.id).or_default();
        if connections.len() < origin.keepalive.size as usize {
            connections.push(connection);
        }
        drop(idle);
        self.sweep();
    }

    /// Now and then drops connections that were closed or idle for too long.
    fn sweep(&self) {
        let now = Instant::now();
        if self.swept.get().is_some_and(|at| now.duration_since(at) < SWEEP_EVERY) {
            return;
        }
        self.swept.set(Some(now));
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain_mut(|connection| !expired(connection) && connection.is_usable());
            !connections.is_empty()
        });
    }
}

fn expired(connection: &H1) -> bool {
    !connection.idle_timeout.is_zero() && connection.idle_since.elapsed() > connection.idle_timeout
}

/// HTTP/2 wants the authority in the URI and knows no Host header.
fn as_http2(request: &mut Request<OutgoingBody>) {
    let Some(host) = request.headers_mut().remove(http::header::HOST) else { return };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTPS);
    parts.authority = http::uri::Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}
