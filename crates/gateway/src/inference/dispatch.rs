//! One call to a provider: shape the body, send it, and answer whole or as a stream, as [`Arrival`] decides.

use std::rc::Rc;

use http::StatusCode;
use llm::UsageChunk;

use super::answer_head::{is_retryable, remove_validators};
use super::arrival::{AnswerHead, Arrival, Wanted};
use super::attempt::send;
use super::backend::Backend;
use super::passed;
use super::request::{Prepared, missing_call, prepare};
use super::retelling::Retelling;
use super::stream::Reading;
use super::streamed::start_stream;
use super::whole::whole_answer;
use crate::answer::{Answer, ResponseHead};
use crate::content_coding::{Coding, Encoding};
use crate::delivery::Source;
use crate::error_response::ErrorResponse;
use crate::exchange::Exchange;
use crate::settlement::Outcome;
use crate::transport::UpstreamBody;
use crate::worker::Worker;

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
    let (mut head, body) = send(worker, backend, exchange, retelling.client(), request).await?;
    retelling.retell_limits(&mut head.headers);
    let encoding = Encoding::of(&head.headers);
    let call = exchange.llm.as_ref().ok_or_else(missing_call)?;
    let wanted = Wanted::of(call, retelling.client_form());
    let arrival = Arrival::of(&AnswerHead { status: head.status, headers: &head.headers, encoding }, wanted);
    if !retelling.keeps_bytes() {
        remove_validators(&mut head.headers);
    }
    let coding = encoding.coding();
    // Of coded bytes nothing can be taken out.
    let usage = if coding.is_some() { UsageChunk::Forward } else { usage };
    let source = match arrival {
        Arrival::Streamed(reading) => {
            let answer = ProviderAnswer { body, usage, reading, coding, retelling };
            Source::Llm(start_stream(backend, exchange, answer, &mut head.headers).await?)
        }
        Arrival::Whole(reading) => {
            let answer = ProviderAnswer { body, usage, reading, coding, retelling };
            whole_answer(backend, exchange, answer, &mut head).await?
        }
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
    send(worker, backend, exchange, None, request).await
}

/// A provider's answer behind its head.
pub(super) struct ProviderAnswer {
    pub body: UpstreamBody,
    pub usage: UsageChunk,
    pub reading: Reading,
    pub coding: Option<Coding>,
    pub retelling: Retelling,
}
