//! The rows: what is known of each protocol, by the providers' API references.
//!
//! Invariant: every protocol has exactly one row, or this does not compile; rows are in order of precedence.

use super::passed;
use super::path::{NamesModel, PathForm};
use super::{
    AnswerKind, BodyRule, Conversation, Endpoint, EndpointPath, Framing, ModelAgain, StreamFlag, Unlisted, UsageFields,
};
use crate::dialect::{ClientDialect, Dialect, ProviderDialect};
use crate::protocol::Protocol;
use crate::sse::MAX_EVENT_BYTES;

/// Responses events may hold a whole picture in base64.
pub(super) const IMAGE_EVENT_BYTES: usize = 16 << 20;

pub(super) static CHAT_USAGE: UsageFields = UsageFields {
    prompt: "prompt_tokens",
    completion: "completion_tokens",
    total: "total_tokens",
    // DeepSeek counts hits at the top level as well, and Mistral did.
    cached: &[&["prompt_tokens_details", "cached_tokens"], &["prompt_cache_hit_tokens"], &["num_cached_tokens"]],
    cache_creation: &[&["prompt_tokens_details", "cache_creation_input_tokens"]],
    reasoning: &[&["completion_tokens_details", "reasoning_tokens"]],
};

pub(super) static RESPONSES_USAGE: UsageFields = UsageFields {
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
pub(super) const PLAIN: Endpoint = Endpoint {
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

pub(super) static ROWS: [Endpoint; Protocol::ALL.len()] = [
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
pub(super) static PLACES: [usize; Protocol::ALL.len()] = {
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
