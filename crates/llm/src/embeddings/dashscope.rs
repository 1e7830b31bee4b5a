//! DashScope's own text embedding.

use super::{EmbedError, EmbedRequest, EmbedTask, Embeddings, Vector};
use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw};

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let texts = request.texts()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let mut input = body.object("input");
    let mut list = input.array("texts");
    texts.into_iter().for_each(|text| list.string(text));
    drop(list);
    drop(input);
    let mut parameters = body.object("parameters");
    if let Some(dimensions) = request.dimensions {
        parameters.number("dimension", dimensions);
    }
    if let Some(task) = request.task {
        parameters.string("text_type", if task == EmbedTask::Query { "query" } else { "document" });
    }
    drop(parameters);
    drop(body);
    Ok(out)
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"request_id" => answer.id = value.text().unwrap_or_default(),
            b"output" => {
                let list = value.first("embeddings").map(|list| Vector::read_numbered(list, b"text_index"));
                answer.vectors = list.transpose()?.unwrap_or_default();
            }
            b"usage" => answer.input_tokens = value.first("total_tokens").and_then(Raw::count),
            _ => {}
        }
    }
    answer.unless_empty()
}
