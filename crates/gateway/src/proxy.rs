//! Dispatch to the route's upstream over HTTP: node by node until one answers.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use config::resource::Timeout;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{Method, StatusCode, Uri};

use crate::admission::{announced_length, read_body, refused_body};
use crate::answer::{Answer, ResponseHead};
use crate::balance::TriedSet;
use crate::called::Called;
use crate::exchange::{Exchange, ResponseSource};
use crate::forwarded;
use crate::headers;
use crate::health::Outcome as Health;
use crate::hop_by_hop::remove_from_answer;
use crate::pipeline::before_proxy;
use crate::plan::UpstreamRef;
use crate::plan::route::UpstreamChoice;
use crate::plan::upstream::{Node, Upstream};
use crate::request_body::RequestBody;
use crate::settlement::AttemptRecord;
use crate::transport::{ClientBodyFault, ClientStream, OutgoingBody, SendFailure, UpstreamBody, is_repeatable};
use crate::worker::Worker;

const X_UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-apisix-upstream-status");

/// Calls the upstream, on another node again where the configuration allows it.
pub async fn dispatch(worker: &Rc<Worker>, exchange: &mut Exchange) -> Result<(ResponseHead, UpstreamBody), Answer> {
    let upstream = choose_upstream(exchange)?;
    let timeout = timeouts(exchange, &upstream);
    let hash_key = upstream.hash_key(exchange);
    let mut forward: Option<ForwardHead> = None;
    let mut tried = TriedSet::new();
    let mut absent = TriedSet::new();
    let mut retries_left = upstream.retries;
    if retries_left > 0 {
        hold_body(worker, exchange).await?;
    }
    loop {
        // An only node is picked whether or not it was tried.
        let picked = upstream.pick(hash_key.as_deref(), &tried).filter(|at| !absent.contains(*at));
        let Some(at) = picked else {
            exchange.response.source = ResponseSource::ProxyFailure;
            // Where no node's name resolves, there are none.
            let nobody = exchange.settlement.attempts.is_empty();
            let status = if nobody { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
            return Err(failure(exchange, status));
        };
        tried.insert(at);
        let node = &upstream.nodes[at];
        begin_attempt(exchange, node);
        if let Some(answer) = before_proxy(exchange) {
            return Err(answer);
        }
        let forward = forward.get_or_insert_with(|| ForwardHead::take(exchange));
        let mut request = forward.request(worker, exchange, &upstream, node, retries_left > 0)?;
        let in_flight = upstream.balancer().begin(at);
        let named = node.named_origin(request.headers().get(HOST), &worker.services.origins);
        match worker.pool.send(named.as_ref().unwrap_or(&node.origin), &mut request, &timeout).await {
            Ok(sent) => {
                let (parts, body) = sent.response.into_parts();
                let record = end_attempt(exchange, parts.status.as_u16());
                record.connect_time = Some(sent.connect_time);
                record.peer = sent.peer;
                record.sent_bytes = sent.sent_bytes;
                record.head_bytes = sent.head_bytes;
                let now = Instant::now();
                let took = now.saturating_duration_since(record.started);
                record.header_time = Some(took);
                upstream.balancer().observe(at, took, now);
                report(&upstream, at, Health::Status(parts.status.as_u16()));
                exchange.response.source = ResponseSource::Upstream;
                // Held until the response is through.
                exchange.hold(in_flight);
                return Ok((response_head(exchange, worker, parts), body));
            }
            Err(SendFailure { error, is_unsent }) => {
                if let Some(fault) = error.client_fault() {
                    return Err(refuse_client(exchange, fault));
                }
                tracing::warn!(called = %Called(exchange), %error, upstream = &*upstream.key, "an attempt failed");
                if error.is_unresolved() {
                    // As if the node were not there: neither an attempt nor a retry.
                    absent.insert(at);
                    exchange.settlement.attempts.pop();
                    forward.take_back(exchange, request);
                    continue;
                }
                let status = if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
                let record = end_attempt(exchange, status.as_u16());
                record.response_time = Some(record.started.elapsed());
                report(&upstream, at, if error.is_timeout() { Health::Timeout } else { Health::TcpFailure });
                if is_unsent {
                    forward.take_back(exchange, request);
                }
                let repeatable = is_unsent || forward.can_repeat(exchange);
                let started = exchange.settlement.attempts.first().map(|attempt| attempt.started);
                let spent = started.map(|started| started.elapsed()).unwrap_or_default();
                let in_time = upstream.retry_timeout.is_none_or(|limit| spent < limit);
                let again = retries_left > 0 && repeatable;
                if !(again && in_time) {
                    exchange.response.source = ResponseSource::ProxyFailure;
                    // A try for which there is no time left fails by itself, however the last one ended.
                    let status = if again { StatusCode::BAD_GATEWAY } else { status };
                    return Err(failure(exchange, status));
                }
                retries_left -= 1;
            }
        }
    }
}

/// Reads a small body ahead where the method allows that the request goes out again. One of unknown length is not
/// waited for: its client may wait for what the upstream makes of its beginning.
async fn hold_body(worker: &Worker, exchange: &mut Exchange) -> Result<(), Answer> {
    /// Larger bodies are passed on as they come, and go out once.
    const LARGEST: u64 = 64 << 10;
    /// For as long as this a body of unknown length that is on its way is read.
    const ON_ITS_WAY: Duration = Duration::from_millis(100);
    let is_stream = matches!(exchange.body, RequestBody::Stream(_));
    if !is_stream || !is_repeatable(exchange.forward.method.as_ref().unwrap_or(&exchange.request.method)) {
        return Ok(());
    }
    match announced_length(exchange) {
        Some(length) if length <= LARGEST => read_body(worker, exchange).await,
        Some(_) => Ok(()),
        None => {
            let largest = LARGEST.min(worker.max_buffered_body()) as usize;
            exchange.body.read_if_short(largest, ON_ITS_WAY).await.map_err(refused_body)?;
            if let RequestBody::Buffered(body) = &exchange.body {
                exchange.request.length += body.len() as u64;
            }
            Ok(())
        }
    }
}

/// The upstream for this request: a plugin's choice, the route's, the service's.
fn choose_upstream(exchange: &Exchange) -> Result<UpstreamRef, Answer> {
    if let Some(upstream) = &exchange.upstream {
        return with_nodes(UpstreamRef::Chosen(upstream.clone()));
    }
    let unavailable = || Answer::page(StatusCode::SERVICE_UNAVAILABLE);
    let route = &exchange.route.as_ref().ok_or_else(unavailable)?.route;
    match UpstreamRef::of_route(route) {
        Some(upstream) => with_nodes(upstream),
        None if matches!(route.upstream, UpstreamChoice::Missing) => Err(Answer::page(StatusCode::BAD_GATEWAY)),
        None => Err(unavailable()),
    }
}

fn with_nodes(upstream: UpstreamRef) -> Result<UpstreamRef, Answer> {
    if upstream.nodes.is_empty() {
        return Err(Answer::page(StatusCode::SERVICE_UNAVAILABLE));
    }
    Ok(upstream)
}

/// The route's timeouts, else the upstream's.
fn timeouts(exchange: &Exchange, upstream: &Upstream) -> Timeout {
    exchange.route.as_ref().and_then(|matched| matched.route.timeout).unwrap_or(upstream.timeout)
}

fn report(upstream: &Upstream, node: usize, outcome: Health) {
    if let Some(health) = &upstream.health {
        health.report(node, outcome);
    }
}

/// The client's body was at fault, not the upstream.
pub(crate) fn refuse_client(exchange: &mut Exchange, fault: &ClientBodyFault) -> Answer {
    exchange.settlement.attempts.pop();
    Answer::page(fault.status())
}

/// A failure page; the statuses of all attempts go along.
fn failure(exchange: &mut Exchange, status: StatusCode) -> Answer {
    match upstream_statuses(exchange) {
        Some(value) => Answer::page(status).with_header(X_UPSTREAM_STATUS, value),
        None => Answer::page(status),
    }
}

fn upstream_statuses(exchange: &Exchange) -> Option<HeaderValue> {
    let statuses: Vec<String> = exchange.settlement.attempts.iter().map(|attempt| attempt.status.to_string()).collect();
    HeaderValue::from_str(&statuses.join(", ")).ok().filter(|_| !statuses.is_empty())
}

/// Notes that an attempt on `node` begins.
fn begin_attempt(exchange: &mut Exchange, node: &Node) {
    exchange.settlement.begin_attempt(AttemptRecord {
        address: node.origin.address.clone(),
        host: node.host.clone(),
        peer: None,
        sent_bytes: None,
        head_bytes: 0,
        port: node.port,
        status: 0,
        connect_time: None,
        header_time: None,
        response_time: None,
        started: Instant::now(),
    });
}

fn end_attempt(exchange: &mut Exchange, status: u16) -> &mut AttemptRecord {
    let record = exchange.settlement.attempts.last_mut().expect("an attempt was begun");
    record.status = status;
    record
}

/// What of the upstream's head goes to the client.
fn response_head(exchange: &Exchange, worker: &Worker, parts: http::response::Parts) -> ResponseHead {
    let mut headers = parts.headers;
    if headers.contains_key(TRANSFER_ENCODING) {
        // A length beside it is not to be believed.
        headers.remove(CONTENT_LENGTH);
    }
    let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = if switches { headers.get(UPGRADE).cloned() } else { None };
    remove_from_answer(&mut headers);
    protocol.into_iter().for_each(|protocol| drop(headers.insert(UPGRADE, protocol)));
    let always = worker.services.settings.apisix.show_upstream_status_in_response_header;
    if (always || parts.status.is_server_error())
        && let Some(statuses) = upstream_statuses(exchange)
    {
        headers.insert(X_UPSTREAM_STATUS, statuses);
    }
    ResponseHead { status: parts.status, headers, replaced_body: None }
}

/// The head of the request that goes to the upstream; made once, then given a Host for each node.
struct ForwardHead {
    method: Method,
    uri: Result<Uri, http::uri::InvalidUri>,
    headers: HeaderMap,
    client_host: Option<HeaderValue>,
}

impl ForwardHead {
    /// Takes the client's headers (or a copy, where a log needs them) and makes them fit to be forwarded.
    fn take(exchange: &mut Exchange) -> Self {
        let keep = exchange.needs().headers;
        let client_host = exchange.request.headers.get(HOST).cloned().or_else(|| {
            exchange.request.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
        });
        let mut headers =
            if keep { exchange.request.headers.clone() } else { std::mem::take(&mut exchange.request.headers) };
        headers::remove(&mut headers, &http::header::EXPECT);
        frame(&mut headers, &exchange.body, &exchange.request.method);
        forwarded::add(&mut headers, exchange, client_host.as_ref());
        let uri = match &exchange.forward.uri {
            Some(uri) => Uri::try_from(uri.as_str()),
            None => Ok(exchange.request.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from)),
        };
        let method = exchange.forward.method.clone().unwrap_or_else(|| exchange.request.method.clone());
        Self { method, uri, headers, client_host }
    }

    /// The request for `node`; the head is used up unless it may be needed `again`.
    fn request(
        &mut self,
        worker: &Worker,
        exchange: &mut Exchange,
        upstream: &Upstream,
        node: &Node,
        again: bool,
    ) -> Result<http::Request<OutgoingBody>, Answer> {
        let uri = self.uri.as_ref().map_err(|_| Answer::page(StatusCode::BAD_REQUEST))?.clone();
        let again = again && self.can_repeat(exchange);
        let mut headers = if again { self.headers.clone() } else { std::mem::take(&mut self.headers) };
        let passed = exchange.forward.host.as_ref().or(self.client_host.as_ref());
        headers.insert(HOST, upstream.host_for(node, passed).clone());
        let mut request = http::Request::new(take_body(worker, exchange));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// `true` if the request may go out again after part of it was sent: its method allows that and its body is in
    /// memory.
    fn can_repeat(&self, exchange: &Exchange) -> bool {
        let repeatable = matches!(exchange.body, RequestBody::Empty | RequestBody::Buffered(_));
        repeatable && is_repeatable(&self.method)
    }

    /// Takes back a request of which nothing was sent.
    fn take_back(&mut self, exchange: &mut Exchange, request: http::Request<OutgoingBody>) {
        let (parts, body) = request.into_parts();
        self.headers = parts.headers;
        if let OutgoingBody::Stream(stream) = body {
            exchange.body = stream.into_body();
        }
    }
}

/// Says how the body is framed, where sending it would not say it by itself.
pub(crate) fn frame(headers: &mut HeaderMap, body: &RequestBody, method: &Method) {
    let coming = match body {
        RequestBody::Stream(incoming) => Some(incoming),
        RequestBody::Begun(begun) => Some(&begun.rest),
        RequestBody::Empty | RequestBody::Buffered(_) | RequestBody::Sent => None,
    };
    match body {
        _ if coming.is_some_and(|incoming| incoming.size_hint().exact().is_none()) => {
            // Without this a GET with a body of unknown length would lose it.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        RequestBody::Stream(_) | RequestBody::Begun(_) => {}
        RequestBody::Empty if [Method::POST, Method::PUT, Method::PATCH].contains(method) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        RequestBody::Buffered(bytes) => {
            // Read or replaced. Where nothing is told the length is written with what is sent.
            if let Some(told) = headers.get_mut(CONTENT_LENGTH) {
                *told = HeaderValue::from(bytes.len());
            }
        }
        RequestBody::Empty | RequestBody::Sent => drop(headers::remove(headers, &CONTENT_LENGTH)),
    }
}

/// The body to send; a stream is used up, bytes in memory stay for a next attempt.
pub(crate) fn take_body(worker: &Worker, exchange: &mut Exchange) -> OutgoingBody {
    if let RequestBody::Buffered(bytes) = &exchange.body {
        return OutgoingBody::Full(bytes.clone());
    }
    let (limit, idle) = (worker.services.settings.nginx_config.http.client_max_body_size, worker.client_body_timeout());
    let stream = match std::mem::replace(&mut exchange.body, RequestBody::Sent) {
        RequestBody::Stream(incoming) => ClientStream::new(incoming, limit, idle),
        RequestBody::Begun(begun) => ClientStream::begun(*begun, limit, idle),
        nothing => {
            exchange.body = nothing;
            return OutgoingBody::Empty;
        }
    };
    exchange.passed_body = Some(stream.passed());
    OutgoingBody::Stream(Box::new(stream))
}

/// An address as a header value.
pub(crate) fn address_text(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).expect("an IP address is a header value")
}
