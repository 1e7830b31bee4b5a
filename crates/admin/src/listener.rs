//! One listener for HTTP/1.1 and HTTP/2: accepts, bounds and drains connections, and hands each request to a
//! [`Handler`]. Plain clients choose HTTP/2 by prior knowledge, TLS clients by ALPN. Invariant: a connection holds one
//! of a fixed number of slots, must send its requests in time, and is given up when draining takes too long. The
//! Admin, Control, status and metrics servers all stand on it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::activity::Activity;
use crate::body;
use crate::reply::Reply;

/// Open connections per listener; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 1024;
/// From accept, or from the last answer, to a complete request head. Also ends idle keep-alive; of HTTP/2, after at
/// most twice this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// From accept to a finished TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Requests in flight on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// How long requests in flight may take to finish after shutdown began; the process may give them less.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection without a request in flight may take to end after shutdown began.
const FAREWELL: Duration = Duration::from_millis(500);
/// Pause after a failed accept: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections are wrapped in.
#[derive(Clone)]
pub(crate) enum Transport {
    Plain,
    Tls(TlsAcceptor),
}

impl Transport {
    /// TLS as `config` says, with both protocols on offer.
    pub fn tls(config: &rustls::ServerConfig) -> Self {
        let mut config = config.clone();
        config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
        Transport::Tls(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Answers the requests of one listener.
pub(crate) trait Handler: Send + Sync + 'static {
    /// `peer` is the client's address.
    fn handle(&self, request: Request<&mut Incoming>, peer: SocketAddr) -> impl Future<Output = Reply> + Send;
}

/// Serves until `shutdown` resolves, then lets requests in flight finish.
///
/// # Errors
/// If the listener cannot be handed to the runtime. Failures of single connections end only those.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    transport: Transport,
    handler: Arc<impl Handler>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let draining = GracefulShutdown::new();
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let (handler, stopping) = (Arc::clone(&handler), stopping.clone());
                let connection = Connection { handler, peer, watcher: draining.watcher(), stopping };
                spawn(connection, transport.clone(), stream, slot);
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, draining.shutdown()).await.is_err() {
        tracing::warn!("gave up on connections that did not finish in {DRAIN_TIMEOUT:?}");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

fn spawn<H: Handler>(connection: Connection<H>, transport: Transport, stream: TcpStream, slot: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        match transport {
            Transport::Plain => connection.drive(stream).await,
            Transport::Tls(acceptor) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => connection.drive(stream).await,
                Ok(Err(error)) => tracing::debug!(%error, peer = %connection.peer, "TLS handshake failed"),
                Err(_) => tracing::debug!(peer = %connection.peer, "TLS handshake took too long"),
            },
        }
        drop(slot);
    });
}

/// One accepted connection. While it lives, draining waits for it.
struct Connection<H> {
    handler: Arc<H>,
    peer: SocketAddr,
    watcher: Watcher,
    /// `true` once the listener stops.
    stopping: watch::Receiver<bool>,
}

impl<H: Handler> Connection<H> {
    /// Serves requests until either side closes.
    async fn drive(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { handler, peer, watcher, mut stopping } = self;
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request: Request<Incoming>| {
            let (handler, request_in_flight) = (Arc::clone(&handler), activity.begin());
            async move {
                // HTTP/2 can refuse one body and go on; who expects `100 Continue` has not begun to send.
                let lingers = request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
                let (head, mut body) = request.into_parts();
                let reply = handler.handle(Request::from_parts(head, &mut body), peer).await;
                if lingers && !body.is_end_stream() {
                    tokio::spawn(body::discard(body));
                }
                drop(request_in_flight);
                Ok::<Response<Full<Bytes>>, Infallible>(reply.into())
            }
        });
        let builder = protocols();
        let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, %peer, "connection ended early");
            },
            () = activity.ceased(HEAD_TIMEOUT) => tracing::debug!(%peer, "an idle connection was closed"),
            // Half a request holds up no exit.
            () = async {
                // An error means that the listener is gone, which is a stop as well.
                let _ = stopping.wait_for(|stop| *stop).await;
                activity.ceased(FAREWELL).await;
            } => tracing::debug!(%peer, "a connection that asked nothing was closed"),
        }
    }
}

/// Both protocols with their bounds.
fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}
