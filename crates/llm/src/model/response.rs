//! A whole answer.

use super::{Extras, Json, Part, Text, TokenCounts};
use crate::dialect::Dialect;
use crate::errors::{ApiError, ErrorKind};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<'a> {
    /// The dialect it was read from.
    pub dialect: Dialect,
    /// Empty where the dialect names none.
    pub id: Text<'a>,
    /// The model that the provider says has answered.
    pub model: Option<Text<'a>>,
    /// Seconds since 1970, where the dialect tells.
    pub created: Option<u64>,
    /// At least one, but for a prompt that was blocked: then its stop says so and it has no parts.
    pub choices: Vec<Choice<'a>>,
    pub usage: Option<TokenCounts>,
    pub service_tier: Option<Text<'a>>,
    pub extras: Extras<'a>,
}

impl Response<'_> {
    /// The error that the answer stands for, if one of its choices was given up.
    pub fn failure(&self) -> Option<ApiError<'static>> {
        self.choices.iter().find_map(|choice| choice.stop.as_ref()?.failure())
    }

    /// An answer of `dialect` that says nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            id: Text::default(),
            model: None,
            created: None,
            choices: Vec::new(),
            usage: None,
            service_tier: None,
            extras: Extras::default(),
        }
    }
}

/// One of the answers the model gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice<'a> {
    pub index: u32,
    pub parts: Vec<Part<'a>>,
    pub stop: Option<Stop<'a>>,
    /// OpenAI's `logprobs` object.
    pub logprobs: Option<Json<'a>>,
    pub extras: Extras<'a>,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop<'a> {
    pub reason: StopReason,
    /// In the provider's own word, for its own dialect.
    pub native: Text<'a>,
    /// Which stop sequence was hit.
    pub sequence: Option<Text<'a>>,
}

impl Stop<'_> {
    /// The error that the stop stands for, if it is no end of an answer.
    pub fn failure(&self) -> Option<ApiError<'static>> {
        let told = || ApiError::new(ErrorKind::Upstream, format!("the provider gave its answer up: {}", self.native));
        (self.reason == StopReason::Failed).then(told)
    }

    /// The same stop without a tie to the text it was read from.
    pub fn into_owned(self) -> Stop<'static> {
        let owned = |text: Text<'_>| Text::Owned(text.into_owned());
        Stop { reason: self.reason, native: owned(self.native), sequence: self.sequence.map(owned) }
    }
}

/// Why the model stopped, in the words that all dialects share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// It had said all.
    End,
    StopSequence,
    /// The limit of output tokens was reached.
    Length,
    /// The context window was full.
    ContextFull,
    ToolCalls,
    /// The provider's filter, a guardrail or a safety rule intervened.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// A tool of the provider takes long; the turn is to be sent back as it is (Anthropic's `pause_turn`).
    Pause,
    /// What the model said cannot be used, such as a call that is not well-formed.
    Malformed,
    /// The provider has given up: the answer is not whole. No normal end in any dialect; see [`Stop::failure`].
    Failed,
    /// None of these.
    Other,
}

/// Where a piece of the answer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Citation<'a> {
    pub url: Option<Text<'a>>,
    pub title: Option<Text<'a>>,
    /// The words of the source.
    pub cited_text: Option<Text<'a>>,
    /// The part of the answer's whole text that it backs, in characters, end excluded.
    pub span: Option<(u64, u64)>,
    /// The whole citation as its own dialect writes it.
    pub native: Option<Json<'a>>,
}

impl Citation<'_> {
    /// It says neither what it backs nor where its source is.
    pub fn is_lost(&self) -> bool {
        self.span.is_none() && self.url.is_none()
    }

    /// The same citation without a tie to the text it was read from.
    pub fn into_owned(self) -> Citation<'static> {
        let owned = |text: Text<'_>| Text::Owned(text.into_owned());
        Citation {
            url: self.url.map(owned),
            title: self.title.map(owned),
            cited_text: self.cited_text.map(owned),
            span: self.span,
            native: self.native.map(Json::into_owned),
        }
    }
}
