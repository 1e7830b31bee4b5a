//! The begin of a streamed answer: what reads or translates it is chosen, and its first piece waited for, so that a
//! failure before it can still become an answer. Called by the dispatch; the rest is [`LlmStream`]'s.

use std::time::Instant;

use http::header::{CONTENT_ENCODING, HeaderMap};
use llm::{Protocol, StreamFilter, StreamObserver, UsageChunk};

use super::attempt::broken_answer;
use super::backend::Backend;
use super::dispatch::ProviderAnswer;
use super::request::missing_call;
use super::retelling::Retelling;
use super::stream::{Bounds, LlmStream, Reading};
use crate::answer::Answer;
use crate::exchange::Exchange;
use crate::request_body::RequestBody;

/// Answer text kept for payload logs, in bytes.
const MAX_LOGGED_TEXT_BYTES: usize = 256 * 1024;

/// Answer text kept for token estimates, in bytes; a longer text is counted in proportion.
const MAX_COUNTED_TEXT_BYTES: usize = 8 * 1024;

/// Waits for the first piece of a streamed answer; the rest follows on its way to the client.
pub(super) async fn start_stream(
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
    stream.begin(exchange).await.map_err(|fault| broken_answer(exchange, foreign_client, fault))?;
    release_request(exchange);
    Ok(stream)
}

/// From the answer's first bytes on no other provider is asked, so that the request is not needed any more, unless
/// a log is to show it.
fn release_request(exchange: &mut Exchange) {
    let needs = exchange.needs();
    if needs.request_body_bytes > 0 || needs.body_before_rewrite {
        return;
    }
    let Some(call) = exchange.llm.as_mut().filter(|call| !call.log_payload) else { return };
    call.release_body();
    exchange.body = RequestBody::Sent;
}
