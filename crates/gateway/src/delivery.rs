//! The response body on its way to the client. It owns the exchange: when hyper is through with it (or the client
//! leaves and hyper drops it), the exchange is dropped and the request settles.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, SERVER as SERVER_NAME};
use http::{Method, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};

use crate::admission::headers_length;
use crate::answer::{Answer, ResponseHead};
use crate::called::Called;
use crate::exchange::{Exchange, detached};
use crate::inference::LlmStream;
use crate::plan::chain::Scope;
use crate::plugin::BodyFilter;
use crate::request_body::RequestBody;
use crate::settlement::{Outcome, abandoned};
use crate::stalled_stream::gives_up;
use crate::transport::UpstreamBody;

/// Where the body's bytes come from.
pub enum Source {
    Empty,
    Full(Bytes),
    Upstream(UpstreamBody),
    Llm(Box<LlmStream>),
}

/// The upstream broke off in the middle of a response; the client's connection is cut so that it can tell.
#[derive(Debug, thiserror::Error)]
#[error("the response ended early")]
pub struct Cut;

/// HTTP/2 clients get bodies in pieces of at most so many bytes: a client that takes one shows that it takes something.
const HTTP2_PIECE_BYTES: usize = 16 * 1024;

/// A response's body; none where the connection goes over to another protocol and its exchange with it.
pub struct Delivery(Option<Passage>);

/// A body with everything that happens to it on the way.
struct Passage {
    source: Source,
    filters: Vec<Box<dyn BodyFilter>>,
    /// What has come through the filters and is not yet given away.
    rest: Bytes,
    longest_piece: usize,
    exchange: Box<Exchange>,
    capture: usize,
    cut: bool,
}

/// Turns an answer of the gateway's own into the response.
pub fn answer(exchange: Box<Exchange>, answer: Answer) -> http::Response<Delivery> {
    let (head, body) = answer.into_parts();
    deliver(exchange, head, if body.is_empty() { Source::Empty } else { Source::Full(body) })
}

/// Runs the response phases of a switch to another protocol, which the exchange outlives.
pub fn switch(exchange: &mut Exchange, mut head: ResponseHead) -> http::Response<Delivery> {
    finish_head(exchange, &mut head);
    exchange.settlement.head_bytes_sent = head_length(exchange, &head, None);
    if exchange.needs().headers {
        exchange.response.headers = Some(Box::new(head.headers.clone()));
    }
    response(head, Delivery(None))
}

/// Runs the response phases and hands the response over to hyper.
pub fn deliver(mut exchange: Box<Exchange>, mut head: ResponseHead, source: Source) -> http::Response<Delivery> {
    if matches!(exchange.body, RequestBody::Stream(_) | RequestBody::Begun(_)) {
        // Nobody has read it, and nobody will.
        exchange.body = RequestBody::Sent;
    }
    finish_head(&mut exchange, &mut head);
    let plan = exchange.plan.clone();
    let (global, chain) = (plan.global_chain(), exchange.chain.clone());
    let bodiless = never_has_body(head.status);
    let source = match head.replaced_body.take() {
        _ if bodiless => Source::Empty,
        Some(body) => Source::Full(body),
        None => source,
    };
    let mut filters = Vec::new();
    if bodiless {
        head.headers.remove(CONTENT_LENGTH);
    } else if global.filters_bodies() || chain.filters_bodies() {
        global.body_filters(&mut exchange, &head, Scope::Global, &mut filters);
        chain.body_filters(&mut exchange, &head, Scope::Route, &mut filters);
    }
    if !filters.is_empty() || matches!(source, Source::Full(_)) || tells_wrong_length(&exchange, &head, &source) {
        // hyper writes the right length where it is known.
        head.headers.remove(CONTENT_LENGTH);
    }
    let length = if filters.is_empty() { source.known_length() } else { None };
    exchange.settlement.head_bytes_sent = head_length(&exchange, &head, length);
    let needs = exchange.needs();
    // Nobody knows how long it takes: it must not hold on to the buffers that heads were read into.
    let open_ended = source.known_length().is_none();
    if open_ended {
        exchange.request.detach();
    }
    if needs.headers {
        let kept = if open_ended { detached(&head.headers) } else { head.headers.clone() };
        exchange.response.headers = Some(Box::new(kept));
    }
    let passage = Passage::new(source, filters, exchange, needs.response_body_bytes);
    response(head, Delivery(Some(passage)))
}

/// Puts on the head what the request's plugins want there.
fn finish_head(exchange: &mut Exchange, head: &mut ResponseHead) {
    for (name, value) in exchange.take_response_headers() {
        head.headers.insert(name, value);
    }
    let plan = exchange.plan.clone();
    head.headers.insert(SERVER_NAME, plan.server_header().clone());
    exchange.response.status = head.status.as_u16();
    let (global, chain) = (plan.global_chain(), exchange.chain.clone());
    global.response_head(exchange, head, Scope::Global);
    chain.response_head(exchange, head, Scope::Route);
    exchange.response.status = head.status.as_u16();
}

/// `true` if the client would take the response to end elsewhere than the bytes of `source` do. The length in an answer
/// that has no bytes (to HEAD, 304) is that of another one.
fn tells_wrong_length(exchange: &Exchange, head: &ResponseHead, source: &Source) -> bool {
    let Some(told) = head.headers.get(CONTENT_LENGTH) else { return false };
    if exchange.request.method == Method::HEAD || head.status == StatusCode::NOT_MODIFIED {
        return false;
    }
    let is_only_one = head.headers.get_all(CONTENT_LENGTH).iter().nth(1).is_none();
    let right = source.known_length().map(|length| itoa::Buffer::new().format(length).as_bytes() == told.as_bytes());
    !(is_only_one && right == Some(true))
}

/// The length of `head` as HTTP/1.1 writes it, with the date and the framing that hyper adds; `body` is the length of
/// the body, if it is known.
fn head_length(exchange: &Exchange, head: &ResponseHead, body: Option<u64>) -> u64 {
    const VERSION: &str = "HTTP/1.1 200 ";
    const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    const LENGTH: &str = "content-length: \r\n";
    const CHUNKED: &str = "transfer-encoding: chunked\r\n";
    const CLOSE: &str = "connection: close\r\n";
    let mut length = VERSION.len() + head.status.canonical_reason().map_or(0, str::len) + 2;
    length += headers_length(&head.headers) + 2;
    if !head.headers.contains_key(http::header::DATE) {
        length += DATE.len();
    }
    if exchange.closes && !head.headers.contains_key(CONNECTION) {
        length += CLOSE.len();
    }
    let is_framed = head.headers.contains_key(CONTENT_LENGTH) || head.status == StatusCode::NOT_MODIFIED;
    if !is_framed && !never_has_body(head.status) {
        length += body.map_or(CHUNKED.len(), |body| LENGTH.len() + itoa::Buffer::new().format(body).len());
    }
    length as u64
}

/// `true` for statuses whose responses end with their head and tell no length (RFC 9110, section 8.6).
fn never_has_body(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status.is_informational()
}

fn response(head: ResponseHead, delivery: Delivery) -> http::Response<Delivery> {
    let mut response = http::Response::new(delivery);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if head.status.canonical_reason().is_none() {
        // A status nobody has named: the line ends with it.
        response.extensions_mut().insert(hyper::ext::ReasonPhrase::from_static(b""));
    }
    response
}

/// `text/plain; charset=utf-8`, the type of texts that have none.
pub const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A head with only a content type.
pub fn head(status: StatusCode, content_type: Option<HeaderValue>) -> ResponseHead {
    let mut headers = http::HeaderMap::with_capacity(4);
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    ResponseHead { status, headers, replaced_body: None }
}

impl Passage {
    fn new(source: Source, filters: Vec<Box<dyn BodyFilter>>, mut exchange: Box<Exchange>, capture: usize) -> Self {
        let status = StatusCode::from_u16(exchange.response.status).unwrap_or_default();
        let bodiless =
            exchange.request.method == Method::HEAD || status == StatusCode::NOT_MODIFIED || never_has_body(status);
        let delivery_is_over = bodiless || (filters.is_empty() && source.is_empty());
        if delivery_is_over {
            exchange.settlement.outcome = Outcome::Complete;
        }
        let longest_piece = if exchange.request.version == Version::HTTP_2 { HTTP2_PIECE_BYTES } else { usize::MAX };
        Self { source, filters, rest: Bytes::new(), longest_piece, exchange, capture, cut: false }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(None),
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(bytes)))
            }
            Source::Upstream(body) => loop {
                let frame = match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Ok(frame)) => frame,
                    Some(Err(error)) => {
                        tracing::warn!(called = %Called(&self.exchange), %error, "an upstream response ended early");
                        self.exchange.settlement.outcome = Outcome::UpstreamCut;
                        return Poll::Ready(Some(Err(Cut)));
                    }
                };
                if let Ok(data) = frame.into_data() {
                    self.exchange.settlement.upstream_bytes += data.len() as u64;
                    return Poll::Ready(Some(Ok(data)));
                }
            },
            Source::Llm(stream) => stream.poll_chunk(cx, &mut self.exchange),
        }
    }

    /// # Errors
    /// How the response ends if a filter cannot pass it on.
    fn filter(&mut self, mut chunk: Bytes) -> Result<Bytes, Outcome> {
        for filter in &mut self.filters {
            if !chunk.is_empty() {
                chunk = filter.chunk(chunk);
                filter.fault().map_or(Ok(()), Err)?;
            }
        }
        Ok(chunk)
    }

    /// The last bytes of all filters: what the first one held back still passes through the later ones.
    ///
    /// # Errors
    /// As [`Passage::filter`].
    fn filter_end(&mut self) -> Result<Bytes, Outcome> {
        let mut last = bytes::BytesMut::new();
        for filter in &mut self.filters {
            let passed = if last.is_empty() { Bytes::new() } else { filter.chunk(last.split().freeze()) };
            last.extend_from_slice(&passed);
            last.extend_from_slice(&filter.end());
            filter.fault().map_or(Ok(()), Err)?;
        }
        self.filters.clear();
        Ok(last.freeze())
    }

    /// Ends the response with the connection, so that the client can tell that it is not whole.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        // hyper throws away what it has not flushed when a body fails: let it flush first.
        self.cut = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next piece of what there is.
    fn give(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let piece = self.rest.split_to(self.rest.len().min(self.longest_piece));
        self.sent(&piece);
        if self.is_end_stream() {
            self.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn complete(&mut self) {
        if self.exchange.settlement.outcome == Outcome::Aborted {
            self.exchange.settlement.outcome = Outcome::Complete;
        }
    }

    fn sent(&mut self, chunk: &Bytes) {
        self.exchange.settlement.body_bytes_sent += chunk.len() as u64;
        let captured = &mut self.exchange.captured_response;
        let room = self.capture.saturating_sub(captured.len());
        if room > 0 {
            captured.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    }
}

impl Source {
    /// The bytes that are to come, if that is known.
    fn known_length(&self) -> Option<u64> {
        match self {
            Source::Empty => Some(0),
            Source::Full(bytes) => Some(bytes.len() as u64),
            Source::Upstream(body) => body.size_hint().exact(),
            Source::Llm(stream) => stream.size_hint().exact(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Source::Empty => true,
            Source::Full(bytes) => bytes.is_empty(),
            Source::Upstream(body) => body.is_end_stream(),
            Source::Llm(stream) => stream.is_over(),
        }
    }
}

impl Passage {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.cut {
            return Poll::Ready(Some(Err(Cut)));
        }
        if !self.rest.is_empty() {
            return self.give();
        }
        loop {
            match std::task::ready!(self.poll_source(cx)) {
                Some(Ok(chunk)) => {
                    let chunk = match self.filter(chunk) {
                        Ok(chunk) => chunk,
                        Err(outcome) => {
                            self.exchange.settlement.outcome = outcome;
                            return self.cut(cx);
                        }
                    };
                    if chunk.is_empty() {
                        continue;
                    }
                    self.rest = chunk;
                    return self.give();
                }
                Some(Err(_)) => return self.cut(cx),
                None => {
                    let last = match self.filter_end() {
                        Ok(last) => last,
                        Err(outcome) => {
                            self.exchange.settlement.outcome = outcome;
                            return self.cut(cx);
                        }
                    };
                    self.source = Source::Empty;
                    if last.is_empty() {
                        self.complete();
                        return Poll::Ready(None);
                    }
                    self.rest = last;
                    return self.give();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.filters.is_empty() && self.source.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.filters.is_empty() {
            return SizeHint::default();
        }
        let source = match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(body) => body.size_hint(),
            Source::Llm(stream) => stream.size_hint(),
        };
        source.exact().map_or(source, |length| SizeHint::with_exact(length + self.rest.len() as u64))
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.get_mut().0.as_mut().map_or(Poll::Ready(None), |passage| passage.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Passage::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Passage::size_hint)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Source::Llm(stream) = &mut self.source {
            stream.finish(&mut self.exchange);
        }
        let is_abandoned = match self.exchange.settlement.outcome {
            Outcome::Aborted => true,
            // What was given to hyper last may be all there was, and still not be taken.
            Outcome::Complete => gives_up(),
            // Why it ended early is known.
            Outcome::ClientGone
            | Outcome::UpstreamCut
            | Outcome::ProviderError
            | Outcome::LimitExceeded
            | Outcome::Idle => false,
        };
        if is_abandoned {
            self.exchange.settlement.outcome = abandoned(&self.exchange);
        }
    }
}
