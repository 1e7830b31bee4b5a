//! Vertex AI's `:predict` for embedding models. Where nothing but texts is asked for, nothing
//! else is sent, as APISIX does.

use super::{EmbedInput, EmbedRequest, Embeddings, Truncation, Vector, gemini};
use crate::dialect::ReadError;
use crate::json::{Kind, ObjectWriter, Raw};
use crate::model::Json;

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    let mut instances = body.array("instances");
    for input in &request.inputs {
        let mut instance = instances.object();
        match input {
            EmbedInput::Text(text) => instance.string("content", text),
            EmbedInput::Tokens(tokens) => instance.string("content", &joined(tokens)),
        }
        instance.maybe_string("task_type", request.task.map(gemini::task_name));
    }
    drop(instances);
    // It leaves a text's end out, or nothing.
    let truncation = request.truncation.filter(|truncation| *truncation != Truncation::Start);
    if request.dimensions.is_some() || truncation.is_some() {
        let mut parameters = body.object("parameters");
        if let Some(dimensions) = request.dimensions {
            parameters.number("outputDimensionality", dimensions);
        }
        if let Some(truncation) = truncation {
            parameters.boolean("autoTruncate", truncation == Truncation::End);
        }
    }
    drop(body);
    out
}

/// A list of tokens as APISIX sends it: the numbers, a blank between two.
fn joined(tokens: &Json<'_>) -> String {
    let numbers: Vec<_> = tokens.raw().elements().map(|token| String::from_utf8_lossy(token.bytes)).collect();
    numbers.join(" ")
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let predictions = body.first("predictions").filter(|predictions| predictions.kind == Kind::Array);
    let predictions = predictions.ok_or_else(|| ReadError::new("vertex response missing predictions"))?;
    let mut answer = Embeddings { input_tokens: Some(0), ..Embeddings::default() };
    for (prediction, at) in predictions.elements().zip(1..) {
        let (mut vector, mut tokens) = (None, 0);
        for (key, value) in prediction.first("embeddings").into_iter().flat_map(Raw::members) {
            match key {
                b"values" if value.kind == Kind::Array => vector = Vector::read(value),
                b"statistics" => tokens = value.first("token_count").and_then(Raw::count).unwrap_or_default(),
                _ => {}
            }
        }
        answer.vectors.push(vector.ok_or_else(|| Vector::missing(at))?);
        answer.input_tokens = answer.input_tokens.map(|sum| sum.saturating_add(tokens));
    }
    Ok(answer)
}
