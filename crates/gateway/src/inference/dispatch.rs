//! One call to a provider: shape the body, send it, and answer whole or as a stream, by the response's own type.

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, SET_COOKIE};
use http_body::Body as _;
use llm::{AnswerKind, Dialect, Protocol, ResponseFacts, StreamFilter, StreamObserver, Usage, UsageChunk};

use super::answer_head::{is_stream, names_no_form, reading, remove_validators};
use super::backend::Backend;
use super::call::LlmCall;
use super::fault::StreamFault;
use super::passed;
use super::request::{Prepared, missing_call, prepare};
use super::retelling::{self, Retelling};
use super::stream::{Bounds, LlmStream, Reading};
use crate::admission::remove_hop_by_hop;
use crate::answer::{Answer, ResponseHead};
use crate::content_coding::{Coding, Encoding};
use crate::delivery::Source;
use crate::error_response::ErrorResponse;
use crate::exchange::{Exchange, ResponseSource};
use crate::proxy::refuse_client;
use crate::request_body::RequestBody;
use crate::settlement::{AttemptRecord, Outcome};
use crate::transport::{OutgoingBody, SendError, SendFailure, Sent, UpstreamBody};
use crate::worker::Worker;

/// Answers of providers are read whole up to this, unless the configuration says less.
const MAX_WHOLE_ANSWER_BYTES: u64 = 64 << 20;

/// Answer text kept for payload logs, in bytes.
const MAX_LOGGED_TEXT_BYTES: usize = 256 * 1024;

/// Answer text kept for token estimates, in bytes; a longer text is counted in proportion.
const MAX_COUNTED_TEXT_BYTES: usize = 8 * 1024;

/// Calls `backend`.
///
/// # Errors
/// The answer for a call that brought no response that could be passed on.
pub async fn dispatch(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<(ResponseHead, Source), Answer> {
    // What it ends as if it is dropped while it waits: then its client has left.
    exchange.settlement.outcome = Outcome::ClientGone;
    let answered = call(worker, backend, exchange).await;
    exchange.settlement.outcome = Outcome::Aborted;
    match &backend.error_response {
        Some(error_response) => hide_refusal(error_response, exchange, answered),
        None => answered,
    }
}

/// `_meta.error_response` in the place of a refusal's body, the gateway's own or the provider's. The provider's status
/// decides, whatever the client's dialect makes of it.
fn hide_refusal(
    error_response: &ErrorResponse,
    exchange: &Exchange,
    answered: Result<(ResponseHead, Source), Answer>,
) -> Result<(ResponseHead, Source), Answer> {
    let told = exchange.settlement.attempts.last().and_then(|attempt| StatusCode::from_u16(attempt.status).ok());
    match answered {
        Ok((mut head, _)) if is_retryable(told.unwrap_or(head.status)) => {
            let body = error_response.replace_body(&mut head);
            Ok((head, Source::Full(body)))
        }
        Ok(passed) => Ok(passed),
        Err(answer) => Err(error_response.dress(answer)),
    }
}

async fn call(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<(ResponseHead, Source), Answer> {
    let unread = exchange.llm.as_ref().is_some_and(|call| call.unread().is_some());
    let Prepared { request, usage, retelling } = match unread {
        true => Box::pin(passed::prepare(worker, backend, exchange)).await?,
        false => prepare(backend, exchange)?,
    };
    let (mut head, body) = send(worker, backend, exchange, request).await?;
    retelling.retell_limits(&mut head.headers);
    let encoding = Encoding::of(&head.headers);
    let in_pieces = passes_in_pieces(exchange, &head);
    let reading = if in_pieces { Reading::Opaque } else { reading(head.status, encoding) };
    if !retelling.keeps_bytes() {
        remove_validators(&mut head.headers);
    }
    let arrays = retelling.keeps_bytes() && reading == Reading::Observed && array_streams(exchange);
    let tells_stream = retelling.keeps_bytes() || (retelling.may_stream() && reading == Reading::Observed);
    let asked = !retelling.keeps_bytes() && exchange.llm.as_ref().is_some_and(|call| call.stream);
    let comes = is_stream(&head.headers) || (asked && names_no_form(&head.headers));
    let streams = (comes && tells_stream) || arrays || in_pieces;
    let coding = encoding.coding();
    // Of coded bytes nothing can be taken out.
    let usage = if coding.is_some() { UsageChunk::Forward } else { usage };
    let answer = ProviderAnswer { body, usage, reading, coding, retelling };
    let source = if streams && !is_retryable(head.status) {
        Source::Llm(start_stream(backend, exchange, answer, &mut head.headers).await?)
    } else {
        Source::Full(whole_answer(backend, exchange, answer, &mut head).await?)
    };
    Ok((head, source))
}

/// Asks the provider to switch to WebSocket. An answer that is no switch is the client's to see.
///
/// # Errors
/// The answer for a request that brought no response.
pub async fn open_tunnel(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
) -> Result<(ResponseHead, UpstreamBody), Answer> {
    let Prepared { request, .. } = passed::prepare(worker, backend, exchange).await?;
    send(worker, backend, exchange, request).await
}

/// Sends `request` with the provider's credentials.
async fn send(
    worker: &Rc<Worker>,
    backend: &Backend,
    exchange: &mut Exchange,
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
        Err(SendFailure { error, .. }) => return Err(transport_failure(exchange, &error)),
    };
    let Sent { response, connect_time, peer, sent_bytes } = sent;
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.peer = peer;
        attempt.sent_bytes = sent_bytes;
    }
    let (parts, body) = response.into_parts();
    note_head(exchange, parts.status, connect_time);
    Ok((response_head(parts), body))
}

/// A provider's answer behind its head.
struct ProviderAnswer {
    body: UpstreamBody,
    usage: UsageChunk,
    reading: Reading,
    coding: Option<Coding>,
    retelling: Retelling,
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
    if let Some(fault) = error.client_fault() {
        return refuse_client(exchange, fault);
    }
    tracing::warn!(%error, "a provider could not be reached");
    let status = if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::INTERNAL_SERVER_ERROR };
    note_failure(exchange, status);
    Answer::page(status)
}

/// The answer for a response that broke off before any of it was passed on.
fn broken_answer(exchange: &mut Exchange, fault: StreamFault) -> Answer {
    note_failure(exchange, fault.status());
    fault.answer()
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

/// The provider's head for the client: rate-limit and request-id headers go along, cookies and lengths do not.
fn response_head(parts: http::response::Parts) -> ResponseHead {
    let mut headers = parts.headers;
    remove_hop_by_hop(&mut headers);
    for name in [CONTENT_LENGTH, SET_COOKIE] {
        headers.remove(name);
    }
    ResponseHead { status: parts.status, headers, replaced_body: None }
}

/// The answer is not to be kept until it is whole: a recording, a film, a file; anything but JSON that tells usage.
fn passes_in_pieces(exchange: &Exchange, head: &ResponseHead) -> bool {
    let Some(call) = exchange.llm.as_ref() else { return false };
    let row = llm::endpoint(call.protocol);
    let tells_usage = || {
        let value = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        (is_stream(&head.headers) || value.contains("json")) && !row.usage_at.is_empty() && call.asks_model()
    };
    row.answer == AnswerKind::Any && !tells_usage()
}

/// Gemini streams as an array of JSON, whose type says nothing, to clients that do not ask for events.
fn array_streams(exchange: &Exchange) -> bool {
    exchange.llm.as_ref().is_some_and(|call| call.stream && call.protocol == Protocol::GeminiGenerate)
}

/// Answers of these statuses are read whole, whatever their type.
fn is_retryable(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// Waits for the first piece of a streamed answer; the rest follows on its way to the client.
async fn start_stream(
    backend: &Backend,
    exchange: &mut Exchange,
    answer: ProviderAnswer,
    headers: &mut HeaderMap,
) -> Result<Box<LlmStream>, Answer> {
    let ProviderAnswer { body, usage, reading, coding, retelling } = answer;
    let foreign_client = retelling.client();
    let call = exchange.llm.as_mut().ok_or_else(missing_call)?;
    call.answered = reading != Reading::Opaque;
    let started = call.attempt_started.unwrap_or_else(Instant::now);
    let kept = if call.log_payload { MAX_LOGGED_TEXT_BYTES } else { MAX_COUNTED_TEXT_BYTES };
    let filter = match (reading, retelling) {
        (Reading::Observed, Retelling::Translated(translation)) => {
            headers.remove(CONTENT_ENCODING);
            translation.stream(headers, kept)
        }
        (Reading::Observed, Retelling::AsItIs | Retelling::Mapped(_)) => {
            StreamFilter::new(StreamObserver::new(call.protocol).keep_text(kept), usage)
        }
        (Reading::Hidden | Reading::Opaque, _) => {
            StreamFilter::new(StreamObserver::new(Protocol::Passthrough), UsageChunk::Forward)
        }
    };
    let bounds = Bounds {
        deadline: backend.max_stream_duration.map(|limit| Box::pin(tokio::time::sleep_until((started + limit).into()))),
        max_bytes: backend.max_response_bytes,
    };
    let coding = coding.filter(|_| reading == Reading::Observed);
    let mut stream = Box::new(LlmStream::new(body, filter, started, bounds, reading).coded(coding));
    stream.begin(exchange).await.map_err(|fault| match foreign_client {
        None => broken_answer(exchange, fault),
        Some(client) => {
            note_failure(exchange, fault.status());
            retelling::told(client, fault.kind(), &fault.to_string())
        }
    })?;
    release_request(exchange);
    Ok(stream)
}

/// From the answer's first bytes on no other provider is asked, so that the request is not needed any more, unless
/// a log is to show it.
fn release_request(exchange: &mut Exchange) {
    let needs = exchange.plan.global_chain().needs().merge(exchange.chain.needs());
    if needs.request_body_bytes > 0 || needs.body_before_rewrite {
        return;
    }
    let Some(call) = exchange.llm.as_mut().filter(|call| !call.log_payload) else { return };
    call.release_body();
    exchange.body = RequestBody::Sent;
}

/// Reads an answer to its end and notes what it tells.
async fn whole_answer(
    backend: &Backend,
    exchange: &mut Exchange,
    answer: ProviderAnswer,
    head: &mut ResponseHead,
) -> Result<Bytes, Answer> {
    // The configured limit is about answers: it must not hide why a provider refused.
    let limit = backend.max_response_bytes.filter(|_| !is_retryable(head.status)).unwrap_or(MAX_WHOLE_ANSWER_BYTES);
    let whole = read_whole(exchange, answer.body, limit).await.map_err(|fault| broken_answer(exchange, fault))?;
    let protocol = exchange.llm.as_ref().map(|call| call.protocol).ok_or_else(missing_call)?;
    let (plain, reading) = match answer.coding.map(|coding| coding.decode(&whole, limit)) {
        None => (whole.clone(), answer.reading),
        Some(Ok(plain)) => {
            if !answer.retelling.keeps_bytes() {
                head.headers.remove(CONTENT_ENCODING);
            }
            (plain, answer.reading)
        }
        Some(Err(error)) => {
            tracing::warn!(%error, "a provider's answer cannot be decoded");
            (whole.clone(), answer.reading.undecoded())
        }
    };
    let taken = Taken { protocol, reading, headers: &head.headers };
    match (&answer.retelling, reading) {
        (Retelling::AsItIs, _) => {
            note_answer(exchange, taken, &plain);
            Ok(whole)
        }
        (Retelling::Translated(translation), Reading::Observed) => {
            // Before it is translated: it has cost what it has cost, whatever the client can be told of it.
            let (client, provider) = translation.dialects();
            note_answer(exchange, Taken { protocol: provider.protocol(), ..taken }, &plain);
            retell_usage(exchange, provider.relative(), client);
            let told = translation.answer(head, &plain)?;
            if let Some(usage) = exchange.llm.as_ref().and_then(|call| call.usage.as_ref()) {
                translation.tell_counts(&mut head.headers, usage);
            }
            Ok(told)
        }
        (Retelling::Mapped(form), Reading::Observed) => {
            note_answer(exchange, Taken { reading: Reading::Opaque, ..taken }, &plain);
            let mapped = form.answer(&mut head.headers, &plain)?;
            note_usage(exchange, mapped.usage);
            Ok(mapped.body.into())
        }
        (retelling, Reading::Hidden | Reading::Opaque) => {
            note_answer(exchange, taken, &plain);
            retelling.unread(head, plain)
        }
    }
}

/// How a whole answer is taken: what it speaks, whether that means anything, and the headers it came with.
#[derive(Clone, Copy)]
struct Taken<'a> {
    protocol: Protocol,
    reading: Reading,
    headers: &'a HeaderMap,
}

async fn read_whole(exchange: &mut Exchange, mut body: UpstreamBody, limit: u64) -> Result<Bytes, StreamFault> {
    if body.size_hint().lower() > limit {
        return Err(StreamFault::Size);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let data = frame
            .inspect_err(|error| tracing::warn!(%error, "a provider's answer ended early"))?
            .into_data()
            .unwrap_or_default();
        exchange.settlement.upstream_bytes += data.len() as u64;
        if exchange.settlement.upstream_bytes > limit {
            return Err(StreamFault::Size);
        }
        if first.is_empty() && whole.is_empty() {
            // Short answers come in one piece: keep it as it is.
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Reads usage and the rest off a whole answer.
fn note_answer(exchange: &mut Exchange, taken: Taken<'_>, body: &[u8]) {
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.response_time = Some(attempt.started.elapsed());
    }
    let Some(call) = exchange.llm.as_mut() else { return };
    let took = call.attempt_started.map(|started| started.elapsed());
    call.time_to_first_token = took;
    call.provider_time = took;
    match taken.reading {
        Reading::Observed => read_facts(call, taken, body),
        Reading::Hidden => call.answered = true,
        Reading::Opaque => {}
    }
}

/// Usage of a whole answer is told in the arithmetic of the client's dialect, as in APISIX.
fn retell_usage(exchange: &mut Exchange, provider: Dialect, client: Dialect) {
    if let Some(call) = exchange.llm.as_mut() {
        call.usage = call.usage.map(|usage| usage.retold(provider, client));
    }
}

/// Notes an answer that has no other facts.
fn note_usage(exchange: &mut Exchange, usage: Option<Usage>) {
    if let Some(call) = exchange.llm.as_mut() {
        call.answered = true;
        call.usage = usage;
    }
}

fn read_facts(call: &mut LlmCall, taken: Taken<'_>, body: &[u8]) {
    let Taken { protocol, headers, .. } = taken;
    let mut facts = ResponseFacts::read(protocol, body);
    let header = |name: &str| headers.get(name)?.to_str().ok();
    facts.usage = facts.usage.or_else(|| Usage::from_bedrock_headers(header));
    call.answered = true;
    call.has_tool_calls = facts.has_tool_calls;
    call.finish_reason = facts.finish_reason.map(Into::into);
    if (facts.usage.is_none() || call.log_payload)
        && let Some(text) = llm::response_text(protocol, body)
    {
        let whole_bytes = text.len() as u64;
        call.note_text(text, whole_bytes);
    }
    call.usage = facts.usage;
}
