//! Providers as data: where they are, which protocols they speak at which path, and what they want of a body.
//!
//! A row says only what holds without any configuration; an endpoint set by the user replaces host and path.
//! Read when a route's plan is compiled, never per request.

use crate::protocol::Protocol;

/// How a provider wants to be told the output limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTokensField {
    /// The top-level field that is set.
    pub set: &'static str,
    /// An older spelling that must not stand beside it.
    pub remove: Option<&'static str>,
}

/// One protocol that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    pub protocol: Protocol,
    /// The path if the configured endpoint has none.
    pub path: &'static str,
    /// `None`: `llm_options.max_tokens` has no effect here.
    pub max_tokens: Option<MaxTokensField>,
}

/// One provider of APISIX's `provider` enumeration.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    pub name: &'static str,
    pub scheme: &'static str,
    /// `None`: the user must configure an endpoint.
    pub host: Option<&'static str>,
    pub port: u16,
    pub capabilities: &'static [Capability],
    /// The model is named by the path, so the body's `model` is taken out.
    pub removes_model: bool,
}

impl Provider {
    /// The row called `name`.
    pub fn by_name(name: &str) -> Option<&'static Provider> {
        PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// Every row.
    pub fn all() -> &'static [Provider] {
        PROVIDERS
    }

    /// How this provider speaks `protocol`; `None` if it does not.
    pub fn capability(&self, protocol: Protocol) -> Option<&'static Capability> {
        self.capabilities.iter().find(|capability| capability.protocol == protocol)
    }
}

const fn speaks(protocol: Protocol, path: &'static str, max_tokens: &'static str) -> Capability {
    Capability { protocol, path, max_tokens: Some(MaxTokensField { set: max_tokens, remove: None }) }
}

const fn embeds(path: &'static str) -> Capability {
    Capability { protocol: Protocol::OpenAiEmbeddings, path, max_tokens: None }
}

static PROVIDERS: &[Provider] = &[
    Provider {
        name: "openai",
        scheme: "https",
        host: Some("api.openai.com"),
        port: 443,
        capabilities: &[
            Capability {
                protocol: Protocol::OpenAiChat,
                path: "/v1/chat/completions",
                // Newer models refuse `max_tokens` with 400 `unsupported_parameter`.
                max_tokens: Some(MaxTokensField { set: "max_completion_tokens", remove: Some("max_tokens") }),
            },
            speaks(Protocol::OpenAiResponses, "/v1/responses", "max_output_tokens"),
            embeds("/v1/embeddings"),
        ],
        removes_model: false,
    },
    Provider {
        name: "deepseek",
        scheme: "https",
        host: Some("api.deepseek.com"),
        port: 443,
        capabilities: &[speaks(Protocol::OpenAiChat, "/chat/completions", "max_tokens")],
        removes_model: false,
    },
    Provider {
        name: "aimlapi",
        scheme: "https",
        host: Some("api.aimlapi.com"),
        port: 443,
        capabilities: &[speaks(Protocol::OpenAiChat, "/chat/completions", "max_tokens")],
        removes_model: false,
    },
    Provider {
        name: "openrouter",
        scheme: "https",
        host: Some("openrouter.ai"),
        port: 443,
        capabilities: &[speaks(Protocol::OpenAiChat, "/api/v1/chat/completions", "max_tokens")],
        removes_model: false,
    },
    Provider {
        name: "azure-openai",
        scheme: "https",
        host: None,
        port: 443,
        capabilities: &[speaks(Protocol::OpenAiChat, "/completions", "max_tokens")],
        removes_model: true,
    },
    Provider {
        name: "openai-compatible",
        scheme: "https",
        host: None,
        port: 443,
        capabilities: &[
            speaks(Protocol::OpenAiChat, "/v1/chat/completions", "max_tokens"),
            speaks(Protocol::OpenAiResponses, "/v1/responses", "max_output_tokens"),
            embeds("/v1/embeddings"),
        ],
        removes_model: false,
    },
    Provider {
        name: "anthropic",
        scheme: "https",
        host: Some("api.anthropic.com"),
        port: 443,
        capabilities: &[
            speaks(Protocol::OpenAiChat, "/v1/chat/completions", "max_tokens"),
            speaks(Protocol::AnthropicMessages, "/v1/messages", "max_tokens"),
        ],
        removes_model: false,
    },
    Provider {
        name: "gemini",
        scheme: "https",
        host: Some("generativelanguage.googleapis.com"),
        port: 443,
        capabilities: &[speaks(Protocol::OpenAiChat, "/v1beta/openai/chat/completions", "max_completion_tokens")],
        removes_model: false,
    },
];
