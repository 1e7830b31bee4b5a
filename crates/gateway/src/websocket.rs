//! WebSocket: the client's upgrade is repeated at the upstream; once both have switched, bytes go both ways until
//! either side closes or nothing moves for the read timeout.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answer::{Answer, ResponseHead};
use crate::balance::TriedSet;
use crate::delivery::{self, Delivery, Source};
use crate::exchange::{Exchange, ResponseSource};
use crate::pipeline::before_proxy;
use crate::proxy::{self, ForwardHead};
use crate::transport::OutgoingBody;
use crate::worker::Worker;

const COPY_BUFFER_BYTES: usize = 8 * 1024;

/// The client's side of an upgrade to WebSocket, if the request asks for one.
pub fn take_upgrade(request: &mut http::Request<Incoming>) -> Option<OnUpgrade> {
    let asks = request.version() == Version::HTTP_11
        && request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    asks.then(|| hyper::upgrade::on(request))
}

/// Dispatches an upgrade request.
pub async fn tunnel(worker: Rc<Worker>, mut exchange: Box<Exchange>, client: OnUpgrade) -> http::Response<Delivery> {
    if let Some(answer) = before_proxy(&mut exchange) {
        return delivery::answer(exchange, answer);
    }
    match open(&worker, &mut exchange).await {
        Ok(response) => switch(exchange, response, client),
        Err(answer) => {
            exchange.response.source = ResponseSource::ProxyFailure;
            delivery::answer(exchange, answer)
        }
    }
}

/// The upstream's answer to the upgrade.
struct Opened {
    response: http::Response<Incoming>,
    read_timeout: Duration,
}

async fn open(worker: &Rc<Worker>, exchange: &mut Exchange) -> Result<Opened, Answer> {
    let bad_gateway = || Answer::page(StatusCode::BAD_GATEWAY);
    let upstream = proxy::choose_upstream(exchange)?;
    let timeout = proxy::timeouts(exchange, &upstream);
    let at = upstream.pick(upstream.hash_key(exchange).as_deref(), &TriedSet::new()).ok_or_else(bad_gateway)?;
    let node = &upstream.nodes[at];
    proxy::begin_attempt(exchange, node);
    let upgrade = exchange.request.headers.get(UPGRADE).cloned();
    let forward = ForwardHead::take(exchange);
    let host = forward.host(exchange, &upstream, node);
    let (method, uri, mut headers) = forward.into_parts();
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, upgrade.unwrap_or(HeaderValue::from_static("websocket")));
    let mut request = http::Request::new(OutgoingBody::Empty);
    *request.method_mut() = method;
    *request.uri_mut() = uri.map_err(|_| Answer::page(StatusCode::BAD_REQUEST))?;
    *request.headers_mut() = headers;
    let failed = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, upstream = &*upstream.key, "a WebSocket could not be opened");
    };
    let io = worker.pool.dial_exclusive(&node.origin, timeout.connect).await.map_err(|error| {
        failed(&error);
        bad_gateway()
    })?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io)).await;
    let (mut sender, connection) = handshake.map_err(|error| {
        failed(&error);
        bad_gateway()
    })?;
    tokio::task::spawn_local(connection.with_upgrades());
    let answered = tokio::time::timeout(timeout.read, sender.send_request(request)).await;
    let response = answered.map_err(|_| Answer::page(StatusCode::GATEWAY_TIMEOUT))?.map_err(|error| {
        failed(&error);
        bad_gateway()
    })?;
    exchange.response.source = ResponseSource::Upstream;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.status = response.status().as_u16();
        attempt.header_time = Some(attempt.started.elapsed());
    }
    Ok(Opened { response, read_timeout: timeout.read })
}

/// Passes the upstream's 101 on and starts the tunnel; any other answer ends the request.
fn switch(exchange: Box<Exchange>, opened: Opened, client: OnUpgrade) -> http::Response<Delivery> {
    let Opened { mut response, read_timeout } = opened;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let mut headers = std::mem::take(response.headers_mut());
        crate::admission::remove_hop_by_hop(&mut headers);
        let head = ResponseHead { status: response.status(), headers, replaced_body: None };
        return delivery::deliver(exchange, head, Source::Empty);
    }
    let upstream = hyper::upgrade::on(&mut response);
    let head = ResponseHead {
        status: StatusCode::SWITCHING_PROTOCOLS,
        headers: std::mem::take(response.headers_mut()),
        replaced_body: None,
    };
    tokio::task::spawn_local(async move {
        match (client.await, upstream.await) {
            (Ok(client), Ok(upstream)) => relay(client, upstream, read_timeout).await,
            (Err(error), _) | (_, Err(error)) => tracing::debug!(%error, "a WebSocket did not come about"),
        }
    });
    delivery::deliver(exchange, head, Source::Empty)
}

/// Copies bytes both ways until one side ends or neither says anything for `idle`.
async fn relay(client: Upgraded, upstream: Upgraded, idle: Duration) {
    let (mut client_read, mut client_write) = tokio::io::split(TokioIo::new(client));
    let (mut upstream_read, mut upstream_write) = tokio::io::split(TokioIo::new(upstream));
    let moved = std::cell::Cell::new(Instant::now());
    let up = copy(&mut client_read, &mut upstream_write, &moved);
    let down = copy(&mut upstream_read, &mut client_write, &moved);
    let watch = async {
        while moved.get().elapsed() < idle {
            tokio::time::sleep_until((moved.get() + idle).into()).await;
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
        () = watch => {}
    }
}

async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    moved: &std::cell::Cell<Instant>,
) {
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    while let Ok(length) = from.read(&mut buffer).await {
        moved.set(Instant::now());
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
