//! Asking a model: one request, one whole answer, as text.

use llm::model::{Losses, PartBody, Request, Response};
use llm::{Asked, Course, Dialect, Protocol, ProviderDialect, Raw, ResponseFacts, Usage, response_text};

use super::{AskError, Caller};
use crate::inference::backend::Backend;

/// What a model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The answer's pieces, joined by one space; `None` if it has no text at all.
    pub text: Option<String>,
    /// What the provider reported.
    pub usage: Option<Usage>,
}

impl Caller {
    /// Asks `backend` in OpenAI's chat dialect if it speaks it, else in its own. The backend's `options` are laid over
    /// the request, whose answer must not be streamed.
    ///
    /// # Errors
    /// If no answer of status 200 comes, or one that is not what the dialect says.
    pub async fn ask(&self, backend: &Backend, request: &Request<'_>) -> Result<Said, AskError> {
        let provider = backend.provider;
        let model = backend.fixed_model.as_deref().or(request.model.as_deref()).unwrap_or_default();
        let (capability, dialect) = match provider.course(Asked::of(Protocol::OpenAiChat, model)) {
            Some(Course::Same(capability)) => (capability, ProviderDialect::Shared(Dialect::OpenAiChat)),
            Some(Course::Translated { provider, capability, .. }) => (capability, provider),
            Some(Course::Mapped { .. } | Course::Counted | Course::Passed) | None => {
                return Err(AskError::NotSpoken(provider.name));
            }
        };
        let protocol = capability.protocol;
        let body = dialect.write_request(request, &provider.quirks, &mut Losses::default());
        let answer = self.call(backend, capability, model, body).await?;
        let raw = Raw::new(&answer).ok_or_else(|| AskError::Unreadable("it is not JSON".to_owned()))?;
        let response = dialect.read_response(raw).map_err(|error| AskError::Unreadable(error.to_string()))?;
        if let Some(failure) = response.failure() {
            return Err(AskError::Unreadable(failure.message.into_owned()));
        }
        let text = match dialect {
            ProviderDialect::Shared(_) => response_text(protocol, &answer),
            ProviderDialect::BedrockInvoke | ProviderDialect::Ollama | ProviderDialect::DashScope => text_of(&response),
        };
        Ok(Said { text, usage: ResponseFacts::read(protocol, &answer).usage })
    }
}

/// The text of an answer that is read into the model only.
fn text_of(response: &Response<'_>) -> Option<String> {
    let parts = response.choices.iter().flat_map(|choice| &choice.parts);
    let texts: Vec<&str> = parts
        .filter_map(|part| match &part.body {
            PartBody::Text { text, .. } => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}
