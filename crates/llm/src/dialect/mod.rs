//! The wire dialects of conversations, each with a reader and a writer between its JSON and the [model](crate::model).
//!
//! A dialect is one row, its [`Codec`]; N rows give every pair, and nothing is written per pair. Invariant: readers
//! accept what their provider and its SDKs send, also what is unknown to them, and never panic; writers write what
//! their dialect's strictest reader accepts and tell [`Losses`] of all they leave out. Called by
//! [`translate`](crate::translate).

mod anthropic;
mod bedrock;
mod calls;
pub(crate) mod chat;
mod cited;
mod client;
mod cohere;
mod data_uri;
mod gemini;
mod media_type;
mod native;
mod origin;
mod placed;
mod responses;
mod strict_schema;

pub(crate) use bedrock::write_exception;
pub use client::{ClientDialect, InvokeFamily};
pub(crate) use native::MULTIMODAL_MODELS;
pub use native::ProviderDialect;
use origin::Origin;

use std::fmt;
use std::str::FromStr;

use crate::json::Raw;
use crate::model::{Event, Feature, Losses, Request, Response, Signature};
use crate::protocol::{Protocol, UnknownProtocol};

/// A wire dialect of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
    /// Amazon Bedrock Converse.
    BedrockConverse,
    /// Cohere v2 Chat.
    Cohere,
}

impl Dialect {
    /// Every dialect, in the order of the documentation's tables.
    pub const ALL: [Dialect; 6] = [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::Anthropic,
        Dialect::Gemini,
        Dialect::BedrockConverse,
        Dialect::Cohere,
    ];

    /// The name in configuration and in signatures' tags; the same as the protocol's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAiChat => "openai-chat",
            Dialect::OpenAiResponses => "openai-responses",
            Dialect::Anthropic => "anthropic-messages",
            Dialect::Gemini => "gemini-generate",
            Dialect::BedrockConverse => "bedrock-converse",
            Dialect::Cohere => "cohere-chat",
        }
    }

    /// The protocol that speaks the dialect.
    pub const fn protocol(self) -> Protocol {
        match self {
            Dialect::OpenAiChat => Protocol::OpenAiChat,
            Dialect::OpenAiResponses => Protocol::OpenAiResponses,
            Dialect::Anthropic => Protocol::AnthropicMessages,
            Dialect::Gemini => Protocol::GeminiGenerate,
            Dialect::BedrockConverse => Protocol::BedrockConverse,
            Dialect::Cohere => Protocol::CohereChat,
        }
    }

    /// What the dialect has words for: its writer never loses these.
    pub fn carries(self) -> &'static [Feature] {
        self.codec().carries
    }

    /// Reads a request's body. Where the dialect names the model or streaming in the path, they are left empty.
    ///
    /// # Errors
    /// If the body is not what the dialect says.
    pub fn read_request<'a>(self, body: Raw<'a>) -> Result<Request<'a>, ReadError> {
        (self.codec().read_request)(body)
    }

    /// Writes a request's body, and tells what was left out.
    pub fn write_request(self, request: &Request<'_>, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
        (self.codec().write_request)(request, quirks, losses)
    }

    /// Reads a whole answer. Unlike a request it has not been scanned yet, so it is checked
    /// first: half an answer is none.
    ///
    /// # Errors
    /// If the body is not well-formed, or not what the dialect says.
    pub fn read_response<'a>(self, body: Raw<'a>) -> Result<Response<'a>, ReadError> {
        let body = Raw::checked(body.bytes).ok_or_else(|| ReadError::new("the answer is not well-formed JSON"))?;
        (self.codec().read_response)(body)
    }

    /// Writes a whole answer, and tells what was left out.
    pub fn write_response(self, response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
        (self.codec().write_response)(response, reply, losses)
    }

    /// A reader of one streamed answer.
    pub fn stream_reader(self) -> Box<dyn EventReader> {
        (self.codec().stream_reader)()
    }

    /// A writer of one streamed answer.
    pub fn stream_writer(self, reply: Reply) -> Box<dyn EventWriter> {
        (self.codec().stream_writer)(reply)
    }

    pub(crate) fn codec(self) -> &'static Codec {
        match self {
            Dialect::OpenAiChat => &chat::CODEC,
            Dialect::OpenAiResponses => &responses::CODEC,
            Dialect::Anthropic => &anthropic::CODEC,
            Dialect::Gemini => &gemini::CODEC,
            Dialect::BedrockConverse => &bedrock::CODEC,
            Dialect::Cohere => &cohere::CODEC,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Dialect::ALL.into_iter();
        all.find(|dialect| dialect.as_str() == name).ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}

/// `true` if `signature` stands for a text of thoughts, which must come back with it. Gemini's stands for what follows
/// it, OpenAI's and Cohere's for no text that a client sees.
pub(crate) fn signs_thoughts(signature: &Signature<'_>) -> bool {
    match signature.origin {
        Dialect::Anthropic | Dialect::BedrockConverse => true,
        Dialect::OpenAiChat => chat::marks_thoughts(&signature.value),
        Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Cohere => false,
    }
}

/// The list in which bodies at the clouds ask for previews of Anthropic's models.
pub(crate) const BETAS: &str = "anthropic_beta";

/// One dialect: its readers, its writers, and what they carry.
pub(crate) struct Codec {
    /// Reads a request's body. Where the dialect names the model or streaming in the path, they are left empty.
    pub read_request: for<'a> fn(Raw<'a>) -> Result<Request<'a>, ReadError>,
    /// Writes a request's body.
    pub write_request: fn(&Request<'_>, &Quirks, &mut Losses) -> Vec<u8>,
    /// Reads a whole answer.
    pub read_response: for<'a> fn(Raw<'a>) -> Result<Response<'a>, ReadError>,
    /// Writes a whole answer.
    pub write_response: fn(&Response<'_>, &Reply, &mut Losses) -> Vec<u8>,
    pub stream_reader: fn() -> Box<dyn EventReader>,
    pub stream_writer: fn(Reply) -> Box<dyn EventWriter>,
    pub carries: &'static [Feature],
    /// Which names of functions the dialect's providers accept.
    pub names: NameRule,
    /// Which identifiers of calls the dialect's providers accept.
    pub call_ids: NameRule,
}

/// What a name may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameRule {
    pub min_length: usize,
    pub max_length: usize,
    /// Allowed beside ASCII letters and digits.
    pub punctuation: &'static str,
    /// What it does not begin with.
    pub never_first: &'static str,
}

impl NameRule {
    pub(crate) fn accepts(self, name: &str) -> bool {
        let allowed = |character: char| character.is_ascii_alphanumeric() || self.punctuation.contains(character);
        let begins_well = !name.starts_with(|first: char| self.never_first.contains(first));
        begins_well && (self.min_length..=self.max_length).contains(&name.len()) && name.chars().all(allowed)
    }
}

/// What a provider wants otherwise than its dialect's first speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// How OpenAI Chat's limit of output tokens is spelt: `max_completion_tokens` or `max_tokens`.
    pub max_tokens_field: &'static str,
    /// OpenAI Chat's role `developer` is known; else `system` stands in.
    pub developer_role: bool,
    /// How OpenAI Chat's seed for sampling is spelt: `seed` or `random_seed`.
    pub seed_field: &'static str,
    /// How many letters and digits an identifier of a call has, where the provider insists on a number.
    pub call_id_length: Option<usize>,
    /// How OpenAI Chat's wish to think is spelt.
    pub thinking: ThinkingField,
    /// When OpenAI Chat's `tool_choice` may ask for more than `auto`.
    pub tool_choice: ToolChoices,
    /// When OpenAI Chat's streams tell usage.
    pub stream_usage: StreamUsage,
    /// Where the thoughts of earlier turns go in OpenAI Chat.
    pub thoughts: ThoughtField,
    /// How OpenAI Chat's documents are spelt.
    pub documents: DocumentPart,
    /// What the provider does not take, though OpenAI Chat has words for it.
    pub refuses: &'static [Refused],
}

/// When a provider of OpenAI's chat dialect tells usage in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// If `stream_options.include_usage` asks for it.
    WhenAsked,
    /// In every stream; the question may be refused.
    Always,
}

/// Settings of OpenAI's chat dialect that not all of its providers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// By frequency and by presence.
    Penalties,
    /// The mark that arguments must follow a tool's schema exactly.
    StrictTools,
    /// The identifier of the client's user.
    EndUser,
    /// A bias per token.
    LogitBias,
    /// The tier that serves the request.
    ServiceTier,
    /// How wordy the answer is.
    Verbosity,
    /// Names of speakers.
    TurnNames,
    /// A refusal in a field of its own; it is told as text.
    Refusals,
}

/// How a provider of OpenAI's chat dialect is asked to think, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingField {
    /// With `reasoning_effort`; there is no word for the wish not to think.
    Effort,
    /// With `reasoning_effort`, or with `thinking.type` not to think. APISIX tells the provider nothing of that wish
    /// where it comes from Anthropic's clients.
    EffortOrType,
    /// With `thinking.type` and the effort, for its models think unless they are told not to.
    Type,
    /// With `enable_thinking` and `thinking_budget`.
    Budget,
}

/// Where a provider of OpenAI's chat dialect takes back the thoughts of earlier turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThoughtField {
    /// In whichever field they were told.
    AsTold,
    ReasoningContent,
    Reasoning,
    /// As parts of the content.
    Parts,
    /// Only Google's signatures, in `extra_content`.
    Signatures,
    Nowhere,
}

/// How a provider of OpenAI's chat dialect is given a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentPart {
    /// As `file`, which holds its bytes and its name; there is no word for an address.
    File,
    /// As `document_url`: an address, or a data URI.
    DocumentUrl,
}

/// Which choices among tools a provider of OpenAI's chat dialect accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolChoices {
    All,
    /// No call may be demanded of a model that thinks.
    FreeWhileThinking,
    OnlyAuto,
}

impl Quirks {
    /// OpenAI has none.
    pub const OF_OPENAI: Self = Self {
        max_tokens_field: "max_completion_tokens",
        developer_role: true,
        seed_field: "seed",
        call_id_length: None,
        thinking: ThinkingField::Effort,
        tool_choice: ToolChoices::All,
        stream_usage: StreamUsage::WhenAsked,
        thoughts: ThoughtField::AsTold,
        documents: DocumentPart::File,
        refuses: &[],
    };

    /// Which identifiers of calls the provider accepts; `usual` are those of its dialect.
    pub(crate) fn call_ids(&self, usual: NameRule) -> NameRule {
        self.call_id_length.map_or(usual, |length| NameRule {
            min_length: length,
            max_length: length,
            punctuation: "",
            never_first: "",
        })
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::OF_OPENAI
    }
}

/// What an answer needs that its provider may not have told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The answer's identifier, if the provider gives none.
    pub id: Box<str>,
    /// The model, if the provider names none.
    pub model: Box<str>,
    /// Seconds since 1970, if the provider does not tell.
    pub created: u64,
    /// The client wants usage in the stream; only OpenAI Chat leaves it out otherwise.
    pub include_usage: bool,
    /// How the client wants its stream framed; only Gemini leaves it a choice.
    pub stream_form: StreamForm,
}

/// How a streamed answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StreamForm {
    /// Each chunk is a server-sent event, or whatever the dialect's framing is.
    #[default]
    Sse,
    /// The chunks are elements of one JSON array: Gemini's `streamGenerateContent` without `alt=sse`.
    JsonArray,
}

/// A body that is JSON, but not what its dialect says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

impl ReadError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// One frame of a stream: a server-sent event, or a message of an AWS event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// `event:`, or `:event-type` or `:exception-type`; empty if there is none.
    pub name: &'a [u8],
    /// `data:`, or the payload.
    pub data: &'a [u8],
    /// The message's `:message-type` is not `event`.
    pub is_exception: bool,
}

/// Reads a stream, frame by frame.
pub trait EventReader: Send {
    /// Takes in the next frame and tells what is in it. Frames that are no JSON or not understood tell nothing.
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>));

    /// The answer is complete if the provider's bytes end now.
    fn may_end(&self) -> bool;

    /// Citations need not be told, nor what only they need be kept.
    fn forgo_citations(&mut self) {}
}

/// Writes a stream, event by event.
pub trait EventWriter: Send {
    /// Appends to `out` what `event` becomes; often nothing, sometimes several frames.
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>);

    /// Appends what ends the stream well: open parts are closed, stop reason and usage told, the end marker set.
    /// Called once, after the last event; nothing is written afterwards.
    fn finish(&mut self, out: &mut Vec<u8>);
}
