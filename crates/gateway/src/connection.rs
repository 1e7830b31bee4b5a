//! One client connection: TLS and protocol are found out, then hyper reads requests and the pipeline serves them.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

use crate::admission::is_in;
use crate::exchange::{Connection, ForwardsTrust, TlsFacts};
use crate::lazy_timer::LazyTimer;
use crate::self_wake::TaskWaker;
use crate::stalled_stream::{StreamExecutor, watched};
use crate::timed_io::{Taken, TimedIo};
use crate::tls::server::normal_name;
use crate::worker::{Life, Worker};
use crate::{pipeline, proxy};

/// What an HTTP/2 client says first.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// hyper's smallest read buffer.
const MIN_BUFFER_BYTES: usize = 8192;

/// More header fields than this are refused with 431: over HTTP/1 by hyper, over HTTP/2 by admission.
pub(crate) const MAX_HEADERS: usize = 100;

/// How long a connection may take to end once it was told to and has no requests; begun anew with each sign of life.
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);

/// How long a connection may ask for nothing when the process is out of file descriptors.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(1);

/// Numbers client connections.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until it ends.
pub async fn serve(worker: Rc<Worker>, socket: TcpStream, peer: SocketAddr, tls: bool) {
    let _ = socket.set_nodelay(true);
    let Ok(local) = socket.local_addr() else { return };
    let head_timeout = worker.services.settings.nginx_config.http.client_header_timeout;
    if tls {
        // Boxed: a plain connection does not carry the room of a handshake.
        return Box::pin(serve_tls(worker, socket, peer, local, head_timeout)).await;
    }
    let mut life = worker.life.clone();
    let protocol = tokio::select! {
        protocol = tokio::time::timeout(head_timeout, first_bytes(&socket)) => protocol,
        // A connection that has said nothing yet holds up no drain.
        () = unwelcome(&mut life) => return,
    };
    let Ok(Ok(protocol)) = protocol else { return };
    let connection = connection_of(&worker, peer, local, None);
    serve_http(worker, socket, protocol, connection).await;
}

/// Returns when a connection that has said nothing since now is to go.
async fn unwelcome(life: &mut tokio::sync::watch::Receiver<Life>) {
    let since = Instant::now();
    let is_over = |life: &Life| *life > Life::Serving || (*life == Life::Crowded && since.elapsed() >= IDLE_IN_A_CROWD);
    // An error means that the data plane is gone.
    let _ = life.wait_for(is_over).await;
}

async fn serve_tls(worker: Rc<Worker>, socket: TcpStream, peer: SocketAddr, local: SocketAddr, head_timeout: Duration) {
    let mut life = worker.life.clone();
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(head_timeout, accept_tls(&worker, socket)) => accepted,
        // As without TLS.
        () = unwelcome(&mut life) => return,
    };
    match accepted {
        Ok(Ok((stream, facts, protocol))) => {
            let connection = connection_of(&worker, peer, local, Some(facts));
            serve_http(worker, stream, protocol, connection).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

fn connection_of(worker: &Worker, peer: SocketAddr, local: SocketAddr, tls: Option<TlsFacts>) -> Rc<Connection> {
    let forwards = match &worker.services.trusted_addresses {
        None => ForwardsTrust::Unconfigured,
        Some(networks) if is_in(networks, peer.ip()) => ForwardsTrust::Trusted,
        Some(_) => ForwardsTrust::Untrusted,
    };
    Rc::new(Connection {
        peer,
        local,
        peer_text: proxy::address_text(peer.ip().to_canonical()),
        port_text: local.port().into(),
        tls,
        forwards,
        real_ip_is_trusted: is_in(&worker.services.settings.nginx_config.http.real_ip_from, peer.ip()),
        serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
        requests: Cell::new(0),
        waiting_since: Cell::new(Some(Instant::now())),
        under_way: Cell::new(0),
        cut: Cell::new(false),
        life: worker.life.clone(),
    })
}

/// Looks at the first bytes without taking them: HTTP/2 with prior knowledge, or HTTP/1.
async fn first_bytes(socket: &TcpStream) -> std::io::Result<Protocol> {
    let mut seen = [0; HTTP2_PREFACE.len()];
    let mut pause = Duration::from_millis(1);
    loop {
        let length = socket.peek(&mut seen).await?;
        if length == seen.len() || length == 0 || seen[..length] != HTTP2_PREFACE[..length] {
            let preface = length == seen.len() && seen == *HTTP2_PREFACE;
            return Ok(if preface { Protocol::Http2 } else { Protocol::Http1 });
        }
        // A beginning of the preface; the rest is on its way, mostly at once.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

async fn accept_tls(worker: &Worker, socket: TcpStream) -> std::io::Result<(TlsStream, TlsFacts, Protocol)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    let name = start.client_hello().server_name().map(str::to_owned);
    let plan = worker.plan.get();
    let fallback = worker.services.settings.apisix.ssl.fallback_sni.as_deref();
    let Some(served) = plan.certificates().find(name.as_deref(), fallback).cloned() else {
        return Err(std::io::Error::other(format!("no certificate for SNI {name:?}")));
    };
    let stream = start.into_stream(served.config().clone()).await?;
    let session = stream.get_ref().1;
    let protocol = if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    let verified = served.has_verified(session.peer_certificates());
    let facts = TlsFacts {
        unverified: (!verified && served.asks_for_certificate()).then(|| served.clone()),
        verified_for: name.as_deref().or(fallback).filter(|_| verified).map(|name| normal_name(name).into()),
        client_certificate: session
            .peer_certificates()
            .and_then(<[_]>::first)
            .filter(|_| verified)
            .map(|certificate| certificate.clone().into_owned()),
        server_name: name.map(Into::into),
        protocol: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: session
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite()))
            .into(),
    };
    Ok((stream, facts, protocol))
}

async fn serve_http<S>(worker: Rc<Worker>, stream: S, protocol: Protocol, connection: Rc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let life = worker.life.clone();
    let http = &worker.services.settings.nginx_config.http;
    let (head_timeout, http2_enabled) = (http.client_header_timeout, worker.services.settings.apisix.enable_http2);
    let send_timeout = http.send_timeout;
    let max_head_bytes = worker.services.settings.tidegate.max_header_bytes;
    let io = TimedIo::new(stream, send_timeout);
    // Over HTTP/1 a client takes nothing but responses.
    let rest_limit = (protocol == Protocol::Http2).then_some(send_timeout);
    let client = Client { connection: connection.clone(), taken: io.taken(), rest_limit };
    let head_limit = HeadLimit::new(client.clone(), head_timeout);
    let io = TokioIo::new(io);
    let service = service_fn(move |request: http::Request<Incoming>| {
        // Boxed, so that an idle connection does not carry the room of a request.
        let response = Box::pin(pipeline::serve(worker.clone(), connection.clone(), request));
        async move { Ok::<_, Infallible>(response.await) }
    });
    match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder
                .header_read_timeout(None)
                .max_header_size(max_head_bytes)
                // Filled before a head is measured: this bounds what one that never ends may take.
                .max_buf_size(max_head_bytes.max(MIN_BUFFER_BYTES))
                .max_headers(MAX_HEADERS);
            let serving = pin!(builder.serve_connection(io, service).with_upgrades());
            until_drained(&client, serving, head_limit, life, |serving| serving.graceful_shutdown()).await;
        }
        Protocol::Http2 if http2_enabled => {
            let mut builder = http2::Builder::new(StreamExecutor { send_timeout });
            builder.timer(TokioTimer::new()).max_header_list_size(max_head_bytes as u32).max_concurrent_streams(128);
            let service = service_fn(move |request| {
                let response = service.call(request);
                async move { response.await.map(watched) }
            });
            let mut serving = Box::pin(builder.serve_connection(io, service));
            Box::pin(until_drained(&client, serving.as_mut(), head_limit, life, |serving| serving.graceful_shutdown()))
                .await;
        }
        Protocol::Http2 => {}
    }
}

/// Runs a connection to its end. When the process drains, or the client asks for nothing for too long, it is told to go
/// and runs to the end of the requests that it is serving; without any, until it has said goodbye or is silent. When
/// the process ends it runs no further.
async fn until_drained<C>(
    client: &Client,
    mut serving: Pin<&mut C>,
    head_limit: HeadLimit,
    mut life: tokio::sync::watch::Receiver<Life>,
    shut_down: impl FnOnce(Pin<&mut C>),
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut ended = while_alive(serving.as_mut(), Some(head_limit), &mut life, Life::Draining).await;
    if ended.is_none() {
        let mut was_idle = client.is_idle();
        shut_down(serving.as_mut());
        ended = loop {
            let farewell = while_alive(serving.as_mut(), None, &mut life, Life::Ending);
            if let Ok(ended) = tokio::time::timeout(LONGEST_FAREWELL, farewell).await {
                break ended;
            }
            // What it takes may be the rest of a response whose request is over.
            let is_idle = client.is_idle() && !client.takes_rest();
            if was_idle && is_idle {
                return;
            }
            was_idle = client.is_idle();
        };
        client.connection.cut.set(ended.is_none());
    }
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a client connection ended early");
    }
}

/// What is known of the client while its connection is served.
#[derive(Clone)]
struct Client {
    connection: Rc<Connection>,
    taken: Taken,
    /// How long after its last request what it takes may be the rest of the response. Over HTTP/2 a client also takes
    /// acknowledgements, as of a PING, and may go on for ever.
    rest_limit: Option<Duration>,
}

impl Client {
    /// `true` if no request of its is under way.
    fn is_idle(&self) -> bool {
        self.connection.under_way.get() == 0
    }

    /// `true` if it has taken something since this was last asked that may be the rest of its last response.
    fn takes_rest(&self) -> bool {
        let now = Instant::now();
        self.taken.take()
            && self.connection.waiting_since.get().is_none_or(|since| self.last_of_rest(since, now) == now)
    }

    /// When it last took something of a response that ended `since`, if it has taken something `now`.
    fn last_of_rest(&self, since: Instant, now: Instant) -> Instant {
        self.rest_limit.map_or(now, |limit| now.min(since + limit))
    }
}

/// How long a client may take until the head of its next request is there, from the end of its last one or from when it
/// last took something of the response.
struct HeadLimit {
    client: Client,
    limit: Duration,
    timer: LazyTimer,
    /// The end of the last request, as it was last seen.
    waiting_since: Instant,
    /// When the time began.
    from: Instant,
}

impl HeadLimit {
    fn new(client: Client, limit: Duration) -> Self {
        let now = Instant::now();
        Self { client, limit, timer: LazyTimer::default(), waiting_since: now, from: now }
    }

    /// `true` if the connection is one that others may have the place of: its client has nothing to say, and takes no
    /// rest of a response.
    fn is_idle_in_a_crowd(&self) -> bool {
        let waiting_since = self.client.connection.waiting_since.get();
        waiting_since.is_some_and(|since| since.max(self.from).elapsed() >= IDLE_IN_A_CROWD)
    }

    /// Ready when it has taken too long.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.client.connection.waiting_since.get() else { return Poll::Pending };
        let taken = self.client.taken.take();
        if self.waiting_since != since {
            // What was taken until now was so about then: the clock need not be asked.
            (self.waiting_since, self.from) = (since, since);
        } else if taken {
            self.from = self.client.last_of_rest(since, Instant::now());
        }
        self.timer.poll_until(cx, (self.from + self.limit).into())
    }
}

/// Runs `serving` until it ends; `None` if its client takes too long before, or the process has reached `end`.
///
/// The process's life is looked at once, which leaves the task's waker there, and then only when it has changed: a
/// connection is polled several times for each request.
async fn while_alive<C>(
    mut serving: Pin<&mut C>,
    mut head_limit: Option<HeadLimit>,
    life: &mut tokio::sync::watch::Receiver<Life>,
    end: Life,
) -> Option<hyper::Result<()>>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut changes = life.clone();
    let mut reached = pin!(life.wait_for(|life| *life >= end));
    let mut looked = false;
    let mut waker: Option<TaskWaker> = None;
    poll_fn(|cx| {
        let waker = waker.get_or_insert_with(|| TaskWaker::new(cx.waker())).following(cx.waker());
        if let Poll::Ready(ended) = serving.as_mut().poll(&mut Context::from_waker(waker)) {
            return Poll::Ready(Some(ended));
        }
        if head_limit.as_mut().is_some_and(|limit| limit.poll_passed(cx).is_ready()) {
            return Poll::Ready(None);
        }
        if looked && !changes.has_changed().unwrap_or(true) {
            return Poll::Pending;
        }
        looked = true;
        let is_crowded = *changes.borrow_and_update() == Life::Crowded;
        if is_crowded && head_limit.as_ref().is_some_and(HeadLimit::is_idle_in_a_crowd) {
            return Poll::Ready(None);
        }
        reached.as_mut().poll(cx).map(|_| None)
    })
    .await
}
