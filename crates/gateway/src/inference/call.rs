//! What is known of one LLM request: what the client asked for, what the provider did, what it cost in tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use llm::{BodyKind, BodyScan, Detected, Passing, Protocol, RequestPath, Usage};

use super::prompt::{self, Prompt};

/// An LLM request on its way.
#[derive(Debug)]
pub struct LlmCall {
    /// The dialect the client speaks.
    pub protocol: Protocol,
    /// `$request_llm_model`: the model the client asked for; empty if it named none.
    pub request_model: Box<str>,
    /// `$llm_model`: the model the provider was asked for.
    pub model: Box<str>,
    /// The client asked for a streamed answer.
    pub stream: bool,
    /// The configured provider that was called; the `node` label of metrics.
    pub instance: Arc<str>,
    /// Begin of the last attempt.
    pub attempt_started: Option<Instant>,
    /// From the attempt's begin until the first piece of the answer.
    pub time_to_first_token: Option<Duration>,
    /// From the attempt's begin until the answer was through.
    pub provider_time: Option<Duration>,
    /// What the provider reported; after the settlement an estimate where it reported nothing, or not to the end.
    pub usage: Option<Usage>,
    /// The answer stopped before its end, so that `usage` may lack what was told last.
    pub(super) ended_early: bool,
    pub has_tool_calls: bool,
    /// Tools that the request offers.
    pub tool_count: usize,
    /// The client's own identifier of its user.
    pub end_user: Option<Box<str>>,
    pub finish_reason: Option<Box<str>>,
    /// The answer's text, as far as it was kept: for estimates, and for logs that want it.
    pub answer_text: Option<String>,
    /// Length of the answer's whole text.
    answer_bytes: u64,
    prompt: Prompt,
    /// What kind of body it has, if that passes unread.
    unread: Option<BodyKind>,
    /// The provider accepted the request and began an answer: it costs tokens from here on.
    pub answered: bool,
    /// The provider reported an error inside its stream.
    pub stream_error: Option<String>,
    /// What logs may show of it (`logging.summaries`, `logging.payloads`).
    pub log_summary: bool,
    pub log_payload: bool,
}

impl LlmCall {
    /// The request to `path` whose body this is; `None` if it speaks no known protocol.
    pub fn detect(path: RequestPath<'_>, scan: BodyScan) -> Option<Self> {
        let Detected { protocol, model, stream } = llm::detect(path, &scan)?;
        let model: Box<str> = model.map_or_else(Box::default, |model| model.into());
        Some(Self {
            stream,
            tool_count: llm::tool_count(&scan),
            end_user: llm::end_user_id(protocol, &scan).map(Into::into),
            prompt: Prompt::Whole(scan),
            ..Self::of(protocol, model)
        })
    }

    /// A request whose body passes unread.
    pub(super) fn passing(passing: Passing, model: &str) -> Self {
        Self {
            stream: passing.body == BodyKind::WebSocket,
            unread: Some(passing.body),
            ..Self::of(passing.protocol, model.into())
        }
    }

    /// A request of which no more is known.
    fn of(protocol: Protocol, model: Box<str>) -> Self {
        Self {
            protocol,
            request_model: model.clone(),
            model,
            stream: false,
            tool_count: 0,
            end_user: None,
            prompt: Prompt::Unread,
            unread: None,
            instance: Arc::from(""),
            attempt_started: None,
            time_to_first_token: None,
            provider_time: None,
            usage: None,
            ended_early: false,
            has_tool_calls: false,
            finish_reason: None,
            answer_text: None,
            answer_bytes: 0,
            answered: false,
            stream_error: None,
            log_summary: false,
            log_payload: false,
        }
    }

    /// What kind of body it has, if that passes unread.
    pub(super) fn unread(&self) -> Option<BodyKind> {
        self.unread
    }

    /// It is to become a tunnel, if its client asks for one.
    pub(crate) fn opens_tunnel(&self) -> bool {
        self.unread == Some(BodyKind::WebSocket)
    }

    /// A model is asked; all else keeps, finds or takes away what was asked before.
    pub(super) fn asks_model(&self) -> bool {
        match self.unread {
            None | Some(BodyKind::Json | BodyKind::Multipart) => true,
            Some(BodyKind::Any | BodyKind::None | BodyKind::WebSocket) => false,
        }
    }

    /// The answer is through.
    pub(crate) fn note_end(&mut self) {
        self.provider_time = self.attempt_started.map(|started| started.elapsed());
    }

    /// The client's body, scanned; `None` once it has been let go of.
    pub fn scan(&self) -> Option<&BodyScan> {
        match &self.prompt {
            Prompt::Whole(scan) => Some(scan),
            Prompt::Sample(_) | Prompt::Unread => None,
        }
    }

    /// Keeps of the client's body only what an estimate of its tokens needs.
    pub(super) fn release_body(&mut self) {
        self.prompt.shrink(self.protocol);
    }

    /// Keeps `text`, the beginning of an answer of `whole_bytes`.
    pub(super) fn note_text(&mut self, text: String, whole_bytes: u64) {
        self.answer_text = Some(text);
        self.answer_bytes = whole_bytes;
    }

    /// `$request_type`: `ai_stream` or `ai_chat`.
    pub fn request_type(&self) -> &'static str {
        if self.stream { "ai_stream" } else { "ai_chat" }
    }

    /// Completion tokens per second after the first token; `None` until both are known.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let spent = self.provider_time?.saturating_sub(self.time_to_first_token?).as_secs_f64();
        let usage = self.usage.as_ref()?;
        (spent > 0.0).then(|| usage.completion as f64 / spent)
    }

    /// The last word on usage: an answer whose provider reported nothing is counted here, and marked as estimated.
    /// So is the text of one that ended early, if it is more than was reported until then.
    pub(crate) fn settle(&mut self) {
        let is_settled = self.usage.is_some() && !self.ended_early;
        if !self.answered || !llm::endpoint(self.protocol).costs_tokens() || is_settled {
            return;
        }
        let answer = self.answer_text.as_deref().unwrap_or_default();
        let completion = prompt::in_proportion(answer, self.answer_bytes);
        match &mut self.usage {
            Some(reported) => reported.raise_completion(completion),
            None => self.usage = Some(Usage::estimated(self.prompt.tokens(self.protocol), completion)),
        }
    }
}
