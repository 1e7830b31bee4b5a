//! Ollama's `/api/embed`, and the answers of the older `/api/embeddings`.

use super::{EmbedError, EmbedRequest, Embeddings, Truncation, Vector};
use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw};

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let texts = request.texts()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let mut input = body.array("input");
    texts.into_iter().for_each(|text| input.string(text));
    drop(input);
    if let Some(dimensions) = request.dimensions {
        body.number("dimensions", dimensions);
    }
    // It leaves a text's end out, or nothing.
    if let Some(truncation) = request.truncation.filter(|truncation| *truncation != Truncation::Start) {
        body.boolean("truncate", truncation == Truncation::End);
    }
    drop(body);
    Ok(out)
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"model" => answer.model = value.text(),
            b"embeddings" => answer.vectors.extend(Vector::read_list(Some(value), Some)?),
            b"embedding" => answer.vectors.extend(Vector::read(value)),
            b"prompt_eval_count" => answer.input_tokens = value.count(),
            _ => {}
        }
    }
    answer.unless_empty()
}
