//! The rows. Names, addresses and paths are those of the providers' own documentation; what APISIX knows is as in
//! APISIX.

use super::{Capability, KeyPlace, MaxTokensField, Models, Provider, Takes};
use crate::dialect::{
    ClientDialect, Dialect, DocumentPart, MULTIMODAL_MODELS, Quirks, Refused, StreamUsage, ThinkingField, ThoughtField,
    ToolChoices,
};
use crate::protocol::Protocol;

const fn at(protocol: Protocol, path: &'static str) -> Capability {
    Capability {
        protocol,
        path,
        stream_path: None,
        versioned_path: None,
        max_tokens: None,
        models: Models::Any,
        takes: Takes::All,
        own_form: None,
        adds: &[],
        removes: &[],
        stream_headers: &[],
    }
}

const fn speaks(protocol: Protocol, path: &'static str, max_tokens: &'static [&'static str]) -> Capability {
    Capability { max_tokens: Some(MaxTokensField { set: max_tokens, newer: None, remove: None }), ..at(protocol, path) }
}

const fn chat(path: &'static str) -> Capability {
    speaks(Protocol::OpenAiChat, path, &["max_tokens"])
}

/// Newer OpenAI models refuse `max_tokens` with 400 `unsupported_parameter`.
const fn new_chat(path: &'static str) -> Capability {
    let max_tokens = Some(MaxTokensField { set: &["max_completion_tokens"], newer: None, remove: Some("max_tokens") });
    Capability { max_tokens, ..at(Protocol::OpenAiChat, path) }
}

/// Azure refuses both spellings side by side, and which of them a model takes the client knows.
const fn azure_chat(path: &'static str) -> Capability {
    let max_tokens = Some(MaxTokensField { set: &["max_tokens"], newer: Some("max_completion_tokens"), remove: None });
    Capability { max_tokens, ..at(Protocol::OpenAiChat, path) }
}

const fn responses(path: &'static str) -> Capability {
    speaks(Protocol::OpenAiResponses, path, &["max_output_tokens"])
}

const fn completes(path: &'static str) -> Capability {
    speaks(Protocol::OpenAiCompletions, path, &["max_tokens"])
}

const fn embeds(path: &'static str) -> Capability {
    at(Protocol::OpenAiEmbeddings, path)
}

/// Google's own paths name the model, and its bodies must not.
const fn google(protocol: Protocol, path: &'static str) -> Capability {
    Capability { removes: &["model"], ..at(protocol, path) }
}

/// Clients of Anthropic reach Google's models in OpenAI's form, as in APISIX.
const fn gemini(path: &'static str, stream_path: &'static str) -> Capability {
    let max_tokens = Some(MaxTokensField { set: &["generationConfig", "maxOutputTokens"], newer: None, remove: None });
    let takes = Takes::OwnForm { but: &[Dialect::Anthropic] };
    Capability { stream_path: Some(stream_path), max_tokens, takes, ..google(Protocol::GeminiGenerate, path) }
}

const fn generation(path: &'static str) -> Capability {
    Capability {
        stream_headers: &[("x-dashscope-sse", "enable")],
        ..speaks(Protocol::DashScopeGeneration, path, &["parameters", "max_tokens"])
    }
}

const PLAIN: Quirks = Quirks { max_tokens_field: "max_tokens", developer_role: false, ..LIKE_OPENAI };

/// As APISIX's converter writes the limit for every provider.
const PLAIN_WITH_NEW_LIMIT: Quirks = Quirks { developer_role: false, ..LIKE_OPENAI };

const LIKE_OPENAI: Quirks = Quirks::OF_OPENAI;

/// OpenAI itself has no words for thoughts.
const OPENAI: Quirks = Quirks { thoughts: ThoughtField::Nowhere, ..LIKE_OPENAI };

/// As DeepSeek tells thoughts and takes them back, and most others.
const LIKE_DEEPSEEK: Quirks = Quirks { thoughts: ThoughtField::ReasoningContent, ..PLAIN };

const LIKE_GROQ: Quirks = Quirks { thoughts: ThoughtField::Reasoning, ..LIKE_OPENAI };

/// Google's endpoints for OpenAI's dialect refuse fields that they do not know.
const LIKE_GOOGLE: Quirks = Quirks { thoughts: ThoughtField::Signatures, ..PLAIN_WITH_NEW_LIMIT };

const LIKE_ZHIPU: Quirks = Quirks {
    thinking: ThinkingField::Type,
    tool_choice: ToolChoices::OnlyAuto,
    stream_usage: StreamUsage::Always,
    refuses: &[Refused::Penalties, Refused::StrictTools],
    ..LIKE_DEEPSEEK
};

/// Mistral answers 422 `extra_forbidden` to every field that its own SDK does not know.
const LIKE_MISTRAL: Quirks = Quirks {
    seed_field: "random_seed",
    call_id_length: Some(9),
    stream_usage: StreamUsage::Always,
    thoughts: ThoughtField::Parts,
    documents: DocumentPart::DocumentUrl,
    refuses: &[
        Refused::EndUser,
        Refused::LogitBias,
        Refused::ServiceTier,
        Refused::Verbosity,
        Refused::TurnNames,
        Refused::Refusals,
    ],
    ..PLAIN
};

/// What all rows have in common: HTTPS, a bearer key, OpenAI's manners but for `max_tokens`.
const HOSTED: Provider = Provider {
    name: "",
    scheme: "https",
    host: None,
    port: 443,
    capabilities: &[],
    removes_model: false,
    key: KeyPlace::Bearer,
    headers: &[],
    quirks: PLAIN,
};

/// A server on the user's own machine.
const LOCAL: Provider = Provider { scheme: "http", host: Some("127.0.0.1"), ..HOSTED };

const CONVERSE: Capability = Capability {
    stream_path: Some("/model/{model}/converse-stream"),
    removes: &["stream"],
    ..speaks(Protocol::BedrockConverse, "/model/{model}/converse", &["inferenceConfig", "maxTokens"])
};

const ANTHROPIC_VERSION: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

pub(super) static PROVIDERS: &[Provider] = &[
    Provider {
        name: "openai",
        host: Some("api.openai.com"),
        capabilities: &[
            new_chat("/v1/chat/completions"),
            responses("/v1/responses"),
            embeds("/v1/embeddings"),
            completes("/v1/completions"),
            at(Protocol::OpenAiModerations, "/v1/moderations"),
        ],
        quirks: OPENAI,
        ..HOSTED
    },
    Provider {
        name: "deepseek",
        host: Some("api.deepseek.com"),
        capabilities: &[chat("/chat/completions"), completes("/beta/completions")],
        quirks: Quirks {
            thinking: ThinkingField::EffortOrType,
            tool_choice: ToolChoices::FreeWhileThinking,
            ..LIKE_DEEPSEEK
        },
        ..HOSTED
    },
    Provider {
        name: "aimlapi",
        host: Some("api.aimlapi.com"),
        capabilities: &[chat("/chat/completions")],
        quirks: PLAIN_WITH_NEW_LIMIT,
        ..HOSTED
    },
    Provider {
        name: "openrouter",
        host: Some("openrouter.ai"),
        capabilities: &[
            chat("/api/v1/chat/completions"),
            embeds("/api/v1/embeddings"),
            completes("/api/v1/completions"),
        ],
        quirks: PLAIN_WITH_NEW_LIMIT,
        ..HOSTED
    },
    Provider {
        name: "azure-openai",
        capabilities: &[
            Capability {
                versioned_path: Some("/openai/deployments/{model}/chat/completions?api-version={api_version}"),
                ..azure_chat("/completions")
            },
            Capability {
                versioned_path: Some("/openai/deployments/{model}/embeddings?api-version={api_version}"),
                ..embeds("/embeddings")
            },
        ],
        removes_model: true,
        key: KeyPlace::Header("api-key"),
        quirks: OPENAI,
        ..HOSTED
    },
    Provider {
        name: "openai-compatible",
        capabilities: &[
            chat("/v1/chat/completions"),
            responses("/v1/responses"),
            embeds("/v1/embeddings"),
            completes("/v1/completions"),
            at(Protocol::OpenAiModerations, "/v1/moderations"),
            at(Protocol::Rerank, "/v1/rerank"),
        ],
        quirks: PLAIN_WITH_NEW_LIMIT,
        ..HOSTED
    },
    Provider {
        name: "anthropic",
        host: Some("api.anthropic.com"),
        capabilities: &[
            speaks(Protocol::AnthropicMessages, "/v1/messages", &["max_tokens"]),
            chat("/v1/chat/completions"),
            at(Protocol::AnthropicCountTokens, "/v1/messages/count_tokens"),
        ],
        key: KeyPlace::Header("x-api-key"),
        headers: ANTHROPIC_VERSION,
        ..HOSTED
    },
    Provider {
        name: "gemini",
        host: Some("generativelanguage.googleapis.com"),
        capabilities: &[
            gemini("/v1beta/models/{model}:generateContent", "/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            speaks(Protocol::OpenAiChat, "/v1beta/openai/chat/completions", &["max_completion_tokens"]),
            // The one that tells what vectors are for comes first.
            google(Protocol::GeminiBatchEmbed, "/v1beta/models/{model}:batchEmbedContents"),
            google(Protocol::GeminiEmbed, "/v1beta/models/{model}:embedContent"),
            embeds("/v1beta/openai/embeddings"),
            google(Protocol::GeminiCountTokens, "/v1beta/models/{model}:countTokens"),
        ],
        key: KeyPlace::Header("x-goog-api-key"),
        quirks: LIKE_GOOGLE,
        ..HOSTED
    },
    Provider {
        name: "vertex-ai",
        host: Some("{region}-aiplatform.googleapis.com"),
        capabilities: &[
            Capability {
                models: Models::NotBeginning("claude"),
                ..gemini(
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:generateContent",
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:streamGenerateContent?alt=sse",
                )
            },
            Capability {
                models: Models::NotBeginning("claude"),
                ..speaks(
                    Protocol::OpenAiChat,
                    "/v1beta1/projects/{project}/locations/{region}/endpoints/openapi/chat/completions",
                    &["max_completion_tokens"],
                )
            },
            Capability {
                models: Models::Beginning("claude"),
                stream_path: Some(
                    "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
                ),
                adds: &[("anthropic_version", "\"vertex-2023-10-16\"")],
                removes: &["model"],
                ..speaks(
                    Protocol::AnthropicMessages,
                    "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
                    &["max_tokens"],
                )
            },
            Capability {
                models: Models::NotBeginning("gemini-embedding-2"),
                ..google(
                    Protocol::VertexPredict,
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:predict",
                )
            },
            Capability {
                models: Models::Beginning("gemini-embedding-2"),
                ..google(
                    Protocol::GeminiEmbed,
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:embedContent",
                )
            },
            Capability {
                models: Models::NotBeginning("claude"),
                ..google(
                    Protocol::GeminiCountTokens,
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:countTokens",
                )
            },
        ],
        quirks: LIKE_GOOGLE,
        ..HOSTED
    },
    Provider {
        name: "bedrock",
        host: Some("bedrock-runtime.{region}.amazonaws.com"),
        capabilities: &[
            CONVERSE,
            Capability {
                stream_path: Some("/model/{model}/invoke-with-response-stream"),
                ..at(Protocol::BedrockInvoke, "/model/{model}/invoke")
            },
            at(Protocol::BedrockCountTokens, "/model/{model}/count-tokens"),
        ],
        removes_model: true,
        key: KeyPlace::SigV4,
        ..HOSTED
    },
    Provider {
        // Models of Anthropic, and those that do not converse, are invoked in their own
        // form; all others go by Converse.
        name: "bedrock-invoke",
        host: Some("bedrock-runtime.{region}.amazonaws.com"),
        capabilities: &[
            Capability {
                models: Models::Containing(&["anthropic.", "claude"]),
                stream_path: Some("/model/{model}/invoke-with-response-stream"),
                adds: &[("anthropic_version", "\"bedrock-2023-05-31\"")],
                removes: &["model", "stream"],
                ..speaks(Protocol::BedrockInvoke, "/model/{model}/invoke", &["max_tokens"])
            },
            CONVERSE,
            Capability {
                models: Models::Containing(&["embed", "rerank"]),
                ..at(Protocol::BedrockInvoke, "/model/{model}/invoke")
            },
        ],
        removes_model: true,
        key: KeyPlace::SigV4,
        ..HOSTED
    },
    Provider {
        name: "mistral",
        host: Some("api.mistral.ai"),
        capabilities: &[
            Capability { own_form: Some(ClientDialect::Mistral), ..chat("/v1/chat/completions") },
            embeds("/v1/embeddings"),
            at(Protocol::OpenAiModerations, "/v1/moderations"),
        ],
        quirks: LIKE_MISTRAL,
        ..HOSTED
    },
    Provider {
        name: "cohere",
        host: Some("api.cohere.com"),
        capabilities: &[
            speaks(Protocol::CohereChat, "/v2/chat", &["max_tokens"]),
            at(Protocol::Rerank, "/v2/rerank"),
            at(Protocol::CohereEmbed, "/v2/embed"),
        ],
        ..HOSTED
    },
    Provider {
        name: "groq",
        host: Some("api.groq.com"),
        capabilities: &[new_chat("/openai/v1/chat/completions"), responses("/openai/v1/responses")],
        quirks: LIKE_GROQ,
        ..HOSTED
    },
    Provider {
        name: "dashscope",
        host: Some("dashscope.aliyuncs.com"),
        capabilities: &[
            chat("/compatible-mode/v1/chat/completions"),
            embeds("/compatible-mode/v1/embeddings"),
            at(Protocol::DashScopeRerank, "/api/v1/services/rerank/text-rerank/text-rerank"),
        ],
        quirks: Quirks { thinking: ThinkingField::Budget, ..LIKE_DEEPSEEK },
        ..HOSTED
    },
    Provider {
        name: "dashscope-native",
        host: Some("dashscope.aliyuncs.com"),
        capabilities: &[
            Capability {
                models: Models::Containing(MULTIMODAL_MODELS),
                ..generation("/api/v1/services/aigc/multimodal-generation/generation")
            },
            generation("/api/v1/services/aigc/text-generation/generation"),
            at(Protocol::DashScopeEmbed, "/api/v1/services/embeddings/text-embedding/text-embedding"),
            at(Protocol::DashScopeRerank, "/api/v1/services/rerank/text-rerank/text-rerank"),
        ],
        ..HOSTED
    },
    Provider {
        name: "volcengine-ark",
        host: Some("ark.cn-beijing.volces.com"),
        capabilities: &[chat("/api/v3/chat/completions"), responses("/api/v3/responses"), embeds("/api/v3/embeddings")],
        quirks: Quirks { thinking: ThinkingField::Type, ..LIKE_DEEPSEEK },
        ..HOSTED
    },
    Provider {
        name: "zhipu",
        host: Some("open.bigmodel.cn"),
        capabilities: &[chat("/api/paas/v4/chat/completions"), embeds("/api/paas/v4/embeddings")],
        quirks: LIKE_ZHIPU,
        ..HOSTED
    },
    Provider {
        name: "zai",
        host: Some("api.z.ai"),
        capabilities: &[chat("/api/paas/v4/chat/completions")],
        quirks: LIKE_ZHIPU,
        ..HOSTED
    },
    Provider {
        name: "moonshot",
        host: Some("api.moonshot.cn"),
        capabilities: &[chat("/v1/chat/completions")],
        quirks: LIKE_DEEPSEEK,
        ..HOSTED
    },
    Provider {
        name: "minimax",
        host: Some("api.minimax.io"),
        capabilities: &[chat("/v1/chat/completions"), responses("/v1/responses")],
        ..HOSTED
    },
    Provider {
        name: "siliconflow",
        host: Some("api.siliconflow.cn"),
        capabilities: &[chat("/v1/chat/completions"), embeds("/v1/embeddings"), at(Protocol::Rerank, "/v1/rerank")],
        quirks: LIKE_DEEPSEEK,
        ..HOSTED
    },
    Provider {
        name: "xai",
        host: Some("api.x.ai"),
        capabilities: &[chat("/v1/chat/completions"), responses("/v1/responses")],
        quirks: LIKE_DEEPSEEK,
        ..HOSTED
    },
    Provider {
        name: "together",
        host: Some("api.together.xyz"),
        capabilities: &[
            chat("/v1/chat/completions"),
            embeds("/v1/embeddings"),
            completes("/v1/completions"),
            at(Protocol::Rerank, "/v1/rerank"),
        ],
        ..HOSTED
    },
    Provider {
        name: "fireworks",
        host: Some("api.fireworks.ai"),
        capabilities: &[
            chat("/inference/v1/chat/completions"),
            embeds("/inference/v1/embeddings"),
            completes("/inference/v1/completions"),
        ],
        quirks: LIKE_DEEPSEEK,
        ..HOSTED
    },
    Provider {
        name: "perplexity",
        host: Some("api.perplexity.ai"),
        capabilities: &[chat("/chat/completions")],
        quirks: Quirks { stream_usage: StreamUsage::Always, ..PLAIN },
        ..HOSTED
    },
    Provider {
        name: "huggingface",
        host: Some("router.huggingface.co"),
        capabilities: &[chat("/v1/chat/completions")],
        ..HOSTED
    },
    Provider {
        name: "cerebras",
        host: Some("api.cerebras.ai"),
        capabilities: &[new_chat("/v1/chat/completions"), completes("/v1/completions")],
        quirks: LIKE_GROQ,
        ..HOSTED
    },
    Provider {
        name: "voyage",
        host: Some("api.voyageai.com"),
        capabilities: &[embeds("/v1/embeddings"), at(Protocol::VoyageRerank, "/v1/rerank")],
        ..HOSTED
    },
    Provider {
        name: "jina",
        host: Some("api.jina.ai"),
        capabilities: &[embeds("/v1/embeddings"), at(Protocol::Rerank, "/v1/rerank")],
        ..HOSTED
    },
    Provider {
        name: "ollama",
        port: 11434,
        capabilities: &[chat("/v1/chat/completions"), embeds("/v1/embeddings"), completes("/v1/completions")],
        quirks: Quirks { thoughts: ThoughtField::Reasoning, ..PLAIN },
        ..LOCAL
    },
    Provider {
        name: "ollama-native",
        port: 11434,
        capabilities: &[
            speaks(Protocol::OllamaChat, "/api/chat", &["options", "num_predict"]),
            at(Protocol::OllamaEmbed, "/api/embed"),
        ],
        ..LOCAL
    },
    Provider {
        name: "vllm",
        port: 8000,
        capabilities: &[
            chat("/v1/chat/completions"),
            embeds("/v1/embeddings"),
            completes("/v1/completions"),
            at(Protocol::Rerank, "/v1/rerank"),
        ],
        ..LOCAL
    },
    Provider {
        name: "llamacpp",
        port: 8080,
        capabilities: &[
            chat("/v1/chat/completions"),
            embeds("/v1/embeddings"),
            completes("/v1/completions"),
            at(Protocol::Rerank, "/v1/rerank"),
        ],
        quirks: LIKE_DEEPSEEK,
        ..LOCAL
    },
];
