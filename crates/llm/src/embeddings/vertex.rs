//! Vertex AI's `:predict` for embedding models, as APISIX asks it: nothing but the texts is sent.

use super::{EmbedInput, EmbedRequest, Embeddings, Vector};
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
    }
    drop(instances);
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
        answer.vectors.push(vector.ok_or_else(|| ReadError::new(format!("invalid embedding at index {at}")))?);
        answer.input_tokens = answer.input_tokens.map(|sum| sum.saturating_add(tokens));
    }
    Ok(answer)
}
