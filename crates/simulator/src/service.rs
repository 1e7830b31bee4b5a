//! One request: read it, find its directives, let the path's handler answer, let the faults that
//! strike before a body strike.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::Options;
use crate::body::{Events, Reply};
use crate::connection::Manners;
use crate::dialect::embedding_form::Form as EmbeddingForm;
use crate::dialect::embeddings::Embeddings;
use crate::dialect::refusal::Voice;
use crate::dialect::rerank::{self, Form as RerankForm};
use crate::dialect::{Dialect, Refusal, Turn, messages, modelled, models, moderations};
use crate::directives::{Directives, Pace};
use crate::journal::{Journal, Visit};
use crate::media::{self, Media};
use crate::respond::respond;
use crate::script::{Script, ScriptError, Subject};
use crate::shelf::{Place, Shelf};
use crate::{control, probes, websocket};

pub(crate) const MOST_BODY_BYTES: usize = 64 << 20;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub options: Options,
    pub script: RwLock<Script>,
    pub journal: Arc<Journal>,
    pub shelf: Shelf,
    serial: AtomicU64,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed as scripted")]
pub(crate) struct Closed;

/// A request that has been read, and how it is to be answered.
pub(crate) struct Exchange {
    pub head: Arc<Parts>,
    pub body: Bytes,
    pub directives: Directives,
    pub arrived: Instant,
}

/// What a handler has to say.
pub(crate) struct Outcome {
    pub status: StatusCode,
    pub content_type: Option<HeaderValue>,
    /// What Bedrock tells in headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
    pub pace: Pace,
    /// Tokens of the request that the head counts, as Bedrock's does.
    pub counted: Option<u32>,
}

pub(crate) enum Content {
    Whole(Bytes),
    /// Events, and what is sent when one of them is to be an error.
    Stream(Events, Bytes),
}

impl Simulator {
    pub fn new(options: &Options) -> io::Result<Self> {
        let script = match &options.script {
            Some(path) => {
                let script = std::fs::read(path).map_err(ScriptError::from).and_then(|json| Script::parse(&json));
                script.map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {error}", path.display()))
                })?
            }
            None => Script::default(),
        };
        Ok(Self {
            options: options.clone(),
            script: RwLock::new(script),
            journal: Arc::new(Journal::new(options.keep_requests)),
            shelf: Shelf::default(),
            serial: AtomicU64::new(0),
        })
    }

    /// Answers one request of a connection.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        manners: Arc<Manners>,
    ) -> Result<Response<Reply>, Closed> {
        let arrived = Instant::now();
        let upgrade = websocket::wanted(&request).then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        let head = Arc::new(head);
        let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else {
            return Err(Closed);
        };
        let body = body.to_bytes();
        let is_control = head.uri.path().starts_with(control::PREFIX);
        let mut visit = if is_control { Visit::unseen() } else { self.journal.enter(&head, &body) };
        if let Some(upgrade) = upgrade {
            return Ok(websocket::accept(&head, upgrade, visit));
        }
        let directives = if is_control { Ok(Directives::default()) } else { self.directives(&head, &body) };
        let (directives, refusal) = match directives {
            Ok(directives) => (directives, None),
            Err(refusal) => (Directives::default(), Some(refusal)),
        };
        misbehave(&directives, &head, &manners, &mut visit).await?;
        let exchange = Exchange { head, body, directives, arrived };
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => self.outcome(&exchange),
        };
        let outcome = outcome.unwrap_or_else(|refusal| exchange.refused(&refusal));
        Ok(respond(exchange, outcome, self.options.seed, visit).await)
    }

    fn directives(&self, head: &Parts, body: &[u8]) -> Result<Directives, Refusal> {
        let subject = Subject { method: &head.method, path: head.uri.path(), headers: &head.headers, body };
        let mut directives = self.script.read().directives(&subject).cloned().unwrap_or_default();
        for value in head.headers.get_all("x-simulate") {
            let text = value.to_str().map_err(|_| Refusal::bad("x-simulate: is not plain ASCII"))?;
            directives.apply(text).map_err(|error| Refusal::bad(error.to_string()))?;
        }
        Ok(directives)
    }

    fn outcome(&self, exchange: &Exchange) -> Result<Outcome, Refusal> {
        let Exchange { head, directives, .. } = exchange;
        if directives.require_auth && !has_key(&head.headers) {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "You didn't provide an API key."));
        }
        match directives.status {
            Some(status) if !status.is_success() => {
                return Err(Refusal::scripted(status, directives));
            }
            Some(_) | None => (),
        }
        if directives.unknown_model {
            return Err(exchange.model().map_or(Refusal::missing("model"), |model| Refusal::no_such_model(&model)));
        }
        let path = head.uri.path();
        if let Some(path) = path.strip_prefix(control::PREFIX) {
            return control::answer(self, &head.method, path, &exchange.body);
        }
        match endpoint(path) {
            Some(Endpoint::Conversation(dialect)) => exchange.posted().and_then(|()| self.converse(exchange, dialect)),
            Some(Endpoint::Invoked) => exchange
                .posted()
                .and_then(|()| modelled::invoked(path, &exchange.body))
                .and_then(|dialect| self.converse(exchange, Dialect::Modelled(dialect))),
            Some(Endpoint::CountTokens) => {
                exchange.posted().and_then(|()| messages::count_tokens(&exchange.body)).map(Outcome::json)
            }
            Some(Endpoint::Embeddings(form)) => exchange.posted().and_then(|()| self.embed(exchange, form)),
            Some(Endpoint::Rerank(form)) => {
                exchange.posted().and_then(|()| rerank::answer(form, &exchange.body, directives)).map(Outcome::json)
            }
            Some(Endpoint::Moderations) => {
                exchange.posted().and_then(|()| moderations::answer(&exchange.body)).map(Outcome::json)
            }
            Some(Endpoint::Models) => Ok(Outcome::json(models::Form::of(head).list())),
            Some(Endpoint::Model(id)) => models::Form::of(head).one(id).map(Outcome::json),
            Some(Endpoint::Media(media)) => {
                exchange.posted().and_then(|()| media::answer(media, exchange, self.options.seed))
            }
            Some(Endpoint::Kept(place)) => self.shelf.answer(place, exchange),
            None => probes::answer(exchange),
        }
        .map(|mut outcome| {
            outcome.status = directives.status.unwrap_or(outcome.status);
            outcome
        })
    }

    fn converse(&self, exchange: &Exchange, dialect: Dialect) -> Result<Outcome, Refusal> {
        let directives = &exchange.directives;
        let prompt = dialect.read(exchange.head.uri.path(), &exchange.body)?;
        models::known(&prompt.model)?;
        let stream = prompt.stream;
        let turn = Turn::new(prompt, directives, self.options.seed, self.serial.fetch_add(1, Ordering::Relaxed) + 1);
        let pace = directives.pace(&self.options);
        if stream {
            let content = Content::Stream(dialect.events(turn), dialect.error_event());
            let headers = dialect.stream_headers();
            return Ok(Outcome { pace, headers, ..Outcome::of(Some(dialect.stream_type()), content) });
        }
        // A whole answer is ready when its last token is.
        let last = turn.answer.completion_tokens().saturating_sub(1);
        let pace = Pace { ttft: pace.due(last, 0.5), ..pace };
        Ok(Outcome { pace, headers: dialect.headers(&turn), ..Outcome::json(dialect.whole(&turn)) })
    }

    fn embed(&self, exchange: &Exchange, form: EmbeddingForm) -> Result<Outcome, Refusal> {
        let model = model_in(exchange.head.uri.path());
        let embeddings = Embeddings::read(form, model, &exchange.body, self.options.seed)?;
        models::known(&embeddings.model)?;
        let pace = exchange.directives.pace(&self.options);
        let counted = embeddings.counted_in_head(&exchange.directives);
        Ok(Outcome { pace, counted, ..Outcome::json(embeddings.whole(&exchange.directives)) })
    }
}

/// The faults that strike before there is an answer.
async fn misbehave(directives: &Directives, head: &Parts, manners: &Manners, visit: &mut Visit) -> Result<(), Closed> {
    if directives.reset {
        manners.reset_at_end();
    }
    if directives.close || (directives.reset && directives.cut.is_none()) {
        visit.complete();
        return Err(Closed);
    }
    if directives.hang == Some(0) {
        // Only the peer's leaving ends this.
        std::future::pending::<()>().await;
    }
    if head.version < Version::HTTP_2 {
        if directives.garbage {
            manners.replace(Bytes::from_static(b"\x16\x03\x01 this is not HTTP\r\n\r\n"));
        } else if let Some(pause) = directives.slow_headers {
            manners.dribble_head(pause);
        }
    }
    Ok(())
}

enum Endpoint<'a> {
    Conversation(Dialect),
    /// Bedrock's `invoke`: the body tells how it is to be read.
    Invoked,
    CountTokens,
    Embeddings(EmbeddingForm),
    Rerank(RerankForm),
    Moderations,
    Models,
    Model(&'a str),
    Media(Media),
    Kept(Place<'a>),
}

/// By the path's end, because providers put their APIs under all kinds of prefixes.
fn endpoint(path: &str) -> Option<Endpoint<'_>> {
    let (rest, last) = path.rsplit_once('/')?;
    match last {
        "completions" if rest.ends_with("/chat") => Some(Endpoint::Conversation(Dialect::Chat)),
        "completions" => Some(Endpoint::Conversation(Dialect::Modelled(llm::ClientDialect::Completions))),
        "responses" => Some(Endpoint::Conversation(Dialect::Responses)),
        "messages" => Some(Endpoint::Conversation(Dialect::Messages)),
        "count_tokens" if rest.ends_with("/messages") => Some(Endpoint::CountTokens),
        "converse" | "converse-stream" => Some(in_dialect(llm::Dialect::BedrockConverse)),
        "invoke" | "invoke-with-response-stream" => {
            Some(model_in(path).and_then(|model| of_bedrock(&model)).unwrap_or(Endpoint::Invoked))
        }
        "chat" if rest.ends_with("/v2") => Some(in_dialect(llm::Dialect::Cohere)),
        action if action.ends_with(":generateContent") || action.ends_with(":streamGenerateContent") => {
            Some(in_dialect(llm::Dialect::Gemini))
        }
        "embeddings" => Some(Endpoint::Embeddings(EmbeddingForm::OpenAi)),
        "embed" if rest.ends_with("/v2") => Some(Endpoint::Embeddings(EmbeddingForm::Cohere)),
        "embed" if rest.ends_with("/api") => Some(Endpoint::Embeddings(EmbeddingForm::Ollama)),
        "text-embedding" => Some(Endpoint::Embeddings(EmbeddingForm::DashScope)),
        "rerank" => Some(Endpoint::Rerank(RerankForm::Plain)),
        "text-rerank" => Some(Endpoint::Rerank(RerankForm::DashScope)),
        action if action.ends_with(":embedContent") => Some(Endpoint::Embeddings(EmbeddingForm::Gemini)),
        action if action.ends_with(":batchEmbedContents") => Some(Endpoint::Embeddings(EmbeddingForm::GeminiBatch)),
        action if action.ends_with(":predict") => Some(Endpoint::Embeddings(EmbeddingForm::VertexPredict)),
        "moderations" => Some(Endpoint::Moderations),
        "models" => Some(Endpoint::Models),
        id if rest.ends_with("/models") => Some(Endpoint::Model(id)),
        "speech" if rest.ends_with("/audio") => Some(Endpoint::Media(Media::Speech)),
        "transcriptions" | "translations" if rest.ends_with("/audio") => Some(Endpoint::Media(Media::Transcription)),
        "generations" | "edits" | "variations" if rest.ends_with("/images") => Some(Endpoint::Media(Media::Pictures)),
        _ => Place::of(path).map(Endpoint::Kept),
    }
}

/// What Bedrock's `invoke` answers for `model`, beside conversations.
fn of_bedrock(model: &str) -> Option<Endpoint<'static>> {
    match EmbeddingForm::of_bedrock(model) {
        Some(form) => Some(Endpoint::Embeddings(form)),
        None => model.contains(".rerank").then_some(Endpoint::Rerank(RerankForm::Bedrock)),
    }
}

/// The model that a path names, as `…/models/ID:…` or `…/model/ID/…`.
fn model_in(path: &str) -> Option<String> {
    let mut segments = path.rsplit('/');
    let mut last = segments.next()?;
    if !last.contains(':') {
        last = segments.next()?;
    }
    let is_named = matches!(segments.next()?, "model" | "models");
    let name = last
        .rsplit_once(':')
        .filter(|(_, action)| action.chars().all(char::is_alphabetic))
        .map_or(last, |(name, _)| name);
    is_named.then(|| percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned())
}

fn in_dialect(dialect: llm::Dialect) -> Endpoint<'static> {
    Endpoint::Conversation(Dialect::Modelled(dialect.into()))
}

fn has_key(headers: &HeaderMap) -> bool {
    ["authorization", "x-api-key", "api-key", "x-goog-api-key"].iter().any(|name| headers.contains_key(*name))
}

impl Outcome {
    /// What is answered well and at once, unless it is said otherwise.
    pub fn of(content_type: Option<HeaderValue>, content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            content_type,
            headers: Vec::new(),
            content,
            pace: Pace::default(),
            counted: None,
        }
    }

    pub fn whole(content_type: HeaderValue, bytes: Bytes) -> Self {
        Self::of(Some(content_type), Content::Whole(bytes))
    }

    pub fn json(bytes: Bytes) -> Self {
        Self::whole(JSON, bytes)
    }
}

impl Exchange {
    fn posted(&self) -> Result<(), Refusal> {
        if self.head.method == Method::POST {
            return Ok(());
        }
        let message = format!(
            "Not allowed to {} on {} (HINT: Perhaps you meant to use POST)",
            self.head.method,
            self.head.uri.path()
        );
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message))
    }

    /// The model that is asked for, as far as the path or a JSON body tells it.
    fn model(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Asked {
            model: Option<String>,
        }
        let path = self.head.uri.path();
        if let Some(Endpoint::Model(id)) = endpoint(path) {
            return Some(id.to_owned());
        }
        model_in(path).or_else(|| serde_json::from_slice::<Asked>(&self.body).ok()?.model)
    }

    fn refused(&self, refusal: &Refusal) -> Outcome {
        let body = if refusal.status.is_redirection() { Bytes::new() } else { refusal.body(self.voice()) };
        let ttft = self.directives.ttft.unwrap_or_default();
        Outcome {
            status: refusal.status,
            pace: Pace { ttft, ..Pace::default() },
            headers: refusal.headers(self.voice()),
            ..Outcome::json(body)
        }
    }

    /// Whose words an error uses.
    fn voice(&self) -> Voice {
        match endpoint(self.head.uri.path()) {
            Some(Endpoint::Conversation(Dialect::Messages) | Endpoint::CountTokens) => Voice::Anthropic,
            Some(Endpoint::Kept(place)) => place.voice(),
            Some(Endpoint::Models | Endpoint::Model(_)) => models::Form::of(&self.head).voice(),
            Some(Endpoint::Conversation(Dialect::Modelled(dialect))) => Voice::Modelled(dialect.relative()),
            Some(Endpoint::Invoked) => Voice::Modelled(llm::Dialect::BedrockConverse),
            Some(Endpoint::Embeddings(form)) => voice_of(form),
            Some(Endpoint::Rerank(RerankForm::Bedrock)) => Voice::Modelled(llm::Dialect::BedrockConverse),
            Some(Endpoint::Rerank(RerankForm::Plain)) => Voice::Modelled(llm::Dialect::Cohere),
            Some(
                Endpoint::Conversation(Dialect::Chat | Dialect::Responses)
                | Endpoint::Rerank(RerankForm::DashScope)
                | Endpoint::Moderations
                | Endpoint::Media(_),
            )
            | None => Voice::OpenAi,
        }
    }
}

fn voice_of(form: EmbeddingForm) -> Voice {
    match form {
        EmbeddingForm::OpenAi | EmbeddingForm::Ollama | EmbeddingForm::DashScope => Voice::OpenAi,
        EmbeddingForm::Gemini | EmbeddingForm::GeminiBatch | EmbeddingForm::VertexPredict => {
            Voice::Modelled(llm::Dialect::Gemini)
        }
        EmbeddingForm::Cohere => Voice::Modelled(llm::Dialect::Cohere),
        EmbeddingForm::BedrockCohere | EmbeddingForm::BedrockTitan | EmbeddingForm::BedrockNova => {
            Voice::Modelled(llm::Dialect::BedrockConverse)
        }
    }
}
