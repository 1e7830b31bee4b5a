//! The wire protocols. What is true of each stands in its row of the [endpoints](crate::endpoint::Endpoint).

use std::fmt;
use std::str::FromStr;

use crate::dialect::{ClientDialect, Dialect, ProviderDialect};
use crate::endpoint::{Conversation, endpoint};

/// A wire protocol between a client and an LLM provider: a dialect of conversations, or one of the smaller exchanges
/// beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    OpenAiChat,
    OpenAiResponses,
    OpenAiEmbeddings,
    AnthropicMessages,
    BedrockConverse,
    /// Gemini's and Vertex's `generateContent` and `streamGenerateContent`.
    GeminiGenerate,
    /// Cohere's v2 chat.
    CohereChat,
    /// OpenAI's older `/v1/completions`.
    OpenAiCompletions,
    OpenAiModerations,
    /// `/v1/rerank` and `/v2/rerank`, as Cohere, Jina, Voyage and vLLM serve it.
    Rerank,
    AnthropicCountTokens,
    GeminiCountTokens,
    /// Of a Converse body, or of an `invoke` body in base64.
    BedrockCountTokens,
    GeminiEmbed,
    GeminiBatchEmbed,
    /// A model family's own body in Bedrock's `invoke` and `invoke-with-response-stream`.
    BedrockInvoke,
    /// Vertex's `predict`, spoken to providers alone.
    VertexPredict,
    /// Cohere's v2 embed.
    CohereEmbed,
    /// Ollama's `/api/embed`, spoken to providers alone.
    OllamaEmbed,
    /// DashScope's own text embedding, spoken to providers alone.
    DashScopeEmbed,
    /// Ollama's `/api/chat`, spoken to providers alone.
    OllamaChat,
    /// DashScope's `generation`, spoken to providers alone.
    DashScopeGeneration,
    /// Voyage's rerank, spoken to providers alone.
    VoyageRerank,
    /// DashScope's own text rerank, spoken to providers alone.
    DashScopeRerank,
    /// `/v1/images/…`: pictures made, changed or varied.
    Images,
    /// `/v1/audio/speech`: text that is spoken.
    Speech,
    /// `/v1/audio/transcriptions` and `/v1/audio/translations`: recordings that are written down.
    Transcriptions,
    /// `/v1/videos…`: films, made in the background.
    Videos,
    /// `/v1/files…` of OpenAI and Anthropic, OpenAI's `/v1/uploads…`, Gemini's files.
    Files,
    /// OpenAI's `/v1/batches…` and Anthropic's `/v1/messages/batches…`.
    Batches,
    /// Responses and chats that the provider has kept, by their identifiers.
    StoredResponses,
    /// Conversations over WebSocket, and what prepares them.
    Realtime,
    /// Gemini's and Vertex's `:predict` and `:predictLongRunning`, and what became of the latter.
    GeminiPredict,
    /// `/v1/models…`: which models there are.
    Models,
    /// JSON that is forwarded without being understood.
    Passthrough,
}

impl Protocol {
    /// Every protocol; the order has no meaning.
    pub const ALL: [Protocol; 35] = [
        Protocol::OpenAiChat,
        Protocol::OpenAiResponses,
        Protocol::OpenAiEmbeddings,
        Protocol::AnthropicMessages,
        Protocol::BedrockConverse,
        Protocol::GeminiGenerate,
        Protocol::CohereChat,
        Protocol::OpenAiCompletions,
        Protocol::OpenAiModerations,
        Protocol::Rerank,
        Protocol::AnthropicCountTokens,
        Protocol::GeminiCountTokens,
        Protocol::BedrockCountTokens,
        Protocol::GeminiEmbed,
        Protocol::GeminiBatchEmbed,
        Protocol::BedrockInvoke,
        Protocol::VertexPredict,
        Protocol::CohereEmbed,
        Protocol::OllamaEmbed,
        Protocol::DashScopeEmbed,
        Protocol::OllamaChat,
        Protocol::DashScopeGeneration,
        Protocol::VoyageRerank,
        Protocol::DashScopeRerank,
        Protocol::Images,
        Protocol::Speech,
        Protocol::Transcriptions,
        Protocol::Videos,
        Protocol::Files,
        Protocol::Batches,
        Protocol::StoredResponses,
        Protocol::Realtime,
        Protocol::GeminiPredict,
        Protocol::Models,
        Protocol::Passthrough,
    ];

    /// The name in APISIX's configuration; ours for those that APISIX does not know.
    pub fn as_str(self) -> &'static str {
        endpoint(self).name
    }

    /// The dialect, if the protocol is one of conversations.
    pub fn dialect(self) -> Option<Dialect> {
        match endpoint(self).conversation {
            Conversation::Shared(dialect) => Some(dialect),
            Conversation::None | Conversation::OfClients(_) | Conversation::OfProviders(_) => None,
        }
    }

    /// How a client speaks, if the protocol is one of conversations with clients.
    pub fn client_dialect(self) -> Option<ClientDialect> {
        match endpoint(self).conversation {
            Conversation::Shared(dialect) => Some(ClientDialect::Shared(dialect)),
            Conversation::OfClients(client) => Some(client),
            Conversation::None | Conversation::OfProviders(_) => None,
        }
    }

    /// How a provider is spoken to, if the protocol is one of conversations with providers.
    pub fn provider_dialect(self) -> Option<ProviderDialect> {
        match endpoint(self).conversation {
            Conversation::Shared(dialect) => Some(ProviderDialect::Shared(dialect)),
            Conversation::OfProviders(provider) => Some(provider),
            Conversation::None | Conversation::OfClients(_) => None,
        }
    }

    /// The dialect in which the protocol's errors are told: its own, or that of the family it belongs to.
    pub fn family(self) -> Dialect {
        endpoint(self).family
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The text is no protocol's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown AI protocol {0:?}")]
pub struct UnknownProtocol(pub String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Protocol::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == name)
            .ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}
