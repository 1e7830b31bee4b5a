//! Which models there are, in the form that the client's SDK reads. The simulator answers to every model name but one;
//! it lists the one name under which it is served wherever it stands in for a provider.

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

use super::Refusal;
use super::refusal::Voice;
use super::wire::to_json;

/// The one model that does not exist.
pub(crate) const NO_SUCH_MODEL: &str = "no-such-model";

const LISTED: &str = "simulated";

/// How models are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenAI's; what Mistral's cards have beside it does not disturb others.
    OpenAi,
    /// Anthropic's, for who names a version of its API.
    Anthropic,
    /// Gemini's, for Google's SDKs and below the version of its API.
    Gemini,
}

impl Form {
    /// The paths are much the same everywhere; headers tell whose client asks.
    pub fn of(head: &Parts) -> Self {
        let told = |name: &str| head.headers.contains_key(name);
        if told("anthropic-version") {
            Self::Anthropic
        } else if head.uri.path().contains("/v1beta/") || told("x-goog-api-client") {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }

    /// Whose words an error uses.
    pub fn voice(self) -> Voice {
        match self {
            Self::OpenAi => Voice::OpenAi,
            Self::Anthropic => Voice::Anthropic,
            Self::Gemini => Voice::Modelled(llm::Dialect::Gemini),
        }
    }

    pub fn list(self) -> Bytes {
        let model = self.model(LISTED);
        to_json(&match self {
            Self::OpenAi => json!({"object": "list", "data": [model]}),
            Self::Anthropic => json!({"data": [model], "has_more": false, "first_id": LISTED, "last_id": LISTED}),
            Self::Gemini => json!({"models": [model]}),
        })
    }

    pub fn one(self, id: &str) -> Result<Bytes, Refusal> {
        known(id)?;
        Ok(to_json(&self.model(id)))
    }

    fn model(self, id: &str) -> Value {
        match self {
            Self::OpenAi => json!({
                "id": id,
                "object": "model",
                "created": 1_700_000_000,
                "owned_by": "tidegate",
                "type": "base",
                "capabilities": {"completion_chat": true, "function_calling": true, "vision": true},
            }),
            Self::Anthropic => json!({
                "type": "model",
                "id": id,
                "display_name": id,
                "created_at": "2023-11-14T22:13:20Z",
                "lifecycle": "active",
            }),
            Self::Gemini => json!({
                "name": format!("models/{id}"),
                "displayName": id,
                "supportedGenerationMethods": ["generateContent", "embedContent"],
            }),
        }
    }
}

pub(crate) fn known(id: &str) -> Result<(), Refusal> {
    if id == NO_SUCH_MODEL { Err(Refusal::no_such_model(id)) } else { Ok(()) }
}
