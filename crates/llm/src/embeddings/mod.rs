//! Embeddings, between the four forms that clients speak and the forms of all providers.
//!
//! A request is texts or tokens to be turned into vectors; an answer is the vectors in the same order.
//! Each form is one module with as much of a reader and a writer as its side needs; nothing is written per pair.
//! Invariant: a vector stands for the input in its place, or there is no answer; and numbers arrive as they were
//! written unless the client asked for another encoding. Called by the data plane for embeddings endpoints.

mod cohere;
mod dashscope;
mod gemini;
mod nova;
mod ollama;
mod openai;
mod titan;
mod vector;
mod vertex;

use crate::dialect::ReadError;
use crate::json::Raw;
use crate::model::{Json, Losses, Text};
use crate::protocol::Protocol;

pub use vector::Vector;

/// A form in which clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedClient {
    /// OpenAI's `/v1/embeddings`.
    OpenAi,
    /// Gemini's `:embedContent`: one text.
    Gemini,
    /// Gemini's `:batchEmbedContents`.
    GeminiBatch,
    /// Cohere's `/v2/embed`.
    Cohere,
}

/// A form in which providers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedProvider {
    OpenAi,
    /// `:embedContent`, at Vertex AI for newer models: one text.
    Gemini,
    GeminiBatch,
    /// Vertex AI's `:predict`, for older models.
    VertexPredict,
    /// Cohere's `/v2/embed`.
    Cohere,
    /// Cohere's models in Bedrock's `invoke`.
    BedrockCohere,
    /// Amazon's Titan models in Bedrock's `invoke`: one text.
    BedrockTitan,
    /// Amazon's Titan models for texts and images in Bedrock's `invoke`: one text.
    BedrockTitanMultimodal,
    /// Amazon's Nova models in Bedrock's `invoke`: one text.
    BedrockNova,
    /// Ollama's `/api/embed`.
    Ollama,
    /// DashScope's own text embedding.
    DashScope,
}

/// What is to be turned into vectors, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmbedRequest<'a> {
    pub model: Option<Text<'a>>,
    pub inputs: Vec<EmbedInput<'a>>,
    /// How long the vectors shall be.
    pub dimensions: Option<u64>,
    pub encoding: Encoding,
    pub task: Option<EmbedTask>,
    pub truncation: Option<Truncation>,
    /// The client's word for `truncation`, if it has said anything of it.
    pub truncation_field: &'static str,
    /// What the client said beside that.
    pub unread: Losses,
}

/// One thing to be turned into one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbedInput<'a> {
    Text(Text<'a>),
    /// An array of token identifiers.
    Tokens(Json<'a>),
}

/// What the vectors are for, so far as providers tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedTask {
    Query,
    Document,
    Similarity,
    Classification,
    Clustering,
}

/// What becomes of a text that is longer than the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truncation {
    /// The request is refused.
    Refuse,
    /// The text's beginning is left out.
    Start,
    /// The text's end is left out.
    End,
}

/// How the client wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// An array of numbers.
    #[default]
    Float,
    /// Little-endian 32-bit floats in base64.
    Base64,
}

/// The vectors, in the order of the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Embeddings<'a> {
    /// Empty where the provider gives none.
    pub id: Text<'a>,
    pub model: Option<Text<'a>>,
    pub vectors: Vec<Vector<'a>>,
    /// Tokens of all inputs, where the provider tells.
    pub input_tokens: Option<u64>,
}

/// Google's names have far fewer.
const MOST_MODEL_BYTES: usize = 256;

/// A provider cannot be asked for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    #[error("the model takes one input at a time, got {0}")]
    OneInput(usize),
    #[error("the provider takes no token lists, only text")]
    Tokens,
    /// The provider wants it with each input, so that a long one would make a small request a large one.
    #[error("the model's name must have at most {MOST_MODEL_BYTES} bytes, got {0}")]
    LongModel(usize),
}

impl EmbedClient {
    /// The form of a client that speaks `protocol`; `None` if that is not one of embeddings.
    pub(crate) const fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::OpenAiEmbeddings => Some(EmbedClient::OpenAi),
            Protocol::GeminiEmbed => Some(EmbedClient::Gemini),
            Protocol::GeminiBatchEmbed => Some(EmbedClient::GeminiBatch),
            Protocol::CohereEmbed => Some(EmbedClient::Cohere),
            _ => None,
        }
    }

    /// Reads a client's request. Where the model stands in the path, it is left empty.
    ///
    /// # Errors
    /// If the body is not what the form says; the texts for OpenAI's are APISIX's.
    pub fn read_request(self, body: Raw<'_>) -> Result<EmbedRequest<'_>, ReadError> {
        match self {
            EmbedClient::OpenAi => openai::read_request(body),
            EmbedClient::Gemini => gemini::read_request(body),
            EmbedClient::GeminiBatch => gemini::read_batch(body),
            EmbedClient::Cohere => cohere::read_request(body),
        }
    }

    /// Writes an answer. `model` is the client's own word for it, for providers that name none.
    pub fn write_response(self, answer: &Embeddings<'_>, model: &str, encoding: Encoding) -> Vec<u8> {
        match self {
            EmbedClient::OpenAi => openai::write_response(answer, model, encoding),
            EmbedClient::Gemini => gemini::write_response(answer),
            EmbedClient::GeminiBatch => gemini::write_batch_response(answer),
            EmbedClient::Cohere => cohere::write_response(answer, encoding),
        }
    }
}

impl EmbedProvider {
    /// The form of a provider that is addressed in `protocol` for `model`; `None` if that makes no vectors. Bedrock's
    /// `invoke` has a form per family of models, whose names may begin with a region's.
    pub fn of(protocol: Protocol, model: &str) -> Option<Self> {
        match protocol {
            Protocol::OpenAiEmbeddings => Some(EmbedProvider::OpenAi),
            Protocol::GeminiEmbed => Some(EmbedProvider::Gemini),
            Protocol::GeminiBatchEmbed => Some(EmbedProvider::GeminiBatch),
            Protocol::VertexPredict => Some(EmbedProvider::VertexPredict),
            Protocol::CohereEmbed => Some(EmbedProvider::Cohere),
            Protocol::BedrockInvoke if model.contains("cohere.embed") => Some(EmbedProvider::BedrockCohere),
            Protocol::BedrockInvoke if model.contains("amazon.titan-embed-image") => {
                Some(EmbedProvider::BedrockTitanMultimodal)
            }
            Protocol::BedrockInvoke if model.contains("amazon.titan-embed") => Some(EmbedProvider::BedrockTitan),
            Protocol::BedrockInvoke if model.contains("amazon.nova-2-multimodal-embeddings") => {
                Some(EmbedProvider::BedrockNova)
            }
            Protocol::OllamaEmbed => Some(EmbedProvider::Ollama),
            Protocol::DashScopeEmbed => Some(EmbedProvider::DashScope),
            _ => None,
        }
    }

    /// How many inputs the provider takes at once, by its own documentation; servers that speak OpenAI's form allow
    /// less than OpenAI's 2048.
    pub const fn most_inputs(self) -> usize {
        match self {
            EmbedProvider::Gemini
            | EmbedProvider::BedrockTitan
            | EmbedProvider::BedrockTitanMultimodal
            | EmbedProvider::BedrockNova => 1,
            EmbedProvider::DashScope => 10,
            EmbedProvider::Cohere | EmbedProvider::BedrockCohere => 96,
            EmbedProvider::GeminiBatch => 100,
            EmbedProvider::VertexPredict => 250,
            EmbedProvider::OpenAi | EmbedProvider::Ollama => 256,
        }
    }

    /// What `request` says, in the form of `client`, and the provider has no words for.
    pub fn losses(self, client: EmbedClient, request: &EmbedRequest<'_>) -> Losses {
        let mut losses = request.unread.clone();
        if request.task.is_some() && !self.tells_tasks() {
            losses.lose_field(match client {
                EmbedClient::OpenAi | EmbedClient::Cohere => "input_type",
                EmbedClient::Gemini | EmbedClient::GeminiBatch => "taskType",
            });
        }
        if request.truncation.is_some_and(|truncation| !self.truncates(truncation)) {
            losses.lose_field(request.truncation_field);
        }
        losses
    }

    const fn tells_tasks(self) -> bool {
        match self {
            EmbedProvider::Gemini
            | EmbedProvider::GeminiBatch
            | EmbedProvider::VertexPredict
            | EmbedProvider::Cohere
            | EmbedProvider::BedrockCohere
            | EmbedProvider::BedrockNova
            | EmbedProvider::DashScope => true,
            EmbedProvider::OpenAi
            | EmbedProvider::BedrockTitan
            | EmbedProvider::BedrockTitanMultimodal
            | EmbedProvider::Ollama => false,
        }
    }

    const fn truncates(self, truncation: Truncation) -> bool {
        match self {
            EmbedProvider::Cohere | EmbedProvider::BedrockCohere | EmbedProvider::BedrockNova => true,
            EmbedProvider::VertexPredict | EmbedProvider::Ollama => !matches!(truncation, Truncation::Start),
            EmbedProvider::OpenAi
            | EmbedProvider::Gemini
            | EmbedProvider::GeminiBatch
            | EmbedProvider::BedrockTitan
            | EmbedProvider::BedrockTitanMultimodal
            | EmbedProvider::DashScope => false,
        }
    }

    /// Writes a provider's request.
    ///
    /// # Errors
    /// If the provider cannot be asked for these inputs at once.
    pub fn write_request(self, request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
        match self {
            EmbedProvider::OpenAi => Ok(openai::write_request(request)),
            EmbedProvider::Gemini => gemini::write_request(request),
            EmbedProvider::GeminiBatch => gemini::write_batch(request),
            EmbedProvider::VertexPredict => Ok(vertex::write_request(request)),
            EmbedProvider::Cohere => cohere::write_request(request, cohere::ModelPlace::Body),
            EmbedProvider::BedrockCohere => cohere::write_request(request, cohere::ModelPlace::Path),
            EmbedProvider::BedrockTitan => titan::write_request(request),
            EmbedProvider::BedrockTitanMultimodal => titan::write_multimodal(request),
            EmbedProvider::BedrockNova => nova::write_request(request),
            EmbedProvider::Ollama => ollama::write_request(request),
            EmbedProvider::DashScope => dashscope::write_request(request),
        }
    }

    /// Reads a provider's answer.
    ///
    /// # Errors
    /// If the body holds no vectors, or something else in the place of one; the texts for
    /// Vertex's `:predict` are APISIX's.
    pub fn read_response(self, body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
        match self {
            EmbedProvider::OpenAi => openai::read_response(body),
            EmbedProvider::Gemini | EmbedProvider::GeminiBatch => gemini::read_response(body),
            EmbedProvider::VertexPredict => vertex::read_response(body),
            EmbedProvider::Cohere | EmbedProvider::BedrockCohere => cohere::read_response(body),
            EmbedProvider::BedrockTitan | EmbedProvider::BedrockTitanMultimodal => titan::read_response(body),
            EmbedProvider::BedrockNova => nova::read_response(body),
            EmbedProvider::Ollama => ollama::read_response(body),
            EmbedProvider::DashScope => dashscope::read_response(body),
        }
    }
}

impl EmbedRequest<'_> {
    /// The inputs, if all of them are text.
    fn texts(&self) -> Result<Vec<&str>, EmbedError> {
        let texts = self.inputs.iter().map(|input| match input {
            EmbedInput::Text(text) => Ok(text.as_ref()),
            EmbedInput::Tokens(_) => Err(EmbedError::Tokens),
        });
        texts.collect()
    }

    /// The one input, if there is one only and it is text.
    fn only_text(&self) -> Result<&str, EmbedError> {
        match self.texts()?.as_slice() {
            [only] => Ok(only),
            texts => Err(EmbedError::OneInput(texts.len())),
        }
    }
}

impl<'a> Embeddings<'a> {
    /// The answer, unless it has no vectors: then it is none.
    fn unless_empty(self) -> Result<Self, ReadError> {
        match self.vectors.is_empty() {
            true => Err(ReadError::new("the answer has no embeddings")),
            false => Ok(self),
        }
    }
}
