//! Turning texts into vectors, at any provider that embeds, whatever its form.

use std::num::NonZeroUsize;
use std::sync::Arc;

use llm::{
    Asked, Capability, Course, EmbedInput, EmbedProvider, EmbedRequest, EmbedTask, Embeddings, Map, Protocol, Raw,
    Usage, Vector,
};

use super::{AskError, Caller};
use crate::inference::backend::Backend;

/// How vectors are made.
#[derive(Debug, Clone, Default)]
pub struct EmbedderConfig {
    /// The backend's `options.model` wins over it.
    pub model: Option<String>,
    /// How long the vectors shall be; `None` is the model's own length.
    pub dimensions: Option<u64>,
    /// Texts per call; `None` is what the provider takes.
    pub batch: Option<NonZeroUsize>,
}

/// The provider makes no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider {0} makes no embeddings")]
pub struct NoEmbeddings(pub &'static str);

/// A provider of vectors, ready to be called.
pub struct Embedder {
    backend: Arc<Backend>,
    capability: &'static Capability,
    form: EmbedProvider,
    model: Option<String>,
    dimensions: Option<u64>,
    batch: usize,
}

/// Vectors in the order of their texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// All of one length, and as many as there were texts.
    pub vectors: Vec<Vec<f32>>,
    /// Of all calls together; estimated where the provider does not report it.
    pub usage: Usage,
}

impl Embedder {
    /// Compiles `config` for `backend`.
    ///
    /// # Errors
    /// If the backend's provider makes no vectors with this model.
    pub fn new(backend: Arc<Backend>, config: EmbedderConfig) -> Result<Self, NoEmbeddings> {
        let model = backend.fixed_model.clone().or(config.model);
        let provider = backend.provider;
        let course = provider.course(Asked::of(Protocol::OpenAiEmbeddings, model.as_deref().unwrap_or_default()));
        let (capability, form) = match course {
            Some(Course::Same(capability)) => (capability, EmbedProvider::OpenAi),
            Some(Course::Mapped { map: Map::Embeddings { provider, .. }, capability }) => (capability, provider),
            _ => return Err(NoEmbeddings(provider.name)),
        };
        let most = form.most_inputs();
        let batch = config.batch.map_or(most, |batch| batch.get().min(most));
        Ok(Self { backend, capability, form, model, dimensions: config.dimensions, batch })
    }

    /// The vectors of `texts`, in as many calls as the provider needs, one after the other. `task` is what they are
    /// for, so far as the provider tells it apart.
    ///
    /// # Errors
    /// If one of the calls brings no answer, or an answer without a vector of the right length for each text.
    pub async fn embed(&self, caller: &Caller, texts: &[&str], task: Option<EmbedTask>) -> Result<Embedded, AskError> {
        let mut embedded = Embedded { vectors: Vec::with_capacity(texts.len()), usage: Usage::default() };
        for batch in texts.chunks(self.batch) {
            self.embed_batch(caller, batch, task, &mut embedded).await?;
        }
        Ok(embedded)
    }

    async fn embed_batch(
        &self,
        caller: &Caller,
        texts: &[&str],
        task: Option<EmbedTask>,
        embedded: &mut Embedded,
    ) -> Result<(), AskError> {
        let request = EmbedRequest {
            model: self.model.as_deref().map(Into::into),
            inputs: texts.iter().map(|text| EmbedInput::Text((*text).into())).collect(),
            dimensions: self.dimensions,
            task,
            ..EmbedRequest::default()
        };
        let unreadable = |reason: String| AskError::Unreadable(reason);
        let body = self.form.write_request(&request).map_err(|error| unreadable(error.to_string()))?;
        let model = self.model.as_deref().unwrap_or_default();
        let answer = caller.call(&self.backend, self.capability, model, body).await?;
        let raw = Raw::checked(&answer).ok_or_else(|| unreadable("it is not well-formed JSON".to_owned()))?;
        let answer = self.form.read_response(raw).map_err(|error| unreadable(error.to_string()))?;
        if answer.vectors.len() != texts.len() {
            return Err(unreadable(format!("{} vectors for {} texts", answer.vectors.len(), texts.len())));
        }
        count(&answer, texts, &mut embedded.usage);
        for vector in &answer.vectors {
            let vector = Vector::floats(vector).ok_or_else(|| unreadable("a vector is not of numbers".to_owned()))?;
            let length = embedded.vectors.first().map(Vec::len);
            let wanted = length.or(self.dimensions.and_then(|wanted| usize::try_from(wanted).ok()));
            if vector.is_empty() || wanted.is_some_and(|wanted| vector.len() != wanted) {
                let wanted = wanted.map_or_else(|| "some".to_owned(), |wanted| wanted.to_string());
                return Err(unreadable(format!("a vector of {} numbers where {wanted} were wanted", vector.len())));
            }
            embedded.vectors.push(vector);
        }
        Ok(())
    }
}

/// Adds what one call has read.
fn count(answer: &Embeddings<'_>, texts: &[&str], usage: &mut Usage) {
    let tokens = answer.input_tokens.unwrap_or_else(|| {
        usage.estimated = true;
        texts.iter().map(|text| llm::estimate_text(text)).sum()
    });
    usage.prompt = usage.prompt.saturating_add(tokens);
    usage.total = usage.prompt;
}
