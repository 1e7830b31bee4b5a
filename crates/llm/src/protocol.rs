//! The names of the wire protocols, as APISIX's configuration and log fields spell them.

use std::fmt;
use std::str::FromStr;

/// A wire protocol between a client and an LLM provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    OpenAiChat,
    OpenAiResponses,
    OpenAiEmbeddings,
    AnthropicMessages,
    BedrockConverse,
    /// JSON that is forwarded without being understood.
    Passthrough,
}

impl Protocol {
    /// Every protocol; the order has no meaning.
    pub const ALL: [Protocol; 6] = [
        Protocol::OpenAiChat,
        Protocol::OpenAiResponses,
        Protocol::OpenAiEmbeddings,
        Protocol::AnthropicMessages,
        Protocol::BedrockConverse,
        Protocol::Passthrough,
    ];

    /// The name in APISIX's configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::OpenAiChat => "openai-chat",
            Protocol::OpenAiResponses => "openai-responses",
            Protocol::OpenAiEmbeddings => "openai-embeddings",
            Protocol::AnthropicMessages => "anthropic-messages",
            Protocol::BedrockConverse => "bedrock-converse",
            Protocol::Passthrough => "passthrough",
        }
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
