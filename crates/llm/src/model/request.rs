//! A conversation on its way to a model: turns of parts, tools, and how the answer shall be made.
//!
//! Numbers that are only passed on stay [`Json`], so that `0.70` arrives as `0.70`. Invariant: nothing here knows any
//! dialect's field names.

use std::collections::HashSet;

use super::{Extras, Json, Signature, Text};
use crate::dialect::Dialect;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The dialect it was read from, which alone may write its [`Extras`] and [`PartBody::Opaque`] again.
    pub dialect: Dialect,
    pub model: Option<Text<'a>>,
    pub stream: bool,
    /// The client asked for usage in the stream (`stream_options.include_usage`); only OpenAI Chat has the question,
    /// for all others it is `true`.
    pub include_usage: bool,
    /// System and developer turns among the others, in their order. A dialect that has one place for instructions
    /// is read as if they stood first.
    pub turns: Vec<Turn<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    /// `Some(false)`: at most one tool call in an answer.
    pub parallel_tool_calls: Option<bool>,
    pub response_format: Option<ResponseFormat<'a>>,
    pub max_tokens: Option<u64>,
    pub stop_sequences: Vec<Text<'a>>,
    pub temperature: Option<Json<'a>>,
    pub top_p: Option<Json<'a>>,
    pub top_k: Option<Json<'a>>,
    pub seed: Option<Json<'a>>,
    pub frequency_penalty: Option<Json<'a>>,
    pub presence_penalty: Option<Json<'a>>,
    /// OpenAI's map from token id to bias.
    pub logit_bias: Option<Json<'a>>,
    /// The client wants log probabilities of the answer's tokens.
    pub logprobs: Option<bool>,
    /// Alternatives per position.
    pub top_logprobs: Option<u64>,
    /// How many answers are wanted; `None` is one.
    pub choices: Option<u64>,
    pub reasoning: Option<ReasoningRequest<'a>>,
    /// Who the client says its user is.
    pub end_user: Option<Text<'a>>,
    /// An object of strings that the provider stores or logs with the request.
    pub metadata: Option<Json<'a>>,
    /// In the words of the dialect it was read from.
    pub service_tier: Option<Text<'a>>,
    /// A name under which providers find earlier prompts again (OpenAI's `prompt_cache_key`).
    pub prompt_cache_key: Option<Text<'a>>,
    /// How wordy the answer shall be: `low`, `medium`, `high`.
    pub verbosity: Option<Text<'a>>,
    pub extras: Extras<'a>,
}

impl Request<'_> {
    /// A request of `dialect` that says nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            model: None,
            stream: false,
            include_usage: true,
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            response_format: None,
            max_tokens: None,
            stop_sequences: Vec::new(),
            temperature: None,
            top_p: None,
            top_k: None,
            seed: None,
            frequency_penalty: None,
            presence_penalty: None,
            logit_bias: None,
            logprobs: None,
            top_logprobs: None,
            choices: None,
            reasoning: None,
            end_user: None,
            metadata: None,
            service_tier: None,
            prompt_cache_key: None,
            verbosity: None,
            extras: Extras::default(),
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions in OpenAI's newer word for them.
    Developer,
    User,
    Assistant,
    /// A turn that holds nothing but tool results, in dialects that give them a role of their own.
    Tool,
}

/// How a client has written what a turn says, where that is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentForm {
    /// It does not matter: text alone may be written as a string.
    #[default]
    Any,
    /// A list of parts, and a list it stays (Anthropic's clients see it again at providers of OpenAI's dialect).
    List,
}

/// What one side says before the other speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn<'a> {
    pub role: Role,
    pub parts: Vec<Part<'a>>,
    pub form: ContentForm,
    /// Tells speakers of one role apart.
    pub name: Option<Text<'a>>,
    pub extras: Extras<'a>,
}

impl<'a> Turn<'a> {
    pub fn new(role: Role, parts: Vec<Part<'a>>) -> Self {
        Self { role, parts, form: ContentForm::Any, name: None, extras: Extras::default() }
    }
}

/// A piece of a turn or of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    pub body: PartBody<'a>,
    /// The prompt up to the end of this part shall be kept in the provider's cache.
    pub cache: Option<CacheControl<'a>>,
    pub extras: Extras<'a>,
}

impl<'a> From<PartBody<'a>> for Part<'a> {
    fn from(body: PartBody<'a>) -> Self {
        Self { body, cache: None, extras: Extras::default() }
    }
}

impl<'a> Part<'a> {
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        PartBody::Text { text: text.into(), citations: Vec::new(), signature: None }.into()
    }
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartBody<'a> {
    Text {
        text: Text<'a>,
        citations: Vec<super::Citation<'a>>,
        /// Gemini signs text as well.
        signature: Option<Signature<'a>>,
    },
    /// Boxed, for it is far larger than the rest and far rarer.
    Media(Box<Media<'a>>),
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
    Reasoning(Reasoning<'a>),
    /// The model declines, in a field of its own.
    Refusal(Text<'a>),
    /// Something only its own dialect knows, such as a call of a provider's own search: the whole JSON value.
    Opaque(Json<'a>),
}

/// What a medium is, so far as dialects tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    Image,
    /// PDF or text.
    Document,
    Audio,
    Video,
}

/// An image, a document, a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media<'a> {
    pub kind: MediaKind,
    pub source: MediaSource<'a>,
    /// Such as `image/png`; absent where the source does not tell, mostly for URLs.
    pub media_type: Option<Text<'a>>,
    /// A file name or title.
    pub name: Option<Text<'a>>,
    /// What the document is about, for the model to read (Anthropic's `context`).
    pub context: Option<Text<'a>>,
    /// OpenAI's `low`, `high`, `auto`.
    pub detail: Option<Text<'a>>,
    /// The model shall cite from the document.
    pub citations: Option<bool>,
}

impl Media<'_> {
    /// A plain text document as one text: its name, what it is about and its words, a line each. `None` for media that
    /// are no text.
    pub(crate) fn plain_text(&self) -> Option<String> {
        let MediaSource::PlainText(text) = &self.source else { return None };
        let heads = [self.name.as_deref(), self.context.as_deref()];
        let heads = heads.into_iter().flatten().filter(|head| !head.is_empty());
        Some(heads.chain([text.as_ref()]).collect::<Vec<_>>().join("\n"))
    }

    /// The same medium without a tie to the text it was read from.
    pub fn into_owned(self) -> Media<'static> {
        let owned = |text: Text<'_>| Text::Owned(text.into_owned());
        Media {
            kind: self.kind,
            source: match self.source {
                MediaSource::Base64(text) => MediaSource::Base64(owned(text)),
                MediaSource::Url(text) => MediaSource::Url(owned(text)),
                MediaSource::File(text) => MediaSource::File(owned(text)),
                MediaSource::PlainText(text) => MediaSource::PlainText(owned(text)),
            },
            media_type: self.media_type.map(owned),
            name: self.name.map(owned),
            context: self.context.map(owned),
            detail: self.detail.map(owned),
            citations: self.citations,
        }
    }
}

/// Where a medium's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource<'a> {
    /// Standard base64 with padding.
    Base64(Text<'a>),
    Url(Text<'a>),
    /// An identifier of the provider's file store.
    File(Text<'a>),
    /// A document that is plain text.
    PlainText(Text<'a>),
}

/// A call of a tool by the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Empty where the dialect gives none; [`translate`](crate::translate) then makes one up.
    pub id: Text<'a>,
    pub name: Text<'a>,
    /// JSON text as the model wrote it: nearly always an object, but not checked to be one. Empty means `{}`.
    pub arguments: Text<'a>,
    /// Gemini signs calls.
    pub signature: Option<Signature<'a>>,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult<'a> {
    /// The call that it answers; empty where the dialect matches by name.
    pub call_id: Text<'a>,
    /// The tool's name, where the dialect tells it; [`translate`](crate::translate) fills it in from the call.
    pub name: Option<Text<'a>>,
    /// Text, media, or [`PartBody::Opaque`] JSON.
    pub content: Vec<Part<'a>>,
    /// The result as a JSON object, in dialects that answer so (Gemini's `response`, Bedrock's `json`); `content` is
    /// then empty.
    pub json: Option<Json<'a>>,
    pub is_error: bool,
}

/// What the model thought before it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasoning<'a> {
    /// OpenAI Responses names its items.
    pub id: Option<Text<'a>>,
    /// May be empty if only a signature or encrypted content is told.
    pub text: Text<'a>,
    /// The text is a summary of the thoughts and not the thoughts.
    pub is_summary: bool,
    /// Proves that the text is the model's own; must go back unchanged.
    pub signature: Option<Signature<'a>>,
    /// Thoughts that only the provider can read (Anthropic's `redacted_thinking`, OpenAI's `encrypted_content`).
    pub encrypted: Option<Signature<'a>>,
}

/// A mark up to which the prompt shall be cached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheControl<'a> {
    /// `5m` or `1h`; `None` is the provider's own.
    pub ttl: Option<Text<'a>>,
}

/// Something the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool<'a> {
    pub body: ToolBody<'a>,
    pub cache: Option<CacheControl<'a>>,
    pub extras: Extras<'a>,
}

/// What a tool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolBody<'a> {
    /// Run by the client.
    Function(FunctionTool<'a>),
    /// A provider's own tool: the whole JSON value, known only to its own dialect.
    Opaque(Json<'a>),
}

/// A function the client runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionTool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    /// JSON Schema of the arguments.
    pub parameters: Option<Json<'a>>,
    /// Arguments must follow the schema exactly.
    pub strict: Option<bool>,
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    /// This function must be called.
    Function(Text<'a>),
    /// One of these must (`required`) or may be called.
    Allowed {
        names: Vec<Text<'a>>,
        required: bool,
    },
    /// Known only to its own dialect.
    Opaque(Json<'a>),
}

/// The functions that a choice leaves.
#[derive(Debug)]
pub(crate) enum Callable<'r> {
    All,
    Only(HashSet<&'r str>),
}

impl Callable<'_> {
    /// Where only some tools may be called, and the dialect has no other word for it, the others are not told of.
    pub(crate) fn holds(&self, tool: &Tool<'_>) -> bool {
        match (self, &tool.body) {
            (Callable::All, _) => true,
            (Callable::Only(names), ToolBody::Function(function)) => names.contains(function.name.as_ref()),
            (Callable::Only(_), ToolBody::Opaque(_)) => false,
        }
    }
}

impl Request<'_> {
    /// The functions that [`ToolChoice::Allowed`] leaves.
    pub(crate) fn callable(&self) -> Callable<'_> {
        match &self.tool_choice {
            Some(ToolChoice::Allowed { names, .. }) => Callable::Only(names.iter().map(AsRef::as_ref).collect()),
            None
            | Some(
                ToolChoice::Auto
                | ToolChoice::None
                | ToolChoice::Required
                | ToolChoice::Function(_)
                | ToolChoice::Opaque(_),
            ) => Callable::All,
        }
    }
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseFormat<'a> {
    Text,
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<Text<'a>>,
        description: Option<Text<'a>>,
        schema: Json<'a>,
        strict: Option<bool>,
    },
    /// Known only to its own dialect.
    Opaque(Json<'a>),
}

/// Whether and how much the model shall think.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReasoningRequest<'a> {
    /// `Some(false)`: it shall not think. `None`: as its effort or budget says.
    pub enabled: Option<bool>,
    pub effort: Option<Effort<'a>>,
    pub budget_tokens: Option<u64>,
    /// The client wants to read the thoughts (Gemini's `includeThoughts`) or their summary (OpenAI's `summary`).
    pub show: Option<Text<'a>>,
}

impl ReasoningRequest<'_> {
    /// The wish as a switch, with the tokens that may be spent on thoughts; `None` if nothing is wished.
    pub fn switch(&self) -> Option<(bool, Option<u64>)> {
        let budget = self.budget_tokens.or_else(|| self.effort.as_ref().map(Effort::budget));
        let enabled = match (self.enabled, budget) {
            (Some(enabled), _) => enabled && budget != Some(0),
            (None, Some(budget)) => budget > 0,
            (None, None) => return None,
        };
        Some((enabled, budget.filter(|_| enabled)))
    }
}

/// How hard to think, in OpenAI's and Anthropic's words: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort<'a>(pub Text<'a>);

impl Effort<'_> {
    /// APISIX's ladder: from 4096 tokens on `high`, from 2048 `medium`, from 1024 `low`, else `minimal`.
    pub fn from_budget(tokens: u64) -> Effort<'static> {
        let effort = match tokens {
            4096.. => "high",
            2048.. => "medium",
            1024.. => "low",
            _ => "minimal",
        };
        Effort(effort.into())
    }

    /// Tokens that stand for this effort where a dialect counts them; 0 is no thinking. Follows the same ladder,
    /// with room above it. An unknown word counts as `medium`.
    pub fn budget(&self) -> u64 {
        match self.0.as_ref() {
            "none" => 0,
            "minimal" | "low" => 1024,
            "high" => 8192,
            "xhigh" => 16_384,
            "max" => 32_768,
            _ => 2048,
        }
    }
}
