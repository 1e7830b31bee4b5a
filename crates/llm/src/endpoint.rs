//! LLM endpoints as data: one row per protocol says how a request is recognised, how its stream is framed and
//! where the facts stand in its bodies. Adding an endpoint adds a row.
//!
//! Invariant: rows are in order of precedence, and the first that matches wins. [`detect`] is called once per request.

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
        }
    }
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
    /// `application/vnd.amazon.eventstream`, binary frames. Forwarded, not decoded.
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

/// One row of the table.
#[derive(Debug)]
pub struct Endpoint {
    pub protocol: Protocol,
    /// The request path must end so. A plain suffix: `/llm/v1/messages` matches, a trailing slash does not.
    pub path_suffix: Option<&'static str>,
    pub body: BodyRule,
    pub framing: Framing,
    /// How large an unfinished event of the stream may get before the stream is no longer followed.
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
}

static CHAT_USAGE: UsageFields = UsageFields {
    prompt: "prompt_tokens",
    completion: "completion_tokens",
    total: "total_tokens",
    // DeepSeek counts hits at the top level as well.
    cached: &[&["prompt_tokens_details", "cached_tokens"], &["prompt_cache_hit_tokens"]],
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
    cached: &[],
    cache_creation: &[],
    reasoning: &[],
};

static ROWS: [Endpoint; 6] = [
    Endpoint {
        protocol: Protocol::BedrockConverse,
        path_suffix: Some("/converse"),
        body: BodyRule::HasList("messages"),
        framing: Framing::AwsEventStream,
        max_event_bytes: MAX_EVENT_BYTES,
        terminators: &["messageStop", "metadata"],
        prompt_fields: &["system", "messages"],
        usage_at: &["usage"],
        usage: &BEDROCK_USAGE,
        end_user: &[],
    },
    Endpoint {
        protocol: Protocol::AnthropicMessages,
        path_suffix: Some("/v1/messages"),
        body: BodyRule::Container,
        framing: Framing::NamedSse,
        max_event_bytes: MAX_EVENT_BYTES,
        terminators: &["message_stop"],
        prompt_fields: &["system", "messages", "tools"],
        usage_at: &["usage"],
        usage: &ANTHROPIC_USAGE,
        end_user: &[&["metadata", "user_id"]],
    },
    Endpoint {
        protocol: Protocol::OpenAiResponses,
        path_suffix: Some("/v1/responses"),
        body: BodyRule::HasField("input"),
        framing: Framing::NamedSse,
        max_event_bytes: IMAGE_EVENT_BYTES,
        terminators: &["response.completed", "response.incomplete"],
        prompt_fields: &["instructions", "input", "tools"],
        usage_at: &["usage"],
        usage: &RESPONSES_USAGE,
        end_user: &[&["safety_identifier"], &["user"]],
    },
    Endpoint {
        protocol: Protocol::OpenAiChat,
        path_suffix: None,
        body: BodyRule::HasList("messages"),
        framing: Framing::Sse,
        max_event_bytes: MAX_EVENT_BYTES,
        terminators: &["[DONE]"],
        prompt_fields: &["messages", "tools"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        end_user: &[&["safety_identifier"], &["user"]],
    },
    Endpoint {
        protocol: Protocol::OpenAiEmbeddings,
        path_suffix: None,
        body: BodyRule::HasField("input"),
        framing: Framing::None,
        max_event_bytes: MAX_EVENT_BYTES,
        terminators: &[],
        prompt_fields: &["input"],
        usage_at: &["usage"],
        usage: &CHAT_USAGE,
        end_user: &[],
    },
    Endpoint {
        protocol: Protocol::Passthrough,
        path_suffix: None,
        body: BodyRule::NonEmpty,
        framing: Framing::Sse,
        max_event_bytes: MAX_EVENT_BYTES,
        terminators: &[],
        prompt_fields: &[],
        usage_at: &[],
        usage: &CHAT_USAGE,
        end_user: &[],
    },
];

/// The rows in order of precedence.
pub fn endpoints() -> &'static [Endpoint] {
    &ROWS
}

/// The row of `protocol`.
pub fn endpoint(protocol: Protocol) -> &'static Endpoint {
    let index = match protocol {
        Protocol::BedrockConverse => 0,
        Protocol::AnthropicMessages => 1,
        Protocol::OpenAiResponses => 2,
        Protocol::OpenAiChat => 3,
        Protocol::OpenAiEmbeddings => 4,
        Protocol::Passthrough => 5,
    };
    &ROWS[index]
}

/// Which protocol a request to `path` (without query) with this body speaks; `None` if no row matches.
pub fn detect(path: &str, scan: &BodyScan) -> Option<Protocol> {
    ROWS.iter()
        .find(|row| row.path_suffix.is_none_or(|suffix| path.ends_with(suffix)) && row.body.accepts(scan))
        .map(|row| row.protocol)
}

/// `true` if a request of `protocol` with this body asks for a streamed answer.
pub fn wants_stream(protocol: Protocol, scan: &BodyScan) -> bool {
    endpoint(protocol).framing != Framing::None && scan.stream()
}
