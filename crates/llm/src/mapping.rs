//! Embeddings and rankings between a client and a provider that speak of them in two forms.
//!
//! Puts together what [`embeddings`](crate::embeddings) and [`rerank`](crate::rerank) read and write: the request goes
//! out in the provider's form, and what the answer's form depends on is kept. Invariant: a [`Mapping`] borrows nothing,
//! so that it can wait for its answer. The data plane calls it for [`Course::Mapped`](crate::Course::Mapped).

use crate::dialect::ReadError;
use crate::embeddings::{EmbedClient, EmbedError, EmbedProvider, Encoding};
use crate::json::Raw;
use crate::model::Losses;
use crate::protocol::Protocol;
use crate::rerank::{RerankProvider, RerankRequest};
use crate::usage::Usage;

/// The two forms of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Map {
    Embeddings {
        client: EmbedClient,
        provider: EmbedProvider,
    },
    /// From the one form that clients speak.
    Ranking(RerankProvider),
}

/// Why a request cannot be mapped. Either is the client's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The provider cannot be asked for these inputs at once.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

/// How an answer is told to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    form: Form,
    /// The client's own word for the model; empty if it had none.
    model: Box<str>,
    losses: Losses,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Embeddings { client: EmbedClient, provider: EmbedProvider, encoding: Encoding, inputs: usize },
    Ranking { provider: RerankProvider, request: RerankRequest<'static> },
}

/// What is known of an answer beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHead<'a> {
    /// An identifier for one that has none.
    pub id: &'a str,
    /// What its headers count.
    pub usage: Option<Usage>,
}

/// An answer in the client's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    pub body: Vec<u8>,
    /// What the provider says it has read; `None` if it says nothing of tokens.
    pub usage: Option<Usage>,
}

impl Map {
    /// The forms between a client of `client` and a provider that is addressed in `provider` for `model`; `None` if
    /// they do not stand in for each other.
    pub fn between(client: Protocol, provider: Protocol, model: &str) -> Option<Self> {
        match client {
            Protocol::Rerank => RerankProvider::of(provider, model).map(Map::Ranking),
            _ => Some(Map::Embeddings {
                client: EmbedClient::of(client)?,
                provider: EmbedProvider::of(provider, model)?,
            }),
        }
    }

    /// The request `body`, JSON that has been scanned, in the provider's form, and how its answer is told. `model` is
    /// the one that is asked, whichever the body names; `None` if only the body tells.
    ///
    /// # Errors
    /// If the body is not what its form says, or the provider cannot be asked for all of it at once.
    pub fn request(self, body: Raw<'_>, model: Option<&str>) -> Result<(Vec<u8>, Mapping), MapError> {
        match self {
            Map::Embeddings { client, provider } => {
                let mut request = client.read_request(body)?;
                let own = request.model.take();
                request.model = model.map(Into::into).or_else(|| own.clone());
                let sent = provider.write_request(&request)?;
                let losses = provider.losses(client, &request);
                let inputs = request.inputs.len();
                let form = Form::Embeddings { client, provider, encoding: request.encoding, inputs };
                let told = own.or(request.model).unwrap_or_default();
                Ok((sent, Mapping { form, model: told.into(), losses }))
            }
            Map::Ranking(provider) => {
                let mut request = RerankRequest::read(body)?;
                let own = request.model.take();
                request.model = model.map(Into::into).or_else(|| own.clone());
                let sent = provider.write_request(&request);
                request.model = own;
                let told = request.model.as_deref().unwrap_or_default().into();
                let losses = request.unread.clone();
                let form = Form::Ranking { provider, request: request.into_owned() };
                Ok((sent, Mapping { form, model: told, losses }))
            }
        }
    }
}

impl Mapping {
    /// What of the request the provider has no words for.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// A whole answer's `body` in the client's form.
    ///
    /// # Errors
    /// If the body is not well-formed, is not what the provider's form says, or has not one vector for each input. The
    /// texts for Vertex's `:predict` are APISIX's.
    pub fn answer(&self, head: AnswerHead<'_>, body: &[u8]) -> Result<Mapped, ReadError> {
        let body = Raw::checked(body).ok_or_else(|| ReadError::new("the answer is not well-formed JSON"))?;
        match &self.form {
            Form::Embeddings { client, provider, encoding, inputs } => {
                let mut answer = provider.read_response(body)?;
                if answer.vectors.len() != *inputs {
                    let vectors = answer.vectors.len();
                    return Err(ReadError::new(format!("the answer has {vectors} embeddings for {inputs} inputs")));
                }
                if answer.id.is_empty() {
                    answer.id = head.id.into();
                }
                answer.input_tokens = answer.input_tokens.or(head.usage.map(|usage| usage.prompt));
                let body = client.write_response(&answer, &self.model, *encoding);
                Ok(Mapped { body, usage: answer.input_tokens.map(Usage::of_prompt) })
            }
            Form::Ranking { provider, request } => {
                let mut ranking = provider.read_response(body, request)?;
                ranking.id.get_or_insert_with(|| head.id.into());
                ranking.total_tokens = ranking.total_tokens.or(head.usage.map(|usage| usage.prompt));
                Ok(Mapped { body: ranking.write(request), usage: ranking.total_tokens.map(Usage::of_prompt) })
            }
        }
    }
}
