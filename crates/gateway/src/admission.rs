//! Admission: from what hyper parsed to an exchange that routing can trust. Headers that concern one connection
//! only are gone before any plugin runs, as is what the peer may not tell; there is one Host, the path is normal, the
//! client's address is known.

use std::net::IpAddr;
use std::rc::Rc;

use config::settings::NginxHttp;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};
use hyper::body::Incoming;
use ipnet::IpNet;

use crate::answer::Answer;
use crate::client_body::ClientBody;
use crate::connection::MAX_HEADERS;
use crate::early_bodies;
use crate::exchange::{Connection, Exchange, Request};
use crate::forwarded;
use crate::hop_by_hop::remove_from_request;
use crate::path::{NormalPath, is_host};
use crate::plan::{Plan, Unread};
use crate::request_body::{BodyError, RequestBody};
use crate::variables::reads::BodyReads;
use crate::worker::Worker;

/// The exchange of a request that has just arrived.
pub(crate) fn begin(worker: &Worker, connection: Rc<Connection>, incoming: http::Request<Incoming>) -> Box<Exchange> {
    connection.requests.set(connection.requests.get() + 1);
    connection.waiting_since.set(None);
    let (mut parts, body) = incoming.into_parts();
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    let body = RequestBody::new(ClientBody::new(body, &parts, &connection));
    let length = head_length(&parts);
    let has_too_many_headers = parts.headers.len() > MAX_HEADERS;
    if has_too_many_headers {
        // A map that is nearly full would panic where something is put into it.
        parts.headers.clear();
    }
    // The target names the host where it does (HTTP/2, absolute form): nothing else may.
    if let Some(authority) = parts.uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(host) {
            parts.headers.insert(HOST, host);
        }
    }
    let duplicated_host = parts.headers.get_all(HOST).iter().nth(1).is_some();
    let closes = asks_to_close(&parts);
    let is_coded = is_coded(&parts.headers);
    remove_from_request(&mut parts.headers);
    let overruled = forwarded::sanitize(&mut parts.headers, connection.forwards);
    let request = Request {
        length,
        duplicated_host,
        has_too_many_headers,
        is_coded,
        overruled,
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        path: NormalPath::AsSent,
    };
    let remote_addr = real_address(&connection, &request.headers, &worker.services.settings.nginx_config.http);
    let mut exchange = Exchange::new(connection, request, body, worker.plan.get());
    exchange.remote_addr = remote_addr;
    exchange.closes = closes;
    exchange.lend(&worker.pool);
    exchange.count(worker.services.metrics.traffic().request());
    exchange
}

/// `true` if the client says that nothing follows this request.
fn asks_to_close(parts: &http::request::Parts) -> bool {
    let Some(connection) = parts.headers.get(CONNECTION) else { return false };
    let mut items = connection.as_bytes().split(|byte| *byte == b',');
    parts.version == Version::HTTP_11 && items.any(|item| item.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// What awaits a request that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
    Open,
    /// Its route is set, and will refuse it for want of a credential.
    Refusal,
}

/// Refuses what no route should see. A body that decides which route it is, is read here, but not for strangers.
pub(crate) async fn admit(worker: &Worker, exchange: &mut Exchange) -> Result<Prospect, Answer> {
    let request = &exchange.request;
    if request.has_too_many_headers {
        return Err(Answer::page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    if request.method == Method::CONNECT || request.method == Method::TRACE {
        return Err(Answer::page(StatusCode::METHOD_NOT_ALLOWED));
    }
    let bad_request = || Answer::page(StatusCode::BAD_REQUEST);
    let bad_host = match request.headers.get(HOST) {
        Some(host) => !is_host(host.as_bytes()),
        None => request.version >= Version::HTTP_11,
    };
    let asterisk = request.uri.path() == "*" && request.method != Method::OPTIONS;
    // Only CONNECT may name a host and nothing else (RFC 9112, section 3.2.3).
    let bare_authority = request.uri.authority().is_some() && request.uri.scheme().is_none();
    if bad_host || request.duplicated_host || asterisk || bare_authority {
        return Err(bad_request());
    }
    if request.is_coded {
        return Err(Answer::page(StatusCode::NOT_IMPLEMENTED));
    }
    let rules = &worker.services.settings.apisix;
    exchange.request.path = NormalPath::by_rules(&request.uri, rules).map_err(|_| bad_request())?;
    if !has_proved_itself(exchange) {
        return Err(bad_request());
    }
    check_length(worker, exchange)?;
    if is_read_for_routing(worker, exchange) {
        let unread = if takes_room(exchange) { Plan::route_unread(exchange) } else { Unread::Open };
        match unread {
            Unread::Decided => {}
            Unread::Open => read_body(worker, exchange).await?,
            Unread::Refused(route) => {
                exchange.route = Some(route);
                return Ok(Prospect::Refusal);
            }
        }
    }
    Ok(Prospect::Open)
}

/// `true` if the body has another transfer coding than `chunked`, or that one twice. The headers go, and with them
/// would go what the upstream must know to read it (RFC 9112, section 6.1).
fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next();
    first.is_some_and(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
}

/// HTTP/2 clients may send each cookie in a field of its own; everybody else knows only one field (RFC 9113, section
/// 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for field in std::iter::once(second).chain(fields) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(field.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

/// `false` if the host, or the name in the handshake, wants a certificate that the client has not shown.
fn has_proved_itself(exchange: &Exchange) -> bool {
    let Some(tls) = &exchange.connection.tls else { return true };
    let request = &exchange.request;
    exchange.plan.certificates().admit(&request.host(), request.path(), tls)
}

/// Reads the whole body ahead of the phase that needs it.
pub(crate) async fn read_body(worker: &Worker, exchange: &mut Exchange) -> Result<(), Answer> {
    let mut share = worker.early_bodies.share();
    let idle = worker.client_body_timeout();
    let read = exchange.body.read_while(worker.max_buffered_body(), idle, |size| share.grow(size)).await;
    exchange.request.length += read.map_err(refused_body)?.len() as u64;
    Ok(())
}

/// The answer for a body that could not be read.
pub(crate) fn refused_body(error: BodyError) -> Answer {
    Answer::page(match error {
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
        BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        BodyError::Broken | BodyError::Sent => StatusCode::BAD_REQUEST,
    })
}

fn check_length(worker: &Worker, exchange: &Exchange) -> Result<(), Answer> {
    let limit = worker.services.settings.nginx_config.http.client_max_body_size;
    if limit > 0 && announced_length(exchange).is_some_and(|length| length > limit) {
        return Err(Answer::page(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(())
}

/// `true` if reading the body takes a share of the room for early ones, or may. Strangers' are refused unread; shorter
/// bodies are not worth a look at who sends them.
pub(crate) fn takes_room(exchange: &Exchange) -> bool {
    matches!(exchange.body, RequestBody::Stream(_))
        && announced_length(exchange).is_none_or(|length| length > early_bodies::FREE)
}

pub(crate) fn announced_length(exchange: &Exchange) -> Option<u64> {
    exchange.request.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `true` if a route's conditions look for something that the body may hold. It is read up to the bound, and bare text
/// only up to what may be a GraphQL document; other requests go on streaming.
fn is_read_for_routing(worker: &Worker, exchange: &Exchange) -> bool {
    const LONGEST_TEXT: u64 = 1 << 20;
    let length = || announced_length(exchange);
    match exchange.plan.reads_bodies() {
        BodyReads::Nothing => false,
        _ if has_fields(exchange) => length().is_none_or(|length| length <= worker.max_buffered_body()),
        BodyReads::Fields => false,
        BodyReads::Text => length().is_some_and(|length| length <= LONGEST_TEXT.min(worker.max_buffered_body())),
    }
}

/// `true` for the types of bodies that have fields.
fn has_fields(exchange: &Exchange) -> bool {
    const TYPES: [&[u8]; 3] = [b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data"];
    let value = exchange.request.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    TYPES.iter().any(|kind| value.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)))
}

/// The bytes of the request line and headers, as they stood on the wire.
fn head_length(parts: &http::request::Parts) -> u64 {
    let line = parts.method.as_str().len() + parts.uri.path_and_query().map_or(1, |path| path.as_str().len()) + 12;
    (line + headers_length(&parts.headers) + 2) as u64
}

/// The bytes of header lines as HTTP/1.1 writes them.
pub(crate) fn headers_length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// nginx's realip: the address that a trusted peer tells, else the peer's own.
fn real_address(connection: &Connection, headers: &HeaderMap, http: &NginxHttp) -> IpAddr {
    let peer = connection.peer.ip().to_canonical();
    if !connection.real_ip_is_trusted {
        return peer;
    }
    let lines = headers.get_all(http.real_ip_header.as_str()).iter().filter_map(|value| value.to_str().ok());
    let told: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut found = peer;
    for text in told.into_iter().rev() {
        let Some(address) = address_of(text) else { break };
        found = address;
        if !http.real_ip_recursive || !is_in(&http.real_ip_from, address) {
            break;
        }
    }
    found
}

/// An address, perhaps with a port behind it.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = || crate::path::without_port(text).trim_matches(['[', ']']).parse().ok();
    text.parse().ok().or_else(bare)
}

/// `true` if `address` lies in one of `networks`.
pub(crate) fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
