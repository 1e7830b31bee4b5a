//! One HTTP/1 connection, driven by whoever uses it.
//!
//! hyper splits a client connection into a handle and a driver that usually lives in a task of its own. Here both
//! stay together: the driver is polled by the request while it waits for the head, then by the response body. The
//! handle's own futures are polled with a waker that does nothing, since only the driver can make them ready. A
//! driver that has ended is dropped at once: hyper gives a request that it never took back only then.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;

use super::io::UpstreamIo;
use super::origin::Origin;
use super::outgoing::OutgoingBody;
use crate::lazy_timer::LazyTimer;
use crate::self_wake::quietly;

/// Read and write buffers never grow past this; heads longer than it are refused.
const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// A connection with nothing else attached to it.
pub(super) struct H1 {
    handle: SendRequest<OutgoingBody>,
    /// `None` once the connection is over.
    driver: Option<Connection<TokioIo<UpstreamIo>, OutgoingBody>>,
    /// Where it leads.
    pub origin: Arc<Origin>,
    /// Requests sent so far.
    pub requests: u64,
    /// Since when it has been idle.
    pub idle_since: Instant,
    /// Watches the upstream's silence; whoever uses the connection borrows it.
    pub timer: LazyTimer,
}

/// A request that failed; `unsent` holds it if not a byte of it was written.
pub(super) struct H1Failure {
    pub error: hyper::Error,
    pub unsent: Option<Request<OutgoingBody>>,
}

impl H1 {
    pub async fn handshake(io: UpstreamIo, origin: Arc<Origin>) -> hyper::Result<Self> {
        let mut builder = Builder::new();
        builder.max_buf_size(MAX_BUFFER_BYTES);
        let (handle, driver) = builder.handshake(TokioIo::new(io)).await?;
        Ok(Self {
            handle,
            driver: Some(driver),
            origin,
            requests: 0,
            idle_since: Instant::now(),
            timer: LazyTimer::default(),
        })
    }

    /// Sends `request` and waits for the response's head.
    pub async fn send(&mut self, request: Request<OutgoingBody>) -> Result<Response<Incoming>, H1Failure> {
        self.requests += 1;
        // Quietly: it would wake whoever drove the connection last.
        let (response, _) = quietly(|| self.handle.try_send_request(request));
        // Unconstrained: a task's cooperation budget must not make the no-op waker miss the answer.
        let mut response = pin!(unconstrained(response));
        let driver = &mut self.driver;
        let result = poll_fn(|cx| {
            let over = drive(driver, cx);
            match response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => Poll::Ready(result),
                // The driver is gone: only the handle's own waker can still tell.
                Poll::Pending if over => response.as_mut().poll(cx),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        result.map_err(|mut failure| H1Failure { unsent: failure.take_message(), error: failure.into_error() })
    }

    /// Drives the connection; `true` when it is over.
    pub fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        drive(&mut self.driver, cx)
    }

    /// `true` if the connection can take another request, as far as it was driven last.
    pub fn is_ready(&self) -> bool {
        self.driver.is_some() && self.handle.is_ready()
    }

    /// `true` if the connection can take another request right now.
    pub fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_ready()
    }
}

fn drive(driver: &mut Option<Connection<TokioIo<UpstreamIo>, OutgoingBody>>, cx: &mut Context<'_>) -> bool {
    if let Some(connection) = driver
        && pin!(unconstrained(connection)).poll(cx).is_ready()
    {
        *driver = None;
    }
    driver.is_none()
}
