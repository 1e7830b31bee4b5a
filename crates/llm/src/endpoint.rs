//! LLM endpoints as data: one row per protocol says what it is called and who speaks it, how a request is recognised,
//! how its stream is framed and where the facts stand in its bodies. Adding an endpoint adds a row.
//!
//! Invariant: rows are in order of precedence, and the first that matches wins. [`passing`] is asked once per request,
//! before its body is read, and [`detect`] once for each whose body is.

mod passed;
mod path;

use std::borrow::Cow;

pub use path::{BodyKind, IdPlace, NamesModel, PathForm, RequestPath};

use path::KnownPath;

use crate::dialect::{ClientDialect, Dialect, ProviderDialect};
use crate::json::Kind;
use crate::protocol::Protocol;
use crate::scan::BodyScan;
use crate::sse::MAX_EVENT_BYTES;

/// Responses events may hold a whole picture in base64.
const IMAGE_EVENT_BYTES: usize = 16 << 20;

/// What a request body must be for a row to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// A top-level field that is an array or an object.
    HasList(&'static str),
    /// A top-level field that is there, if only as `null`.
    HasField(&'static str),
    /// Any object or array.
    Container,
    /// An object or array with something in it.
    NonEmpty,
    /// No request matches.
    Never,
}

impl BodyRule {
    fn accepts(self, scan: &BodyScan) -> bool {
        let container = matches!(scan.top_level(), Kind::Object | Kind::Array);
        match self {
            BodyRule::HasList(name) => {
                matches!(scan.kind_of(name), Some(Kind::Array | Kind::Object))
            }
            BodyRule::HasField(name) => scan.kind_of(name).is_some(),
            BodyRule::Container => container,
            BodyRule::NonEmpty => container && !scan.is_empty(),
            BodyRule::Never => false,
        }
    }
}

/// How a request says that it wants a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFlag {
    Never,
    /// The body's `stream` is the literal `true`.
    Body,
    /// The path alone says so.
    Always,
}

/// Who holds conversations in a protocol, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversation {
    /// Nobody: it is of something else.
    None,
    /// Clients and providers.
    Shared(Dialect),
    /// Clients alone.
    OfClients(ClientDialect),
    /// Providers alone; or clients, too, whose bodies tell how they speak.
    OfProviders(ProviderDialect),
}

/// What becomes of a request whose protocol the provider's row does not list, if it is neither translated nor mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is sent as it came, to the path it came to.
    Passed,
    /// APISIX refuses it, or it would mean nothing elsewhere.
    Refused,
    /// The gateway knows the answer: it counts the tokens.
    Counted,
}

/// Whether an endpoint's path, where the configuration gives one, takes the place of the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointPath {
    /// A model answers there.
    Obeyed,
    /// A count of tokens must not become a conversation, and what a provider keeps is found under its identifier.
    Ignored,
}

/// Where a body says again which model its path names, in Google's `models/ID`. The provider refuses two that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelAgain {
    Nowhere,
    /// In each element of this top-level list.
    InEach(&'static str),
    /// In these top-level objects, where they are there: the spellings of one.
    In(&'static [&'static str]),
}

/// How a streamed answer is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// This endpoint never streams.
    None,
    /// Server-sent events whose kind is told by their data.
    Sse,
    /// Server-sent events whose kind is told by their name, or by `type` in their data.
    NamedSse,
    /// `application/vnd.amazon.eventstream`, binary frames.
    AwsEventStream,
}

/// Where the counts stand in a usage object. Each list holds alternatives: the first that is there wins.
#[derive(Debug)]
pub struct UsageFields {
    pub prompt: &'static str,
    pub completion: &'static str,
    pub total: &'static str,
    pub cached: &'static [&'static [&'static str]],
    pub cache_creation: &'static [&'static [&'static str]],
    pub reasoning: &'static [&'static [&'static str]],
}

/// What an answer may be when it is no stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// JSON, which is read whole.
    Json,
    /// Anything. JSON is read whole where it tells usage; all else passes piece by piece.
    Any,
}

/// One row of the table.
#[derive(Debug)]
pub struct Endpoint {
    pub protocol: Protocol,
    /// The protocol's name in APISIX's configuration; ours for those that APISIX does not know.
    pub name: &'static str,
    pub conversation: Conversation,
    /// The dialect in which the protocol's errors are told: its own, or that of the family it belongs to.
    pub family: Dialect,
    pub unlisted: Unlisted,
    /// The request's path has one of these forms; any path if there are none.
    pub paths: &'static [PathForm],
    /// How a stream is asked for where any path will do; a form of path says so itself.
    pub stream: StreamFlag,
    pub body: BodyRule,
    pub answer: AnswerKind,
    pub framing: Framing,
    /// How large an unfinished event of the stream may get before it is passed over.
    pub max_event_bytes: usize,
    /// Events that end a stream well: data for [`Framing::Sse`], names for [`Framing::NamedSse`].
    pub terminators: &'static [&'static str],
    /// Request fields that hold what the model reads.
    pub prompt_fields: &'static [&'static str],
    /// Where the usage object is in a buffered answer; empty if there is none.
    pub usage_at: &'static [&'static str],
    pub usage: &'static UsageFields,
    /// Where the request names its end user; the first that is a string wins.
    pub end_user: &'static [&'static [&'static str]],
    pub model_again: ModelAgain,
    pub endpoint_path: EndpointPath,
}

static CHAT_USAGE: UsageFields = UsageFields {
    prompt: "prompt_tokens",
    completion: "completion_tokens",
    total: "total_tokens",
    // DeepSeek counts hits at the top level as well, and Mistral did.
    cached: &[&["prompt_tokens_details", "cached_tokens"], &["prompt_cache_hit_tokens"], &["num_cached_tokens"]],
    cache_creation: &[&["prompt_tokens_details", "cache_creation_input_tokens"]],
    reasoning: &[&["completion_tokens_details", "reasoning_tokens"]],
};

static RESPONSES_USAGE: UsageFields = UsageFields {
    prompt: "input_tokens",
    completion: "output_tokens",
    total: "total_tokens",
    cached: &[&["input_tokens_details", "cached_tokens"]],
    cache_creation: &[],
    reasoning: &[&["output_tokens_details", "reasoning_tokens"]],
};

static ANTHROPIC_USAGE: UsageFields = UsageFields {
    prompt: "input_tokens",
    completion: "output_tokens",
    // No total is sent; the sum stands in.
    total: "",
    cached: &[&["cache_read_input_tokens"]],
    cache_creation: &[&["cache_creation_input_tokens"]],
    reasoning: &[],
};

static BEDROCK_USAGE: UsageFields = UsageFields {
    prompt: "inputTokens",
    completion: "outputTokens",
    total: "totalTokens",
    cached: &[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]],
    cache_creation: &[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]],
    reasoning: &[],
};

static GEMINI_EMBED_USAGE: UsageFields = UsageFields {
    prompt: "promptTokenCount",
    completion: "",
    total: "totalTokenCount",
    cached: &[],
    cache_creation: &[],
    reasoning: &[],
};

static COHERE_EMBED_USAGE: UsageFields =
    UsageFields { prompt: "input_tokens", completion: "", total: "", cached: &[], cache_creation: &[], reasoning: &[] };

static NO_USAGE: UsageFields =
    UsageFields { prompt: "", completion: "", total: "", cached: &[], cache_creation: &[], reasoning: &[] };

/// What most rows have in common.
const PLAIN: Endpoint = Endpoint {
    protocol: Protocol::Passthrough,
    name: "passthrough",
    conversation: Conversation::None,
    family: Dialect::OpenAiChat,
    unlisted: Unlisted::Passed,
    paths: &[],
    stream: StreamFlag::Never,
    body: BodyRule::NonEmpty,
    answer: AnswerKind::Json,
    framing: Framing::None,
    max_event_bytes: MAX_EVENT_BYTES,
    terminators: &[],
    prompt_fields: &[],
    usage_at: &[],
    usage: &NO_USAGE,
    end_user: &[],
    model_again: ModelAgain::Nowhere,
    endpoint_path: EndpointPath::Obeyed,
};

/// What most rows of a dialect have in common.
const fn speaks(dialect: Dialect) -> Endpoint {
    Endpoint {
        protocol: dialect.protocol(),
        name: dialect.as_str(),
        conversation: Conversation::Shared(dialect),
        family: dialect,
        unlisted: Unlisted::Refused,
        stream: StreamFlag::Body,
        ..PLAIN
    }
}

/// What rows that only providers speak have in common: no request comes in so.
const SPOKEN_TO_PROVIDERS: Endpoint = Endpoint { body: BodyRule::Never, unlisted: Unlisted::Refused, ..PLAIN };

const OPENAI_END_USER: &[&[&str]] = &[&["safety_identifier"], &["user"]];

static ROWS: [Endpoint; Protocol::ALL.len()] = [
    Endpoint {
        paths: &[
            PathForm { names_model: NamesModel::IfThere, ..PathForm::of("/converse", StreamFlag::Body) },
            PathForm { names_model: NamesModel::IfThere, ..PathForm::of("/converse-stream", StreamFlag::Always) },
        ],
        body: BodyRule::HasList("messages"),
        framing: Framing::AwsEventStream,
        terminators: &["messageStop", "metadata"],
        prompt_fields: &["system", "messages"],
        usage_at: &["usage"],
        usage: &BEDROCK_USAGE,
        ..speaks(Dialect::BedrockConverse)
    },
    Endpoint {
        paths: &[PathForm::of("/v1/messages", StreamFlag::Body)],
        body: BodyRule::Container,
        framing: Framing::NamedSse,
        terminators: &["message_stop"],
        prompt_fields: &["system", "messages", "tools"],
        usage_at: &["usage"],
        usage: &ANTHROPIC_USAGE,
        end_user: &[&["metadata", "user_id"]],
        ..speaks(Dialect::Anthropic)
    },
    Endpoint {
        // The latter without a version is Azure's.
        paths: &[PathForm::of("/v1/responses", StreamFlag::Body), PathForm::of("/openai/responses", StreamFlag::Body)],
        body: BodyRule::HasField("input"),
        framing: Framing::NamedSse,
        max_event_bytes: IMAGE_EVENT_BYTES,
        terminators: &["response.completed", "response.incomplete"],
        prompt_fields: &["instructions", "input", "tools"],
        usage_at: &["usage"],
        usage: &RESPONSES_USAGE,
        end_user: OPENAI_END_USER,
        ..speaks(Dialect::OpenAiResponses)
    },
    Endpoint {
        paths: &[
            PathForm::of_model(":generateContent", StreamFlag::Never),
            PathForm::of_model(":streamGenerateContent", StreamFlag::Always),
        ],
        body: BodyRule::HasList("contents"),
        stream: StreamFlag::Always,
        framing: Framing::Sse,
        max_event_bytes: IMAGE_EVENT_BYTES,
        prompt_fields: &["systemInstruction", "system_instruction", "contents", "tools"],
        usage_at: &["usageMetadata"],
        ..speaks(Dialect::Gemini)
    },
    Endpoint {
        paths: &[PathForm::of("/v2/chat", StreamFlag::Body)],
        body: BodyRule::HasList("messages"),
        framing: Framing::NamedSse,
        terminators: &["message-end"],
        prompt_fields: &["messages", "documents", "tools"],
        usage_at: &["usage"],
        ..speaks(Dialect::Cohere)
    },
    Endpoint {
        protocol: Protocol::AnthropicCountTokens,
        name: "anthropic-count-tokens",
        family: Dialect::Anthropic,
        unlisted: Unlisted::Counted,
        paths: &[PathForm::of("/v1/messages/count_tokens", StreamFlag::Never)],
        body: BodyRule::HasList("messages"),
        prompt_fields: &["system", "messages", "tools"],
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::GeminiCountTokens,
        name: "gemini-count-tokens",
        family: Dialect::Gemini,
        unlisted: Unlisted::Counted,
        paths: &[PathForm::of_model(":countTokens", StreamFlag::Never)],
        prompt_fields: &[
            "contents",
            "systemInstruction",
            "system_instruction",
            "tools",
            "generateContentRequest",
            "generate_content_request",
        ],
        model_again: ModelAgain::In(&["generateContentRequest", "generate_content_request"]),
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::BedrockCountTokens,
        name: "bedrock-count-tokens",
        family: Dialect::BedrockConverse,
        unlisted: Unlisted::Counted,
        paths: &[PathForm::of_model("/count-tokens", StreamFlag::Never)],
        body: BodyRule::HasField("input"),
        prompt_fields: &["input"],
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::GeminiEmbed,
        name: "gemini-embed",
        family: Dialect::Gemini,
        unlisted: Unlisted::Refused,
        paths: &[PathForm::of_model(":embedContent", StreamFlag::Never)],
        prompt_fields: &["content"],
        usage_at: &["usageMetadata"],
        usage: &GEMINI_EMBED_USAGE,
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::GeminiBatchEmbed,
        name: "gemini-batch-embed",
        family: Dialect::Gemini,
        unlisted: Unlisted::Refused,
        paths: &[PathForm::of_model(":batchEmbedContents", StreamFlag::Never)],
        prompt_fields: &["requests"],
        usage_at: &["usageMetadata"],
        usage: &GEMINI_EMBED_USAGE,
        model_again: ModelAgain::InEach("requests"),
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::BedrockInvoke,
        name: "bedrock-invoke",
        conversation: Conversation::OfProviders(ProviderDialect::BedrockInvoke),
        family: Dialect::BedrockConverse,
        unlisted: Unlisted::Refused,
        paths: &[
            PathForm::of_model("/invoke", StreamFlag::Never),
            PathForm::of_model("/invoke-with-response-stream", StreamFlag::Always),
        ],
        stream: StreamFlag::Always,
        framing: Framing::AwsEventStream,
        prompt_fields: &["system", "messages", "prompt", "inputText"],
        endpoint_path: EndpointPath::Ignored,
        ..PLAIN
    },
    Endpoint {
        body: BodyRule::HasList("messages"),
        framing: Framing::Sse,
        terminators: &["[DONE]"],
        prompt_fields: &["messages", "tools"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        end_user: OPENAI_END_USER,
        ..speaks(Dialect::OpenAiChat)
    },
    Endpoint {
        protocol: Protocol::OpenAiModerations,
        name: "openai-moderations",
        unlisted: Unlisted::Refused,
        paths: &[PathForm::of("/v1/moderations", StreamFlag::Never)],
        body: BodyRule::HasField("input"),
        prompt_fields: &["input"],
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::CohereEmbed,
        name: "cohere-embed",
        family: Dialect::Cohere,
        unlisted: Unlisted::Refused,
        paths: &[PathForm::of("/v2/embed", StreamFlag::Never)],
        prompt_fields: &["texts", "inputs"],
        usage_at: &["meta", "billed_units"],
        usage: &COHERE_EMBED_USAGE,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::Rerank,
        name: "rerank",
        family: Dialect::Cohere,
        paths: &[PathForm::of("/v1/rerank", StreamFlag::Never), PathForm::of("/v2/rerank", StreamFlag::Never)],
        body: BodyRule::HasList("documents"),
        prompt_fields: &["query", "documents"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        ..PLAIN
    },
    Endpoint {
        protocol: Protocol::OpenAiCompletions,
        name: "openai-completions",
        conversation: Conversation::OfClients(ClientDialect::Completions),
        unlisted: Unlisted::Refused,
        paths: &[PathForm::of("/v1/completions", StreamFlag::Body)],
        body: BodyRule::HasField("prompt"),
        stream: StreamFlag::Body,
        framing: Framing::Sse,
        terminators: &["[DONE]"],
        prompt_fields: &["prompt", "suffix"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        end_user: &[&["user"]],
        ..PLAIN
    },
    passed::IMAGES,
    passed::SPEECH,
    passed::TRANSCRIPTIONS,
    passed::VIDEOS,
    passed::FILES,
    passed::BATCHES,
    passed::STORED_RESPONSES,
    passed::REALTIME,
    passed::GEMINI_PREDICT,
    passed::MODELS,
    Endpoint {
        protocol: Protocol::OpenAiEmbeddings,
        name: "openai-embeddings",
        unlisted: Unlisted::Refused,
        body: BodyRule::HasField("input"),
        prompt_fields: &["input"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        ..PLAIN
    },
    Endpoint { stream: StreamFlag::Body, framing: Framing::Sse, ..PLAIN },
    Endpoint {
        protocol: Protocol::OllamaChat,
        name: "ollama-chat",
        conversation: Conversation::OfProviders(ProviderDialect::Ollama),
        ..SPOKEN_TO_PROVIDERS
    },
    Endpoint {
        protocol: Protocol::DashScopeGeneration,
        name: "dashscope-generation",
        conversation: Conversation::OfProviders(ProviderDialect::DashScope),
        ..SPOKEN_TO_PROVIDERS
    },
    Endpoint {
        protocol: Protocol::VertexPredict,
        name: "vertex-predict",
        family: Dialect::Gemini,
        prompt_fields: &["instances"],
        ..SPOKEN_TO_PROVIDERS
    },
    Endpoint { protocol: Protocol::OllamaEmbed, name: "ollama-embed", ..SPOKEN_TO_PROVIDERS },
    Endpoint { protocol: Protocol::DashScopeEmbed, name: "dashscope-embed", ..SPOKEN_TO_PROVIDERS },
    Endpoint { protocol: Protocol::VoyageRerank, name: "voyage-rerank", ..SPOKEN_TO_PROVIDERS },
    Endpoint { protocol: Protocol::DashScopeRerank, name: "dashscope-rerank", ..SPOKEN_TO_PROVIDERS },
];

/// Where each protocol's row is.
static PLACES: [usize; Protocol::ALL.len()] = {
    let mut places = [usize::MAX; Protocol::ALL.len()];
    let mut at = 0;
    while at < ROWS.len() {
        places[ROWS[at].protocol as usize] = at;
        at += 1;
    }
    let mut protocol = 0;
    while protocol < places.len() {
        assert!(places[protocol] < ROWS.len(), "a protocol has no row");
        protocol += 1;
    }
    places
};

/// The rows in order of precedence.
pub fn endpoints() -> &'static [Endpoint] {
    &ROWS
}

/// The row of `protocol`.
pub fn endpoint(protocol: Protocol) -> &'static Endpoint {
    &ROWS[PLACES[protocol as usize]]
}

impl Endpoint {
    /// Requests cost tokens that can be told from their text: counting tokens costs none.
    pub fn costs_tokens(&self) -> bool {
        !self.prompt_fields.is_empty() && self.unlisted != Unlisted::Counted
    }

    /// `true` if `path` has one of the row's forms.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let path = KnownPath::from(RequestPath { normal: path, sent: path });
        self.paths.iter().any(|form| form.is(&path))
    }
}

/// What a request's path and body tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected<'a> {
    pub protocol: Protocol,
    /// The model, from the path where that names it, else from the body.
    pub model: Option<Cow<'a, str>>,
    /// A streamed answer is asked for.
    pub stream: bool,
}

/// Which protocol a request to `path` with this body speaks; `None` if no row matches. A path that only some rows have
/// never hides a conversation from its own row.
pub fn detect<'a>(path: RequestPath<'a>, scan: &'a BodyScan) -> Option<Detected<'a>> {
    let known = KnownPath::from(path);
    ROWS.iter().find_map(|row| {
        let form = row.paths.iter().find(|form| form.is(&known));
        if (form.is_none() && !row.paths.is_empty()) || !row.body.accepts(scan) {
            return None;
        }
        let stream = match form.map_or(row.stream, |form| form.stream) {
            StreamFlag::Never => false,
            StreamFlag::Body => scan.stream(),
            StreamFlag::Always => true,
        };
        let model = form.and_then(|form| form.model(path)).or_else(|| scan.model());
        Some(Detected { protocol: row.protocol, model, stream })
    })
}

/// What a request brings beside its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Nothing,
    Json,
    Other,
}

/// A request whose body passes unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passing {
    pub protocol: Protocol,
    pub body: BodyKind,
}

/// How a request to `path` passes with its body unread; `None` if the body is to be read, and be JSON. A path of an
/// earlier row is never of a later one.
pub fn passing(path: RequestPath<'_>, content: Content) -> Option<Passing> {
    let path = KnownPath::from(path);
    let of_row = |row: &'static Endpoint| Some((row, row.paths.iter().find(|form| form.is(&path))?));
    let (row, form) = ROWS.iter().find_map(of_row)?;
    let passes = match form.body {
        BodyKind::Json => false,
        BodyKind::Multipart => content != Content::Json,
        BodyKind::Any => true,
        BodyKind::None | BodyKind::WebSocket => content == Content::Nothing,
    };
    passes.then_some(Passing { protocol: row.protocol, body: form.body })
}
