//! Amazon's Titan embedding models in Bedrock's `invoke`: one text, one vector.

use super::{EmbedError, EmbedRequest, Embeddings, Vector};
use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw};

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let text = request.only_text()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.string("inputText", text);
    if let Some(dimensions) = request.dimensions {
        body.number("dimensions", dimensions);
    }
    drop(body);
    Ok(out)
}

/// For the models that also take images.
pub(super) fn write_multimodal(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let text = request.only_text()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.string("inputText", text);
    if let Some(dimensions) = request.dimensions {
        body.object("embeddingConfig").number("outputEmbeddingLength", dimensions);
    }
    drop(body);
    Ok(out)
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"embedding" => answer.vectors.extend(Vector::read(value)),
            b"inputTextTokenCount" => answer.input_tokens = value.count(),
            _ => {}
        }
    }
    answer.unless_empty()
}
