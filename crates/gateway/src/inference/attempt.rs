//! One attempt at a provider: the request goes out, and what became of it is noted in the settlement's record. Called
//! by the dispatch; how the answer is taken is decided elsewhere.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{CONTENT_LENGTH, SET_COOKIE};
use llm::{ApiError, Dialect, ErrorKind};

use super::backend::Backend;
use super::fault::StreamFault;
use super::retelling;
use crate::answer::{Answer, ResponseHead};
use crate::called::Called;
use crate::exchange::{Exchange, ResponseSource};
use crate::hop_by_hop::remove_from_answer;
use crate::proxy::refuse_client;
use crate::settlement::AttemptRecord;
use crate::transport::{OutgoingBody, SendError, SendFailure, Sent, UpstreamBody};
use crate::worker::Worker;

/// Sends `request` with the provider's credentials. A `foreign_client` speaks another dialect than the provider.
pub(super) async fn send(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
    foreign_client: Option<Dialect>,
    mut request: http::Request<OutgoingBody>,
) -> Result<(ResponseHead, UpstreamBody), Answer> {
    if let Some(credentials) = &backend.credentials {
        Box::pin(credentials.authorise(backend.provider, &mut request)).await?;
    }
    // What `$upstream_uri` tells.
    exchange.forward.uri = Some(request.uri().path().to_owned());
    begin_attempt(backend, exchange);
    let sent = match worker.pool.send(&backend.origin, &mut request, &backend.timeout).await {
        Ok(sent) => sent,
        Err(SendFailure { error, .. }) => return Err(transport_failure(exchange, foreign_client, &error)),
    };
    let Sent { response, connect_time, peer, sent_bytes, head_bytes } = sent;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.peer = peer;
        attempt.sent_bytes = sent_bytes;
        attempt.head_bytes = head_bytes;
    }
    let (parts, body) = response.into_parts();
    note_head(exchange, parts.status, connect_time);
    Ok((response_head(parts), body))
}

/// The provider's head for the client: rate-limit and request-id headers go along, cookies and lengths do not.
fn response_head(parts: http::response::Parts) -> ResponseHead {
    let mut headers = parts.headers;
    remove_from_answer(&mut headers);
    for name in [CONTENT_LENGTH, SET_COOKIE] {
        headers.remove(name);
    }
    ResponseHead { status: parts.status, headers, replaced_body: None }
}

fn begin_attempt(backend: &Backend, exchange: &mut Exchange) {
    let started = Instant::now();
    if let Some(call) = exchange.llm.as_mut() {
        call.attempt_started = Some(started);
    }
    exchange.settlement.begin_attempt(AttemptRecord {
        address: backend.origin.address.clone(),
        host: backend.dialled_host.clone(),
        peer: None,
        sent_bytes: None,
        head_bytes: 0,
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

/// 504 where waiting was the fault, else 500, with the stock page as in APISIX; in its dialect for a `foreign_client`.
fn transport_failure(exchange: &mut Exchange, foreign_client: Option<Dialect>, error: &SendError) -> Answer {
    if let Some(fault) = error.client_fault() {
        return refuse_client(exchange, fault);
    }
    tracing::warn!(called = %Called(exchange), %error, "a provider could not be reached");
    let (status, kind) = match error.is_timeout() {
        true => (StatusCode::GATEWAY_TIMEOUT, ErrorKind::Timeout),
        false => (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Upstream),
    };
    note_failure(exchange, status);
    let Some(client) = foreign_client else { return Answer::page(status) };
    retelling::told_of(client, &ApiError { status: status.as_u16(), ..ApiError::new(kind, reason(error)) })
}

/// What a client is told of `error`: nothing of where the provider is.
fn reason(error: &SendError) -> &'static str {
    match error {
        SendError::Timeout => "the provider did not answer in time",
        SendError::Connect(_) if error.is_timeout() => "the provider could not be reached in time",
        SendError::Connect(_) => "the provider could not be reached",
        SendError::Broken(_) => "the connection to the provider broke before it answered",
    }
}

/// The answer for a response that broke off before any of it was passed on: as in APISIX, and in its dialect for a
/// `foreign_client`, who speaks another than the provider.
pub(super) fn broken_answer(exchange: &mut Exchange, foreign_client: Option<Dialect>, fault: StreamFault) -> Answer {
    note_failure(exchange, fault.status());
    match foreign_client {
        None => fault.answer(),
        Some(client) => retelling::told(client, fault.kind(), &fault.to_string()),
    }
}

fn note_failure(exchange: &mut Exchange, status: StatusCode) {
    exchange.response.source = ResponseSource::ProxyFailure;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.status = status.as_u16();
        attempt.response_time = Some(attempt.started.elapsed());
    }
    if let Some(call) = exchange.llm.as_mut() {
        call.provider_time = call.attempt_started.map(|started| started.elapsed());
        call.answered = false;
    }
}
