//! WebSocket and other protocols: the client's upgrade is repeated at the upstream or the provider, by the same
//! dispatch as any request. Once both have switched, the request goes on as a tunnel: its exchange lives, and its
//! limits hold, until the tunnel ends. An upstream that answers anything but a switch has its answer passed on.

mod protocols;
mod relay;

use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::{Method, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::answer::Answer;
use crate::delivery::{self, Delivery, Source};
use crate::exchange::{Dispatch, Exchange};
use crate::request_body::RequestBody;
use crate::settlement::Outcome;
use crate::transport::Switched;
use crate::worker::Worker;
use crate::{headers, inference, proxy};
use relay::{Ending, Moved};

/// What goes with a wish for `h2c` (RFC 7540, section 3.2.1).
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// The client's wish to go on in another protocol.
pub struct Upgrade {
    client: OnUpgrade,
    /// Its `Upgrade` header.
    protocol: HeaderValue,
    /// Its `Connection` header.
    connection: HeaderValue,
}

/// The upgrade that the request asks for, if it does and may. Most others that ask for a protocol also work without, so
/// that one with a body, behind which nobody could tell where the other protocol begins, asks for none but WebSocket.
///
/// Where a protocol is named that carries requests, none is asked for: in a tunnel no route, plugin or limit would see
/// them.
pub fn take_upgrade(request: &mut http::Request<Incoming>) -> Option<Upgrade> {
    let protocol = request.headers().get(UPGRADE)?.clone();
    if !protocols::carry_no_requests(request.headers()) {
        headers::remove(request.headers_mut(), &HTTP2_SETTINGS);
        return None;
    }
    let is_websocket = names(request.headers(), UPGRADE, "websocket");
    let may_switch = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && names(request.headers(), CONNECTION, "upgrade")
        && (is_websocket || request.body().is_end_stream());
    may_switch.then(|| Upgrade {
        connection: forwarded_connection(request.headers()),
        client: hyper::upgrade::on(request),
        protocol,
    })
}

/// The client's `Connection`, unless it names headers, which admission takes out: an upstream that did so as well would
/// lose what the gateway tells it.
fn forwarded_connection(headers: &HeaderMap) -> HeaderValue {
    const HARMLESS: [&str; 2] = ["upgrade", "keep-alive"];
    let is_harmless = |value: &&HeaderValue| {
        let mut items = value.to_str().unwrap_or_default().split(',').map(str::trim);
        items.all(|item| HARMLESS.iter().any(|harmless| item.eq_ignore_ascii_case(harmless)))
    };
    let only = headers.get(CONNECTION).filter(|_| headers.get_all(CONNECTION).iter().nth(1).is_none());
    only.filter(is_harmless).cloned().unwrap_or(HeaderValue::from_static("upgrade"))
}

impl Upgrade {
    /// `true` for WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
    }
}

/// `true` if `token` is in the list that is `header`'s value.
fn names(headers: &HeaderMap, header: HeaderName, token: &str) -> bool {
    let values = headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// Dispatches an upgrade request.
pub async fn tunnel(worker: Rc<Worker>, mut exchange: Box<Exchange>, upgrade: Upgrade) -> http::Response<Delivery> {
    if !matches!(exchange.body, RequestBody::Empty) {
        // Nobody could tell where the body ends and the tunnel begins.
        return delivery::answer(exchange, Answer::page(StatusCode::BAD_REQUEST));
    }
    let Upgrade { client, protocol, connection } = upgrade;
    exchange.request.headers.insert(CONNECTION, connection);
    exchange.request.headers.insert(UPGRADE, protocol);
    let opened = match exchange.dispatch.clone() {
        Dispatch::Upstream => proxy::dispatch(&worker, &mut exchange).await,
        Dispatch::Llm(backend) => inference::open_tunnel(&worker, &backend, &mut exchange).await,
    };
    let (mut head, mut body) = match opened {
        Ok(response) => response,
        Err(answer) => return delivery::answer(exchange, answer),
    };
    let Some(upstream) = body.take_upgrade() else {
        return delivery::deliver(exchange, head, Source::Upstream(body));
    };
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.entry(UPGRADE).or_insert(HeaderValue::from_static("websocket"));
    let response = delivery::switch(&mut exchange, head);
    let tunnel = Tunnel { exchange, client, upstream, idle: body.read_timeout(), life: worker.life.clone() };
    worker.spawn(tunnel.run());
    response
}

/// Two connections, the client's about to switch, and the request that they belong to.
struct Tunnel {
    exchange: Box<Exchange>,
    client: OnUpgrade,
    upstream: Switched,
    /// How long both may be silent.
    idle: Duration,
    life: tokio::sync::watch::Receiver<crate::worker::Life>,
}

impl Tunnel {
    async fn run(self) {
        let Self { mut exchange, client, upstream, idle, life } = self;
        let client = match client.await {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(%error, "a WebSocket did not come about");
                exchange.settlement.outcome = Outcome::ClientGone;
                return;
            }
        };
        let moved = Moved::default();
        let ending = relay::relay(client, upstream, &moved, idle, life).await;
        exchange.request.length += moved.up.get();
        if let Some(call) = exchange.llm.as_mut() {
            call.note_end();
        }
        let settlement = &mut exchange.settlement;
        settlement.upstream_bytes += moved.down.get();
        settlement.body_bytes_sent += moved.down.get();
        settlement.outcome = match ending {
            Ending::Closed => Outcome::Complete,
            Ending::Idle => Outcome::Idle,
            Ending::Cut => Outcome::Aborted,
        };
    }
}
