//! In which form a provider is addressed: in a dialect, or in a form of its own.
//!
//! A provider's own form has half a [codec](super::Codec): requests are written, answers are read, and nothing else is
//! needed. Invariant: such a form makes no signatures and keeps nothing that only it knows, so that its answers are
//! read as those of a [relative](ProviderDialect::relative) among the dialects. Called by
//! [`translate`](crate::translate).

mod dashscope;
mod invoke;
mod ollama;

use std::fmt;

use super::{Codec, Dialect, EventReader, NameRule, Quirks, ReadError};
use crate::framing::StreamFraming;
use crate::json::Raw;
use crate::model::{Feature, Losses, Request, Response};
use crate::protocol::Protocol;

pub(crate) use dashscope::MULTIMODAL_MODELS;

/// How a provider of conversations is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderDialect {
    /// As clients speak as well.
    Shared(Dialect),
    /// Anthropic's Messages through Amazon Bedrock's `invoke` and `invoke-with-response-stream`.
    BedrockInvoke,
    /// Ollama's `/api/chat`.
    Ollama,
    /// Alibaba Cloud Model Studio's `generation`.
    DashScope,
}

impl From<Dialect> for ProviderDialect {
    fn from(dialect: Dialect) -> Self {
        ProviderDialect::Shared(dialect)
    }
}

impl fmt::Display for ProviderDialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.protocol().as_str())
    }
}

impl ProviderDialect {
    /// Every form that is no dialect, in the order of the documentation's tables.
    pub const OWN_FORMS: [ProviderDialect; 3] =
        [ProviderDialect::BedrockInvoke, ProviderDialect::Ollama, ProviderDialect::DashScope];

    /// What the form has words for: its writer never loses these.
    pub fn carries(self) -> &'static [Feature] {
        self.codec().carries
    }

    /// The dialect whose own fields, parts and signatures mean something to the provider, if there is one.
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            ProviderDialect::Shared(dialect) => Some(dialect),
            ProviderDialect::BedrockInvoke => Some(Dialect::Anthropic),
            ProviderDialect::Ollama | ProviderDialect::DashScope => None,
        }
    }

    /// The dialect as which answers are read: its words for errors and its arithmetic of tokens hold.
    pub const fn relative(self) -> Dialect {
        match self {
            ProviderDialect::Shared(dialect) => dialect,
            ProviderDialect::BedrockInvoke => Dialect::Anthropic,
            ProviderDialect::Ollama | ProviderDialect::DashScope => Dialect::OpenAiChat,
        }
    }

    /// The protocol that speaks so.
    pub const fn protocol(self) -> Protocol {
        match self {
            ProviderDialect::Shared(dialect) => dialect.protocol(),
            ProviderDialect::BedrockInvoke => Protocol::BedrockInvoke,
            ProviderDialect::Ollama => Protocol::OllamaChat,
            ProviderDialect::DashScope => Protocol::DashScopeGeneration,
        }
    }

    /// Writes a request's body, and tells what was left out.
    pub fn write_request(self, request: &Request<'_>, quirks: &Quirks, losses: &mut Losses) -> Vec<u8> {
        (self.codec().write_request)(request, quirks, losses)
    }

    /// Reads a whole answer, which is checked first.
    ///
    /// # Errors
    /// If the body is not well-formed, or not what the provider's form says.
    pub fn read_response<'a>(self, body: Raw<'a>) -> Result<Response<'a>, ReadError> {
        let body = Raw::checked(body.bytes).ok_or_else(|| ReadError::new("the answer is not well-formed JSON"))?;
        (self.codec().read_response)(body)
    }

    /// A reader of one streamed answer.
    pub fn stream_reader(self) -> Box<dyn EventReader> {
        (self.codec().stream_reader)()
    }

    pub(crate) fn codec(self) -> ProviderCodec {
        match self {
            ProviderDialect::Shared(dialect) => ProviderCodec::of(dialect.codec(), dialect.framing()),
            ProviderDialect::BedrockInvoke => ProviderCodec {
                stream_reader: || Box::new(invoke::Reader::default()),
                ..ProviderCodec::of(Dialect::Anthropic.codec(), StreamFraming::AwsEventStream)
            },
            ProviderDialect::Ollama => ollama::CODEC,
            ProviderDialect::DashScope => dashscope::CODEC,
        }
    }
}

/// What is needed of a form to speak to a provider.
#[derive(Clone, Copy)]
pub(crate) struct ProviderCodec {
    pub write_request: fn(&Request<'_>, &Quirks, &mut Losses) -> Vec<u8>,
    pub read_response: for<'a> fn(Raw<'a>) -> Result<Response<'a>, ReadError>,
    pub stream_reader: fn() -> Box<dyn EventReader>,
    pub framing: StreamFraming,
    pub carries: &'static [Feature],
    /// Which names of functions the provider accepts.
    pub names: NameRule,
    /// Which identifiers of calls the provider accepts.
    pub call_ids: NameRule,
}

impl ProviderCodec {
    /// A dialect's own.
    fn of(codec: &Codec, framing: StreamFraming) -> Self {
        Self {
            write_request: codec.write_request,
            read_response: codec.read_response,
            stream_reader: codec.stream_reader,
            framing,
            carries: codec.carries,
            names: codec.names,
            call_ids: codec.call_ids,
        }
    }
}
