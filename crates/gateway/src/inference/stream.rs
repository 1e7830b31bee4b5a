//! A streamed answer on its way to the client: every piece leaves when it arrives. A stream that breaks off ends in
//! its dialect's own error event, never as if it were whole.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::Body as _;
use llm::{ErrorKind, StreamEnd, StreamFilter};
use tokio::time::Sleep;

use crate::exchange::Exchange;
use crate::settlement::Outcome;
use crate::transport::UpstreamBody;

/// A provider's stream, filtered and watched.
pub struct LlmStream {
    body: UpstreamBody,
    filter: StreamFilter,
    started: Instant,
    deadline: Option<Pin<Box<Sleep>>>,
    max_bytes: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Streaming,
    /// Everything has been given out.
    Ended,
    /// What was learnt has been noted in the call.
    Finished,
}

impl LlmStream {
    pub(super) fn new(
        body: UpstreamBody,
        filter: StreamFilter,
        started: Instant,
        deadline: Option<Instant>,
        max_bytes: Option<u64>,
    ) -> Self {
        let deadline = deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        Self { body, filter, started, deadline, max_bytes, state: State::Streaming }
    }

    /// The next bytes for the client; `None` at the end.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) -> Poll<Option<Bytes>> {
        while self.state == State::Streaming {
            if let Some(deadline) = &mut self.deadline
                && deadline.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(self.break_off(exchange, "max_stream_duration_ms exceeded"));
            }
            let chunk = match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    tracing::warn!(%error, "a provider's stream broke off");
                    return Poll::Ready(self.break_off(exchange, "the provider's stream ended before its end"));
                }
                None => return Poll::Ready(self.end(exchange)),
            };
            self.note_chunk(exchange, chunk.len());
            if self.max_bytes.is_some_and(|limit| exchange.settlement.upstream_bytes > limit) {
                return Poll::Ready(self.break_off(exchange, "max_response_bytes exceeded"));
            }
            if let Some(out) = self.filter.push(chunk) {
                return Poll::Ready(Some(out));
            }
        }
        self.finish(exchange);
        Poll::Ready(None)
    }

    fn note_chunk(&self, exchange: &mut Exchange, length: usize) {
        exchange.settlement.upstream_bytes += length as u64;
        if let Some(call) = exchange.llm.as_mut()
            && call.time_to_first_token.is_none()
        {
            call.time_to_first_token = Some(self.started.elapsed());
        }
    }

    /// The provider's bytes have ended: well, or in the middle of the answer.
    fn end(&mut self, exchange: &mut Exchange) -> Option<Bytes> {
        match self.filter.observer().end() {
            StreamEnd::Complete => {}
            StreamEnd::InStreamError(message) => {
                if let Some(call) = exchange.llm.as_mut() {
                    call.stream_error = Some(message);
                }
            }
            StreamEnd::Cut => {
                tracing::warn!("a provider's stream ended without its end marker");
                return self.break_off(exchange, "the provider's stream ended before its end");
            }
        }
        self.state = State::Ended;
        let rest = self.filter.flush();
        if rest.is_none() {
            self.finish(exchange);
        }
        rest
    }

    /// Tells the client that the stream is broken.
    fn break_off(&mut self, exchange: &mut Exchange, message: &str) -> Option<Bytes> {
        exchange.settlement.outcome = Outcome::UpstreamCut;
        self.state = State::Ended;
        if let Some(call) = exchange.llm.as_mut() {
            call.stream_error = Some(message.to_owned());
        }
        let event = self.filter.error_event(ErrorKind::StreamCut, message);
        Some(event).filter(|event| !event.is_empty())
    }

    /// Notes in the call what was learnt of the stream; also called when the client leaves early.
    pub fn finish(&mut self, exchange: &mut Exchange) {
        if self.state == State::Finished {
            return;
        }
        self.state = State::Finished;
        let Some(call) = exchange.llm.as_mut() else { return };
        let observer = self.filter.observer();
        call.provider_time = Some(self.started.elapsed());
        call.has_tool_calls = observer.has_tool_calls();
        call.finish_reason = observer.finish_reason().map(Into::into);
        call.usage = observer.usage();
        if call.usage.is_none() || call.log_payload {
            call.answer_text = Some(observer.text().to_owned());
        }
    }
}
