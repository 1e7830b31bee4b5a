//! A streamed answer on its way to the client: every piece leaves when it arrives. A stream that breaks off ends in
//! its dialect's own error event, or with the connection where there is none; never as if it were whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use llm::{ErrorKind, StreamEnd, StreamFilter};
use tokio::time::Sleep;

use super::fault::StreamFault;
use crate::called::Called;
use crate::content_coding::{Coding, Decoder};
use crate::delivery::Cut;
use crate::exchange::Exchange;
use crate::settlement::Outcome;
use crate::transport::UpstreamBody;

/// A provider's stream, filtered and watched.
pub struct LlmStream {
    /// `None` once nothing more is wanted of the provider. Dropping it early ends the call at once.
    body: Option<UpstreamBody>,
    filter: StreamFilter,
    /// Undoes the coding of bytes that are read.
    decoder: Option<Decoder>,
    /// The client gets coded bytes, into which nothing can be written.
    keeps_coding: bool,
    /// What has arrived while the client's head was held back.
    first: Option<Bytes>,
    started: Instant,
    bounds: Bounds,
    reading: Reading,
    /// Something was there for the client.
    has_passed: bool,
    /// The provider's bytes have ended, or cannot be read any further; what that is if something of the answer is
    /// missing.
    ending: Option<StreamFault>,
    /// What was learnt has been noted in the call.
    finished: bool,
}

/// How long and how large a stream may become.
#[derive(Default)]
pub(super) struct Bounds {
    pub deadline: Option<Pin<Box<Sleep>>>,
    pub max_bytes: Option<u64>,
}

/// Whether the stream's events mean anything to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// An answer in a known dialect.
    Observed,
    /// An answer that is coded so that nothing of it can be read: passed on, though it has cost something.
    Hidden,
    /// A refusal, or something that is no JSON: passed on and not looked at.
    Opaque,
}

impl Reading {
    /// The same, of bytes whose coding cannot be undone.
    pub fn undecoded(self) -> Self {
        match self {
            Reading::Observed | Reading::Hidden => Reading::Hidden,
            Reading::Opaque => Reading::Opaque,
        }
    }
}

impl LlmStream {
    /// `body`, the answer to an attempt that `started` then.
    pub(super) fn new(
        body: UpstreamBody,
        filter: StreamFilter,
        started: Instant,
        bounds: Bounds,
        reading: Reading,
    ) -> Self {
        Self {
            body: Some(body),
            filter,
            decoder: None,
            keeps_coding: false,
            first: None,
            started,
            bounds,
            reading,
            has_passed: false,
            ending: None,
            finished: false,
        }
    }

    /// The provider's bytes are coded so. Where the stream keeps its bytes, the client gets them so, too.
    #[must_use]
    pub(super) fn coded(mut self, coding: Option<Coding>) -> Self {
        self.keeps_coding = coding.is_some() && !self.filter.translates();
        self.decoder = coding.map(Decoder::new);
        self
    }

    /// `beginning` stands before the rest, and has been counted.
    #[must_use]
    pub(super) fn behind(mut self, beginning: Bytes) -> Self {
        self.first = Some(beginning);
        self.has_passed = true;
        self
    }

    /// Waits for the first bytes that the client will get. Nothing has been sent to it before, so that a failure
    /// can still become an answer.
    ///
    /// # Errors
    /// What went wrong before there was anything to send.
    pub(super) async fn begin(&mut self, exchange: &mut Exchange) -> Result<(), StreamFault> {
        self.first = std::future::poll_fn(|cx| self.poll_next(cx, exchange)).await?;
        Ok(())
    }

    /// The next bytes for the client; `None` at the end.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        Poll::Ready(match ready!(self.poll_next(cx, exchange)) {
            Ok(Some(chunk)) => Some(Ok(chunk)),
            Ok(None) => {
                self.finish(exchange);
                None
            }
            Err(fault) => Some(self.break_off(exchange, fault)),
        })
    }

    /// How much is to come: known where bytes pass that are not looked at.
    pub fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, Bytes::len) as u64;
        match (&self.body, self.reading) {
            (_, Reading::Observed | Reading::Hidden) => SizeHint::default(),
            (None, Reading::Opaque) => SizeHint::with_exact(first),
            (Some(body), Reading::Opaque) => {
                let rest = body.size_hint().exact();
                rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(first + rest))
            }
        }
    }

    /// All of it has been taken, as far as its length tells. Who knows the length does not ask for more.
    pub fn is_over(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    /// What comes next of the provider's bytes; `None` when they have ended well.
    fn poll_next(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) -> Poll<Result<Option<Bytes>, StreamFault>> {
        while let Some(body) = &mut self.body {
            if let Some(deadline) = &mut self.bounds.deadline
                && deadline.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(self.stop(exchange, StreamFault::Duration));
            }
            let chunk = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    tracing::warn!(called = %Called(exchange), %error, "a provider's stream broke off");
                    return Poll::Ready(self.stop(exchange, StreamFault::from(error)));
                }
                None => {
                    self.body = None;
                    let out = self.end_decoding(Called(exchange));
                    // Unless the last bytes were malformed, which says more.
                    self.end_with(StreamFault::Cut);
                    if out.is_some() {
                        return self.pass(out);
                    }
                    break;
                }
            };
            self.note_chunk(exchange, &chunk);
            if self.bounds.max_bytes.is_some_and(|limit| exchange.settlement.upstream_bytes > limit) {
                return Poll::Ready(self.stop(exchange, StreamFault::Size));
            }
            let out = self.take(chunk, Called(exchange));
            if out.is_some() {
                return self.pass(out);
            }
        }
        Poll::Ready(match self.ending.take() {
            Some(fault) => self.end(exchange, fault),
            None => Ok(None),
        })
    }

    fn pass(&mut self, out: Option<Bytes>) -> Poll<Result<Option<Bytes>, StreamFault>> {
        self.has_passed = true;
        Poll::Ready(Ok(out))
    }

    /// What the client gets of `chunk`.
    fn take(&mut self, chunk: Bytes, called: Called<'_>) -> Option<Bytes> {
        let Some(decoder) = &mut self.decoder else { return self.read(chunk, called) };
        let (plain, decoded) = decoder.push_up_to_fault(&chunk);
        let told = self.read(plain, called);
        if let Err(error) = decoded {
            tracing::warn!(%called, %error, "a provider's stream cannot be decoded");
            self.decoder = None;
            match self.keeps_coding && !self.has_ended() {
                true => self.reading = Reading::Hidden,
                false => self.end_with(StreamFault::Malformed),
            }
        }
        if self.keeps_coding { Some(chunk).filter(|chunk| !chunk.is_empty()) } else { told }
    }

    /// What the client gets of the last decoded bytes. One that undoes the coding itself sees whether that ends well.
    fn end_decoding(&mut self, called: Called<'_>) -> Option<Bytes> {
        match self.decoder.take()?.finish() {
            Ok(plain) => self.read(plain, called).filter(|_| !self.keeps_coding),
            Err(_) => {
                if self.keeps_coding && !self.has_ended() {
                    self.reading = Reading::Hidden;
                }
                None
            }
        }
    }

    fn read(&mut self, plain: Bytes, called: Called<'_>) -> Option<Bytes> {
        self.filter.push(plain).unwrap_or_else(|broken| {
            tracing::warn!(%called, error = %broken, "a provider's stream cannot be translated");
            self.end_with(StreamFault::Malformed);
            broken.translated
        })
    }

    /// Nothing more is read: the answer is judged by what has come, and `fault` is told if something of it is missing.
    fn end_with(&mut self, fault: StreamFault) {
        self.body = None;
        self.ending.get_or_insert(fault);
    }

    /// The provider has said how its answer ends. What comes behind it changes nothing.
    fn has_ended(&self) -> bool {
        let observer = self.filter.observer();
        self.reading == Reading::Observed && (observer.saw_terminator() || observer.saw_error())
    }

    /// Ends the stream: well, if nothing of the answer is missing.
    fn stop(&mut self, exchange: &mut Exchange, fault: StreamFault) -> Result<Option<Bytes>, StreamFault> {
        if !self.has_ended() {
            return Err(fault);
        }
        self.body = None;
        self.end(exchange, fault)
    }

    fn note_chunk(&self, exchange: &mut Exchange, chunk: &[u8]) {
        exchange.settlement.upstream_bytes += chunk.len() as u64;
        if let Some(call) = exchange.llm.as_mut()
            && call.time_to_first_token.is_none()
            && !is_silent(chunk)
        {
            call.time_to_first_token = Some(self.started.elapsed());
        }
    }

    /// The provider's bytes have ended: well, or in the middle of the answer, which is `fault`.
    fn end(&mut self, exchange: &mut Exchange, fault: StreamFault) -> Result<Option<Bytes>, StreamFault> {
        if self.reading == Reading::Hidden {
            return Ok(None);
        }
        let (end, rest) = self.filter.end();
        match end {
            StreamEnd::Complete => {}
            StreamEnd::InStreamError(message) => note_error(exchange, message),
            StreamEnd::Cut => {
                tracing::warn!(called = %Called(exchange), "a provider's stream ended without its end marker");
                let is_empty = fault == StreamFault::Cut && !self.has_passed && self.filter.translates();
                return Err(if is_empty { StreamFault::Empty } else { fault });
            }
        }
        Ok(rest)
    }

    /// Ends the call and tells the client that the stream is broken.
    fn break_off(&mut self, exchange: &mut Exchange, fault: StreamFault) -> Result<Bytes, Cut> {
        // Now and not when the client has taken the error: it may be slow.
        self.body = None;
        exchange.settlement.outcome = fault.outcome();
        let message = fault.to_string();
        let event = match self.reading {
            Reading::Observed if !self.keeps_coding => self.filter.error_event(ErrorKind::StreamCut, &message),
            Reading::Observed | Reading::Hidden | Reading::Opaque => Bytes::new(),
        };
        note_error(exchange, message);
        if event.is_empty() { Err(Cut) } else { Ok(event) }
    }

    /// Notes in the call what was learnt of the stream; also called when the client leaves early.
    pub fn finish(&mut self, exchange: &mut Exchange) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let skipped = self.filter.skipped();
        if skipped > 0 {
            tracing::warn!(called = %Called(exchange), skipped, "events of a provider's stream could not be decoded");
        }
        let observer = self.filter.observer();
        let end = (self.reading == Reading::Observed && observer.is_following()).then(|| observer.end());
        // Many clients close their connection at the end marker, before the body's own end.
        if self.first.is_none() && exchange.settlement.outcome == Outcome::Aborted {
            exchange.settlement.outcome = match &end {
                Some(StreamEnd::Complete) => Outcome::Complete,
                Some(StreamEnd::InStreamError(_)) => Outcome::ProviderError,
                Some(StreamEnd::Cut) | None => Outcome::Aborted,
            };
        }
        let Some(call) = exchange.llm.as_mut() else { return };
        call.provider_time = Some(self.started.elapsed());
        if self.reading != Reading::Observed {
            return;
        }
        call.ended_early = end != Some(StreamEnd::Complete);
        if let Some(StreamEnd::InStreamError(message)) = end {
            call.stream_error.get_or_insert(message);
        }
        call.has_tool_calls = observer.has_tool_calls();
        call.finish_reason = observer.finish_reason().map(Into::into);
        call.usage = observer.usage();
        if call.usage.is_none() || call.ended_early || call.log_payload {
            call.note_text(observer.text().to_owned(), observer.text_bytes());
        }
    }
}

/// `true` for what a provider sends only to keep the connection: comments, and Anthropic's `ping`.
fn is_silent(chunk: &[u8]) -> bool {
    const PING: [&[u8]; 2] = [b"event:ping", br#"data:{"type":"ping"}"#];
    let is_ping = |line: &[u8]| {
        let told = line.iter().filter(|byte| !byte.is_ascii_whitespace());
        PING.iter().any(|ping| told.clone().eq(ping.iter()))
    };
    let is_silent = |line: &[u8]| {
        line.first().is_none_or(|first| matches!(first, b':' | b'\r')) || line.len() < 64 && is_ping(line)
    };
    chunk.split(|byte| *byte == b'\n').all(is_silent)
}

fn note_error(exchange: &mut Exchange, message: String) {
    if let Some(call) = exchange.llm.as_mut() {
        call.stream_error = Some(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_keeps_the_connection_is_told_from_an_event() {
        let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
        for comment in [": ping\n\n", "\r\n", ":\n: still here\r\n\r\n", ping] {
            assert!(is_silent(comment.as_bytes()), "{comment:?}");
        }
        let behind_ping = format!("{ping}event: message_start\n");
        for event in ["data: {}\n\n", ": ping\n\nevent: message_start\n", "[{\n", "\u{0}\u{0}\u{1}", &behind_ping] {
            assert!(!is_silent(event.as_bytes()), "{event:?}");
        }
    }
}
