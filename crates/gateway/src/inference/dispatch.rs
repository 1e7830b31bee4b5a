//! One call to a provider: shape the body, send it, and answer whole or as a stream, by the response's own type.

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, SET_COOKIE,
};
use http::{Method, StatusCode};
use http_body::Body as _;
use llm::{Protocol, ResponseFacts, Shaped, StreamFilter, StreamObserver, UsageChunk};

use super::backend::Backend;
use super::call::LlmCall;
use super::stream::LlmStream;
use crate::admission::remove_hop_by_hop;
use crate::answer::{Answer, ResponseHead};
use crate::credential;
use crate::delivery::Source;
use crate::exchange::{Exchange, ResponseSource};
use crate::settlement::AttemptRecord;
use crate::transport::{OutgoingBody, SendError, SendFailure, Sent, UpstreamBody};
use crate::worker::Worker;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers of providers are read whole up to this, unless the configuration says less.
const MAX_WHOLE_ANSWER_BYTES: u64 = 64 << 20;

/// Answer text kept for token estimates and payload logs, in bytes.
const MAX_KEPT_TEXT_BYTES: usize = 256 * 1024;

/// What the gateway itself told the request about the consumer; no provider's business.
const OWN_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-consumer-username"),
    HeaderName::from_static("x-credential-identifier"),
    HeaderName::from_static("x-consumer-custom-id"),
];

/// Calls `backend`.
///
/// # Errors
/// The answer for a call that brought no response that could be passed on.
pub async fn dispatch(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<(ResponseHead, Source), Answer> {
    let (request, hides_usage) = prepare(backend, exchange)?;
    begin_attempt(backend, exchange);
    let sent = match worker.pool.send(&backend.origin, request, &backend.timeout).await {
        Ok(sent) => sent,
        Err(SendFailure { error, .. }) => return Err(transport_failure(exchange, &error)),
    };
    let Sent { response, connect_time } = sent;
    let (parts, body) = response.into_parts();
    note_head(exchange, parts.status, connect_time);
    let head = response_head(&parts);
    let streams = is_stream(&head.headers);
    if streams && !is_retryable(parts.status) {
        return Ok((head, start_stream(backend, exchange, body, hides_usage)));
    }
    let whole = read_whole(backend, exchange, body).await?;
    note_answer(exchange, parts.status, &whole);
    Ok((head, Source::Full(whole)))
}

/// The request for the provider, and whether usage is asked for on the client's behalf only.
fn prepare(backend: &Backend, exchange: &mut Exchange) -> Result<(http::Request<OutgoingBody>, UsageChunk), Answer> {
    let protocol = exchange.llm.as_ref().map(|call| call.protocol).ok_or_else(missing_call)?;
    let query = exchange.request.uri.query().map(|query| credential::strip_query(query, exchange.credential_places()));
    let uri = backend.target(protocol, exchange.request.uri.path(), query.as_deref())?;
    let call = exchange.llm.as_mut().ok_or_else(missing_call)?;
    let Shaped { body, asked_usage, .. } = llm::shape_request(&call.scan, &backend.rules, protocol);
    if let Some(model) = &backend.fixed_model {
        call.model = model.as_str().into();
    }
    call.instance = backend.name.clone();
    call.log_summary = backend.log_summary;
    call.log_payload = backend.log_payload;
    let mut request = http::Request::new(OutgoingBody::Full(body));
    *request.method_mut() =
        if protocol == Protocol::Passthrough { exchange.request.method.clone() } else { Method::POST };
    *request.uri_mut() = uri;
    *request.headers_mut() = request_headers(backend, exchange);
    Ok((request, if asked_usage { UsageChunk::Hide } else { UsageChunk::Forward }))
}

/// Only admitted requests are dispatched to a provider.
fn missing_call() -> Answer {
    Answer::page(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The client's headers, but for those that concern its connection, the gateway or a credential of the gateway's;
/// over them the provider's credentials.
fn request_headers(backend: &Backend, exchange: &mut Exchange) -> HeaderMap {
    let keep = exchange.plan.global_chain().needs().merge(exchange.chain.needs()).headers;
    let mut headers =
        if keep { exchange.request.headers.clone() } else { std::mem::take(&mut exchange.request.headers) };
    remove_hop_by_hop(&mut headers);
    for name in [CONTENT_LENGTH, ACCEPT_ENCODING, EXPECT].iter().chain(&OWN_HEADERS) {
        headers.remove(name);
    }
    credential::strip_headers(&mut headers, exchange.credential_places());
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(HOST, backend.host.clone());
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    headers
}

fn begin_attempt(backend: &Backend, exchange: &mut Exchange) {
    let started = Instant::now();
    if let Some(call) = exchange.llm.as_mut() {
        call.attempt_started = Some(started);
    }
    exchange.settlement.attempts.push(AttemptRecord {
        address: backend.origin.address.clone(),
        host: backend.name.clone(),
        port: backend.origin.port,
        status: 0,
        connect_time: None,
        header_time: None,
        response_time: None,
        started,
    });
}

fn note_head(exchange: &mut Exchange, status: StatusCode, connect_time: Duration) {
    exchange.response.source = ResponseSource::Upstream;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.status = status.as_u16();
        attempt.connect_time = Some(connect_time);
        attempt.header_time = Some(attempt.started.elapsed());
    }
}

/// 504 where waiting was the fault, else 500, as APISIX answers.
fn transport_failure(exchange: &mut Exchange, error: &SendError) -> Answer {
    tracing::warn!(%error, "a provider could not be reached");
    failed_attempt(
        exchange,
        if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::INTERNAL_SERVER_ERROR },
    )
}

fn failed_attempt(exchange: &mut Exchange, status: StatusCode) -> Answer {
    exchange.response.source = ResponseSource::ProxyFailure;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.status = status.as_u16();
        attempt.response_time = Some(attempt.started.elapsed());
    }
    if let Some(call) = exchange.llm.as_mut() {
        call.provider_time = call.attempt_started.map(|started| started.elapsed());
    }
    Answer::page(status)
}

/// The provider's head for the client: rate-limit and request-id headers go along, cookies and lengths do not.
fn response_head(parts: &http::response::Parts) -> ResponseHead {
    let mut headers = parts.headers.clone();
    remove_hop_by_hop(&mut headers);
    for name in [CONTENT_LENGTH, SET_COOKIE] {
        headers.remove(name);
    }
    ResponseHead { status: parts.status, headers, replaced_body: None }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.contains("text/event-stream") || value.contains("application/vnd.amazon.eventstream")
}

/// Answers of these statuses are read whole, whatever their type.
fn is_retryable(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn start_stream(backend: &Backend, exchange: &mut Exchange, body: UpstreamBody, usage: UsageChunk) -> Source {
    let (protocol, started) = match exchange.llm.as_mut() {
        Some(call) => {
            call.answered = true;
            (call.protocol, call.attempt_started.unwrap_or_else(Instant::now))
        }
        None => (Protocol::Passthrough, Instant::now()),
    };
    let observer = StreamObserver::new(protocol).keep_text(MAX_KEPT_TEXT_BYTES);
    let filter = StreamFilter::new(observer, usage);
    let deadline = backend.max_stream_duration.map(|limit| started + limit);
    Source::Llm(Box::new(LlmStream::new(body, filter, started, deadline, backend.max_response_bytes)))
}

/// Reads an answer to its end.
async fn read_whole(backend: &Backend, exchange: &mut Exchange, mut body: UpstreamBody) -> Result<Bytes, Answer> {
    let limit = backend.max_response_bytes.unwrap_or(MAX_WHOLE_ANSWER_BYTES);
    let too_long = || Answer::text(StatusCode::BAD_GATEWAY, "max_response_bytes exceeded");
    if body.size_hint().lower() > limit {
        return Err(too_long());
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let data = match frame {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => {
                tracing::warn!(%error, "a provider's answer ended early");
                let timed_out = matches!(error, crate::transport::BodyFault::Idle(_));
                let status = if timed_out { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::INTERNAL_SERVER_ERROR };
                return Err(failed_attempt(exchange, status));
            }
        };
        exchange.settlement.upstream_bytes += data.len() as u64;
        if exchange.settlement.upstream_bytes > limit {
            return Err(too_long());
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Reads usage and the rest off a whole answer.
fn note_answer(exchange: &mut Exchange, status: StatusCode, body: &[u8]) {
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.response_time = Some(attempt.started.elapsed());
    }
    let Some(call) = exchange.llm.as_mut() else { return };
    let took = call.attempt_started.map(|started| started.elapsed());
    call.time_to_first_token = took;
    call.provider_time = took;
    if status.is_success() {
        read_facts(call, body);
    }
}

fn read_facts(call: &mut LlmCall, body: &[u8]) {
    let facts = ResponseFacts::read(call.protocol, body);
    call.answered = true;
    call.has_tool_calls = facts.has_tool_calls;
    call.finish_reason = facts.finish_reason.map(Into::into);
    if facts.usage.is_none() || call.log_payload {
        call.answer_text = llm::response_text(call.protocol, body);
    }
    call.usage = facts.usage;
}
