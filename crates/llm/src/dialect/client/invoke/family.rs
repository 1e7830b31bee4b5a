//! The families of models whose bodies are read, and how a body tells to which it belongs.
//!
//! Invariant: a body is of a family only if it holds a list of messages; completions and embeddings are of none.

use crate::dialect::{Dialect, ReadError};
use crate::json::{Kind, ObjectWriter, Raw, unescape};
use crate::model::{Json, Request};
use crate::scan::BodyScan;

/// Whose bodies an `invoke` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InvokeFamily {
    /// Anthropic's Messages with `anthropic_version`, without `model` and `stream`.
    Anthropic,
    /// Amazon Nova's: Converse with `schemaVersion` and a spelling or two of its own.
    Nova,
}

impl InvokeFamily {
    /// Every family, in no order that means anything.
    pub const ALL: [InvokeFamily; 2] = [InvokeFamily::Anthropic, InvokeFamily::Nova];

    /// The family of a body for `model`, which counts where the body does not tell; `None` for all others: Titan's,
    /// Llama's, Mistral's, Cohere's, AI21's and embeddings.
    pub fn of(body: &BodyScan, model: &str) -> Option<Self> {
        if body.kind_of("messages") != Some(Kind::Array) {
            return None;
        }
        let has = |name: &&str| body.kind_of(name).is_some();
        if has(&"anthropic_version") {
            return Some(InvokeFamily::Anthropic);
        }
        if ["schemaVersion", "inferenceConfig", "toolConfig"].iter().any(has) {
            return Some(InvokeFamily::Nova);
        }
        Self::of_model(model)
    }

    /// The family whose bodies `model` reads; `None` if its name does not tell, or tells another's.
    pub(crate) fn of_model(model: &str) -> Option<Self> {
        match model {
            nova if nova.contains("amazon.nova") => Some(InvokeFamily::Nova),
            claude if claude.contains("anthropic.") || claude.contains("claude") => Some(InvokeFamily::Anthropic),
            _ => None,
        }
    }

    /// The dialect of the family's bodies.
    pub const fn dialect(self) -> Dialect {
        match self {
            InvokeFamily::Anthropic => Dialect::Anthropic,
            InvokeFamily::Nova => Dialect::BedrockConverse,
        }
    }

    /// Reads a request's body. What only tells Bedrock how to read it is left out.
    ///
    /// # Errors
    /// If the body is not what the family says.
    pub(in crate::dialect::client) fn read_request(self, body: Raw<'_>) -> Result<Request<'_>, ReadError> {
        let mut request = self.dialect().read_request(body)?;
        match self {
            InvokeFamily::Anthropic => request.extras.0.retain(|(name, _)| name != "anthropic_version"),
            InvokeFamily::Nova => {
                request.extras.0.retain(|(name, _)| name != "schemaVersion");
                read_novas_own(&mut request);
            }
        }
        Ok(request)
    }
}

/// What Nova spells otherwise than Converse, all of it in `inferenceConfig`; the reader of Converse has kept it there.
fn read_novas_own(request: &mut Request<'_>) {
    const FIELD: &str = "inferenceConfig";
    let Some(at) = request.extras.0.iter().position(|(name, _)| name == FIELD) else { return };
    let (_, config) = request.extras.0.remove(at);
    let mut rest = Vec::new();
    let mut others = ObjectWriter::new(&mut rest);
    let mut knows_more = false;
    for (key, value) in config.raw().members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"max_new_tokens" => request.max_tokens = value.count().or(request.max_tokens),
            b"topK" | b"top_k" => request.top_k = Some(Json::owned(value.bytes.to_vec())),
            b"top_p" => request.top_p = Some(Json::owned(value.bytes.to_vec())),
            _ => {
                others.raw(&unescape(key), value.bytes);
                knows_more = true;
            }
        }
    }
    drop(others);
    if knows_more {
        request.extras.0.push((FIELD.into(), Json::owned(rest)));
    }
}
