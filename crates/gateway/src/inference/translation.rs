//! A request and its answer where client and provider speak different dialects: what must be known of the one to
//! translate the other.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use llm::{
    AnswerError, BodyScan, ClientDialect, Dialect, ErrorKind, LossPolicy, PathFacts, ProviderDialect, Quirks, Raw,
    Renames, StreamFilter, StreamForm, StreamTranslator, TranslateError, TranslatedAnswer, Usage,
};

use super::call::LlmCall;
use super::retelling::{JSON, Untold, failed_message, refusal, told, told_for, told_of, untold};
use crate::answer::{Answer, ResponseHead};

/// Names what the provider's dialect had no words for.
pub(super) const DROPPED: HeaderName = HeaderName::from_static("x-tidegate-dropped");

const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// What a chunk of `invoke-with-response-stream` holds.
const INVOKED_TYPE: HeaderName = HeaderName::from_static("x-amzn-bedrock-content-type");

const SSE: HeaderValue = HeaderValue::from_static("text/event-stream");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("application/vnd.amazon.eventstream");

/// How an answer is told in the client's dialect.
#[derive(Debug)]
pub(super) struct Translation {
    client: ClientDialect,
    provider: ProviderDialect,
    renames: Renames,
    /// See [`llm::Translated::betas`].
    betas: Option<String>,
    reply: llm::Reply,
    /// As a header shows them; empty if nothing was left out of the request.
    dropped: String,
}

/// A pair of dialects and what is done about their differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub client: ClientDialect,
    pub provider: ProviderDialect,
    pub quirks: Quirks,
    pub losses: LossPolicy,
    /// How the client wants its stream framed.
    pub stream_form: StreamForm,
}

impl Translation {
    /// The client's request, which came with `headers`, in the provider's dialect, and how its answer is told.
    ///
    /// # Errors
    /// The answer for a request that is not what its dialect says, or that the configuration does not let be cut.
    pub(super) fn of_request(
        pair: Pair,
        call: &LlmCall,
        scan: &BodyScan,
        headers: &HeaderMap,
    ) -> Result<(BodyScan, Self), Answer> {
        let target = llm::Target { dialect: pair.provider, quirks: pair.quirks, losses: pair.losses };
        // The one that will be called: what a dialect can say depends on it.
        let model = (!call.model.is_empty()).then_some(&*call.model);
        let wished = headers.get_all(ANTHROPIC_BETA).iter().filter_map(|value| value.to_str().ok());
        let betas = wished.collect::<Vec<_>>().join(",");
        let path = PathFacts { model, stream: call.stream, betas: Some(&*betas).filter(|betas| !betas.is_empty()) };
        let refuse = |message: String| match pair.client {
            ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::Mistral => {
                Answer::error_msg(StatusCode::BAD_REQUEST, &message)
            }
            ClientDialect::BedrockInvoke(_) => told(pair.client.relative(), ErrorKind::InvalidRequest, &message),
        };
        let translated =
            llm::translate_request(pair.client, &target, scan.raw(), path).map_err(|error| match error {
                // As APISIX tells it where it converts.
                TranslateError::NotFound(error) => told_of(pair.client.relative(), &error),
                TranslateError::Read(error) if pair.client.dialect().is_some() => refuse(error.to_string()),
                // So that the client's SDK shows what is wrong, or what to leave out.
                TranslateError::Read(_) | TranslateError::Lossy { .. } => {
                    told(pair.client.relative(), ErrorKind::InvalidRequest, &error.to_string())
                }
            })?;
        // The writer's own depth: the client's has been checked.
        let body = BodyScan::parse(&Bytes::from(translated.body), usize::MAX)
            .map_err(|error| refuse(format!("the request could not be translated: {error}")))?;
        let translation = Self {
            client: pair.client,
            provider: pair.provider,
            renames: translated.renames,
            betas: translated.betas,
            reply: llm::Reply {
                include_usage: translated.include_usage,
                model: call.model.clone(),
                created: unix_seconds(),
                id: new_id().into(),
                stream_form: pair.stream_form,
            },
            dropped: translated.losses.to_string(),
        };
        Ok((body, translation))
    }

    /// The dialect whose words the client knows, and how the provider speaks.
    pub(super) fn dialects(&self) -> (Dialect, ProviderDialect) {
        (self.client.relative(), self.provider)
    }

    /// What of the request's body stands in a header at the provider.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        Some((ANTHROPIC_BETA, HeaderValue::from_str(self.betas.as_deref()?).ok()?))
    }

    /// Adds the counts of a whole answer where the client's SDKs look for them in `headers`, too.
    pub(super) fn tell_counts(&self, headers: &mut HeaderMap, usage: &Usage) {
        match self.client {
            ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::Mistral => {}
            ClientDialect::BedrockInvoke(_) => {
                for (name, count) in usage.bedrock_headers() {
                    headers.insert(HeaderName::from_static(name), HeaderValue::from(count));
                }
            }
        }
    }

    /// A whole answer in the client's dialect, and what its usage says there; `None` if the provider has told none.
    ///
    /// Some providers tell of an error with status 200. It becomes a refusal with an error status; for clients of
    /// Anthropic the status stays, as in APISIX. An answer whose finish reason says that the provider gave up becomes a
    /// refusal for every client.
    ///
    /// # Errors
    /// The answer for one that is not what the provider's dialect says.
    pub(super) fn answer(&self, head: &mut ResponseHead, body: &[u8]) -> Result<(Bytes, Option<Usage>), Untold> {
        let unreadable = |reason: &str| untold(self.client.relative(), body, reason);
        let raw = Raw::new(body).ok_or_else(|| unreadable("it is not JSON"))?;
        if llm::tells_error(raw) {
            let error = raw.get("error").filter(|error| !error.is_null());
            let told = match error.filter(|_| self.client.dialect() == Some(Dialect::Anthropic)) {
                Some(error) => failed_message(&mut head.headers, error),
                None => refusal(self.client.relative(), self.provider.relative(), head, body),
            };
            self.show_dropped(&mut head.headers);
            return Ok((told, None));
        }
        let told = llm::translate_response(self.provider, self.client, raw, &self.reply, &self.renames);
        let TranslatedAnswer { body, losses, counts } = match told {
            Ok(told) => told,
            Err(AnswerError::Read(error)) => return Err(unreadable(&error.to_string())),
            Err(AnswerError::Failed(error)) => {
                let told = told_for(self.client.relative(), head, &error);
                self.show_dropped(&mut head.headers);
                return Ok((told, None));
            }
        };
        head.headers.insert(CONTENT_TYPE, JSON);
        let mut dropped = self.dropped.clone();
        if !losses.is_empty() {
            dropped = [dropped, losses.to_string()].join(if self.dropped.is_empty() { "" } else { ", " });
        }
        show_dropped(&mut head.headers, &dropped);
        Ok((Bytes::from(body), counts.map(|counts| Usage::of(self.client.relative(), &counts))))
    }

    /// Tells the client what was left out of its request.
    pub(super) fn show_dropped(&self, headers: &mut HeaderMap) {
        show_dropped(headers, &self.dropped);
    }

    /// What translates a streamed answer and keeps up to `kept_text` bytes of its text; `headers` become those of the
    /// client's dialect.
    pub(super) fn stream(&self, headers: &mut HeaderMap, kept_text: usize) -> StreamFilter {
        let framing = match self.client {
            ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::Mistral => {
                framing(self.client.relative(), self.reply.stream_form)
            }
            ClientDialect::BedrockInvoke(_) => {
                headers.insert(INVOKED_TYPE, JSON);
                EVENT_STREAM
            }
        };
        headers.insert(CONTENT_TYPE, framing);
        self.show_dropped(headers);
        let translator = StreamTranslator::new(self.provider, self.client, self.reply.clone(), self.renames.clone());
        StreamFilter::translating(self.provider.protocol(), translator, kept_text)
    }
}

/// The content type of a dialect's streams.
fn framing(dialect: Dialect, form: StreamForm) -> HeaderValue {
    match (dialect, form) {
        (Dialect::BedrockConverse, _) => EVENT_STREAM,
        (Dialect::Gemini, StreamForm::JsonArray) => JSON,
        (
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Cohere,
            StreamForm::Sse | StreamForm::JsonArray,
        ) => SSE,
    }
}

/// Tells the client what was left out, if anything was.
pub(super) fn show_dropped(headers: &mut HeaderMap, dropped: &str) {
    if let Ok(value) = HeaderValue::from_str(dropped)
        && !dropped.is_empty()
    {
        headers.insert(DROPPED, value);
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An identifier that no other answer has.
pub(super) fn new_id() -> String {
    format!("tg{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
