//! Cohere's v2 embed, at Cohere and in Bedrock's `invoke`. The purpose of the vectors must be told.

use super::{EmbedError, EmbedRequest, EmbedTask, Embeddings, Vector};
use crate::dialect::ReadError;
use crate::json::{Kind, ObjectWriter, Raw};

/// Where the model is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelPlace {
    Body,
    Path,
}

pub(super) fn write_request(request: &EmbedRequest<'_>, place: ModelPlace) -> Result<Vec<u8>, EmbedError> {
    let texts = request.texts()?;
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    if place == ModelPlace::Body {
        body.maybe_string("model", request.model.as_deref());
    }
    let mut list = body.array("texts");
    texts.into_iter().for_each(|text| list.string(text));
    drop(list);
    body.string("input_type", input_type(request.task));
    body.array("embedding_types").string("float");
    if let Some(dimensions) = request.dimensions {
        body.number("output_dimension", dimensions);
    }
    drop(body);
    Ok(out)
}

/// Texts without a known purpose are mostly what is to be found.
const fn input_type(task: Option<EmbedTask>) -> &'static str {
    match task {
        Some(EmbedTask::Query) => "search_query",
        Some(EmbedTask::Document) | None => "search_document",
        Some(EmbedTask::Classification) => "classification",
        Some(EmbedTask::Clustering | EmbedTask::Similarity) => "clustering",
    }
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"embeddings" => {
                // The older models in Bedrock give the list itself.
                let list = if value.kind == Kind::Array { Some(value) } else { value.first("float") };
                answer.vectors = list.into_iter().flat_map(Raw::elements).filter_map(Vector::read).collect();
            }
            b"meta" => answer.input_tokens = value.at(&["billed_units", "input_tokens"]).and_then(Raw::count),
            _ => {}
        }
    }
    answer.unless_empty()
}
