//! Amazon's Nova embedding models in Bedrock's `invoke`: one text, one vector. Tokens are counted in the answer's head.

use super::{EmbedError, EmbedRequest, EmbedTask, Embeddings, Truncation, Vector};
use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw};

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let text = request.only_text()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.string("taskType", "SINGLE_EMBEDDING");
    let mut params = body.object("singleEmbeddingParams");
    params.string("embeddingPurpose", purpose(request.task));
    if let Some(dimensions) = request.dimensions {
        params.number("embeddingDimension", dimensions);
    }
    let mut content = params.object("text");
    content.string("truncationMode", truncation_mode(request.truncation));
    content.string("value", text);
    drop(content);
    drop(params);
    drop(body);
    Ok(out)
}

const fn purpose(task: Option<EmbedTask>) -> &'static str {
    match task {
        Some(EmbedTask::Query) => "GENERIC_RETRIEVAL",
        Some(EmbedTask::Document) | None => "GENERIC_INDEX",
        Some(EmbedTask::Classification) => "CLASSIFICATION",
        Some(EmbedTask::Clustering | EmbedTask::Similarity) => "CLUSTERING",
    }
}

/// Unasked, a text that is too long is refused, as OpenAI does it.
const fn truncation_mode(truncation: Option<Truncation>) -> &'static str {
    match truncation {
        None | Some(Truncation::Refuse) => "NONE",
        Some(Truncation::Start) => "START",
        Some(Truncation::End) => "END",
    }
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let vectors = Vector::read_list(body.first("embeddings"), |item| item.first("embedding"))?;
    Embeddings { vectors, ..Embeddings::default() }.unless_empty()
}
