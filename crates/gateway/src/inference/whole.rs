//! A whole answer: read to its end, noted in the call, and told to the client in its own words. One that is longer than
//! what is kept goes on to a client that speaks as its provider does, unread. Invariant: what an answer has cost is
//! noted before it is translated, whatever the client can be told of it. Called by the dispatch.

use std::pin::Pin;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body::Body as _;
use llm::{Dialect, ErrorKind, Protocol, ResponseFacts, StreamFilter, StreamObserver, Usage, UsageChunk};

use super::answer_head::is_retryable;
use super::attempt::broken_answer;
use super::backend::Backend;
use super::call::LlmCall;
use super::dispatch::ProviderAnswer;
use super::fault::StreamFault;
use super::request::missing_call;
use super::retelling::{Retelling, told};
use super::stream::{Bounds, LlmStream, Reading};
use crate::answer::{Answer, ResponseHead};
use crate::called::Called;
use crate::content_coding::Coding;
use crate::delivery::Source;
use crate::exchange::Exchange;
use crate::transport::UpstreamBody;

/// So much of an answer is kept, unless the configuration says otherwise.
const MAX_KEPT_BYTES: u64 = 64 << 20;

const TOO_LONG: &str = "the provider's answer is longer than the 64 MiB that are translated";

/// An answer, as far as it has been read.
enum Read {
    Whole(Bytes),
    /// More than is kept.
    Longer {
        beginning: Bytes,
        rest: UpstreamBody,
    },
}

/// Reads an answer to its end, notes what it tells, and gives what the client gets.
pub(super) async fn whole_answer(
    backend: &Backend,
    exchange: &mut Exchange,
    answer: ProviderAnswer,
    head: &mut ResponseHead,
) -> Result<Source, Answer> {
    // The configured limit is about answers: it must not hide why a provider refused.
    let limit = backend.max_response_bytes.filter(|_| !is_retryable(head.status));
    let ProviderAnswer { body, reading, coding, retelling, .. } = answer;
    let read = read_whole(exchange, body, limit).await;
    match read.map_err(|fault| broken_answer(exchange, retelling.client(), fault))? {
        Read::Whole(whole) => {
            let kept = Kept { whole, reading, coding, at_most: limit.unwrap_or(MAX_KEPT_BYTES) };
            tell(exchange, kept, &retelling, head).map(Source::Full)
        }
        Read::Longer { beginning, rest } if retelling.keeps_bytes() => {
            note_time(exchange);
            let reading = reading.undecoded();
            let call = exchange.llm.as_mut().ok_or_else(missing_call)?;
            call.answered = reading == Reading::Hidden;
            let started = call.attempt_started.unwrap_or_else(Instant::now);
            let unread = StreamFilter::new(StreamObserver::new(Protocol::Passthrough), UsageChunk::Forward);
            let stream = LlmStream::new(rest, unread, started, Bounds::default(), reading);
            Ok(Source::Llm(Box::new(stream.behind(beginning))))
        }
        Read::Longer { .. } if !head.status.is_success() => {
            note_time(exchange);
            retelling.unread(head, Bytes::new()).map(Source::Full).map_err(|untold| untold.told(Called(exchange)))
        }
        Read::Longer { .. } => {
            note_time(exchange);
            // It has cost something, though nobody can say what.
            exchange.llm.iter_mut().for_each(|call| call.answered = true);
            tracing::warn!(called = %Called(exchange), kept = MAX_KEPT_BYTES, "a provider's answer is too long to be translated");
            Err(told(retelling.client().unwrap_or(Dialect::OpenAiChat), ErrorKind::Upstream, TOO_LONG))
        }
    }
}

/// An answer that has been read to its end.
struct Kept {
    whole: Bytes,
    reading: Reading,
    coding: Option<Coding>,
    /// So long it may become where it is coded.
    at_most: u64,
}

/// Notes what an answer tells, and gives it in the client's words.
fn tell(exchange: &mut Exchange, kept: Kept, retelling: &Retelling, head: &mut ResponseHead) -> Result<Bytes, Answer> {
    let Kept { whole, reading, coding, at_most } = kept;
    let protocol = exchange.llm.as_ref().map(|call| call.protocol).ok_or_else(missing_call)?;
    let (plain, reading) = match coding.map(|coding| coding.decode(&whole, at_most)) {
        None => (whole.clone(), reading),
        Some(Ok(plain)) => {
            if !retelling.keeps_bytes() {
                head.headers.remove(CONTENT_ENCODING);
            }
            (plain, reading)
        }
        Some(Err(error)) => {
            tracing::warn!(called = %Called(exchange), %error, "a provider's answer cannot be decoded");
            (whole.clone(), reading.undecoded())
        }
    };
    let taken = Taken { protocol, reading, headers: &head.headers };
    match (retelling, reading) {
        (Retelling::AsItIs, _) => {
            note_answer(exchange, taken, &plain);
            Ok(whole)
        }
        (Retelling::Translated(translation), Reading::Observed) => {
            // Before it is translated: it has cost what it has cost, whatever the client can be told of it.
            let (client, provider) = translation.dialects();
            note_answer(exchange, Taken { protocol: provider.protocol(), ..taken }, &plain);
            retell_usage(exchange, provider.relative(), client);
            let (told, counted) = translation.answer(head, &plain).map_err(|untold| untold.told(Called(exchange)))?;
            if let Some(call) = exchange.llm.as_mut() {
                call.usage = counted.or(call.usage);
                call.usage.iter().for_each(|usage| translation.tell_counts(&mut head.headers, usage));
            }
            Ok(told)
        }
        (Retelling::Mapped(form), Reading::Observed) => {
            note_answer(exchange, Taken { reading: Reading::Opaque, ..taken }, &plain);
            let mapped = form.answer(&mut head.headers, &plain).map_err(|untold| untold.told(Called(exchange)))?;
            note_usage(exchange, mapped.usage);
            Ok(mapped.body.into())
        }
        (retelling, Reading::Hidden | Reading::Opaque) => {
            note_answer(exchange, taken, &plain);
            retelling.unread(head, plain).map_err(|untold| untold.told(Called(exchange)))
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

/// Reads `body`, of which `limit` bytes are allowed if the configuration says so.
async fn read_whole(exchange: &mut Exchange, mut body: UpstreamBody, limit: Option<u64>) -> Result<Read, StreamFault> {
    if limit.is_some_and(|limit| body.size_hint().lower() > limit) {
        return Err(StreamFault::Size);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let data = frame
            .inspect_err(|error| tracing::warn!(called = %Called(exchange), %error, "a provider's answer ended early"))?
            .into_data()
            .unwrap_or_default();
        exchange.settlement.upstream_bytes += data.len() as u64;
        if limit.is_some_and(|limit| exchange.settlement.upstream_bytes > limit) {
            return Err(StreamFault::Size);
        }
        if first.is_empty() && whole.is_empty() {
            // Short answers come in one piece: keep it as it is.
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
        if limit.is_none() && whole.len() as u64 > MAX_KEPT_BYTES {
            return Ok(Read::Longer { beginning: whole.freeze(), rest: body });
        }
    }
    Ok(Read::Whole(if whole.is_empty() { first } else { whole.freeze() }))
}

/// Notes that the answer has come.
fn note_time(exchange: &mut Exchange) {
    let now = Instant::now();
    if let Some(attempt) = exchange.settlement.attempts.last_mut() {
        attempt.response_time = Some(now.saturating_duration_since(attempt.started));
    }
    let Some(call) = exchange.llm.as_mut() else { return };
    let took = call.attempt_started.map(|started| now.saturating_duration_since(started));
    call.time_to_first_token = took;
    call.provider_time = took;
}

/// Reads usage and the rest off a whole answer.
fn note_answer(exchange: &mut Exchange, taken: Taken<'_>, body: &[u8]) {
    note_time(exchange);
    let Some(call) = exchange.llm.as_mut() else { return };
    match taken.reading {
        Reading::Observed => read_facts(call, taken, body),
        Reading::Hidden => call.answered = true,
        Reading::Opaque => {}
    }
}

/// Usage of a whole answer is told in the arithmetic of the client's dialect, as in APISIX: that of its provider's own
/// numbers until the client's body is written, and then what that says.
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
