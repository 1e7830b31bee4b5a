//! In which form a client asks: in a dialect, in Mistral's form of one, in an older form that no provider is translated
//! to, or in a model family's own through Bedrock's `invoke`.
//!
//! Such a form has half a [codec](super::Codec): requests are read, answers are written, and nothing else is needed.
//! Invariant: what only it knows is kept as extras, which no provider's dialect shares, so that it is named where it is
//! lost. Called by [`translate`](crate::translate); its other half is [`native`](super::native).

mod completions;
pub(in crate::dialect) mod invoke;
mod mistral;

use std::fmt;

pub use invoke::InvokeFamily;

use super::{Dialect, EventWriter, ProviderDialect, ReadError, Reply};
use crate::json::Raw;
use crate::model::{Losses, Request, Response};
use crate::protocol::Protocol;
use crate::scan::BodyScan;

/// How a client of conversations speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientDialect {
    /// As providers speak as well.
    Shared(Dialect),
    /// OpenAI's older `/v1/completions`: a prompt instead of a conversation.
    Completions,
    /// OpenAI Chat Completions as Mistral's SDKs speak it; its provider and its hosts get their bytes untouched.
    Mistral,
    /// Amazon Bedrock's `invoke` and `invoke-with-response-stream`.
    BedrockInvoke(InvokeFamily),
}

impl From<Dialect> for ClientDialect {
    fn from(dialect: Dialect) -> Self {
        ClientDialect::Shared(dialect)
    }
}

impl fmt::Display for ClientDialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.protocol().as_str())
    }
}

impl ClientDialect {
    /// How a client of `protocol` speaks that has sent `body` for `model`; `None` if that is no
    /// conversation, or one that is not read.
    pub fn of(protocol: Protocol, body: &BodyScan, model: &str) -> Option<Self> {
        match protocol {
            Protocol::BedrockInvoke => InvokeFamily::of(body, model).map(ClientDialect::BedrockInvoke),
            other => other.client_dialect(),
        }
    }

    /// How a client speaks that names itself so in `User-Agent`.
    pub fn of_agent(self, user_agent: &[u8]) -> Self {
        match self {
            ClientDialect::Shared(Dialect::OpenAiChat) if mistral::is_agent(user_agent) => ClientDialect::Mistral,
            other => other,
        }
    }

    /// What only this form of [its dialect](Self::dialect) knows of a request and of its turns.
    pub(crate) const fn own_fields(self) -> &'static [&'static str] {
        match self {
            ClientDialect::Mistral => mistral::OWN_FIELDS,
            ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::BedrockInvoke(_) => &[],
        }
    }

    /// The dialect whose own fields and parts mean something to the client, if there is one.
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            ClientDialect::Shared(dialect) => Some(dialect),
            ClientDialect::Mistral => Some(Dialect::OpenAiChat),
            ClientDialect::Completions => None,
            ClientDialect::BedrockInvoke(family) => Some(family.dialect()),
        }
    }

    /// The dialect whose words for errors and whose arithmetic of tokens the client knows.
    pub const fn relative(self) -> Dialect {
        match self {
            ClientDialect::Shared(dialect) => dialect,
            ClientDialect::Completions | ClientDialect::Mistral => Dialect::OpenAiChat,
            ClientDialect::BedrockInvoke(_) => Dialect::BedrockConverse,
        }
    }

    /// The protocol that speaks so.
    pub const fn protocol(self) -> Protocol {
        match self {
            ClientDialect::Shared(dialect) => dialect.protocol(),
            ClientDialect::Completions => Protocol::OpenAiCompletions,
            ClientDialect::Mistral => Protocol::OpenAiChat,
            ClientDialect::BedrockInvoke(_) => Protocol::BedrockInvoke,
        }
    }

    /// What only one of the two knows means nothing to the other.
    pub(crate) fn is_foreign_to(self, provider: ProviderDialect) -> bool {
        self.dialect().is_none() || self.dialect() != provider.dialect()
    }

    /// Reads a request's body, as [`Dialect::read_request`].
    ///
    /// # Errors
    /// If the body is not what the form says.
    pub fn read_request<'a>(self, body: Raw<'a>) -> Result<Request<'a>, ReadError> {
        match self {
            ClientDialect::Shared(dialect) => dialect.read_request(body),
            ClientDialect::Completions => completions::read_request(body),
            ClientDialect::Mistral => mistral::read_request(body),
            ClientDialect::BedrockInvoke(family) => family.read_request(body),
        }
    }

    /// Writes a whole answer, and tells what was left out.
    pub fn write_response(self, response: &Response<'_>, reply: &Reply, losses: &mut Losses) -> Vec<u8> {
        match self {
            ClientDialect::Shared(dialect) => dialect.write_response(response, reply, losses),
            ClientDialect::Completions => completions::write_response(response, reply, losses),
            ClientDialect::Mistral => mistral::write_response(response, reply, losses),
            ClientDialect::BedrockInvoke(family) => family.dialect().write_response(response, reply, losses),
        }
    }

    /// A writer of one streamed answer.
    pub fn stream_writer(self, reply: Reply) -> Box<dyn EventWriter> {
        match self {
            ClientDialect::Shared(dialect) => dialect.stream_writer(reply),
            ClientDialect::Completions => Box::new(completions::Writer::new(reply)),
            ClientDialect::Mistral => Box::new(mistral::Writer::new(reply)),
            ClientDialect::BedrockInvoke(family) => Box::new(invoke::Writer::new(family, reply)),
        }
    }
}
