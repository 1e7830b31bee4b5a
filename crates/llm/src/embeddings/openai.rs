//! OpenAI's `/v1/embeddings`.

use super::{EmbedInput, EmbedRequest, EmbedTask, Embeddings, Encoding, Truncation, Vector};
use crate::dialect::ReadError;
use crate::json::{Kind, ObjectWriter, Raw};

pub(super) fn read_request(body: Raw<'_>) -> Result<EmbedRequest<'_>, ReadError> {
    let mut request = EmbedRequest::default();
    let mut input = None;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"input" => input = Some(value),
            b"model" => request.model = value.text(),
            b"dimensions" => request.dimensions = value.count(),
            b"encoding_format" if value.quoted() == Some(b"base64") => request.encoding = Encoding::Base64,
            // Voyage's, vLLM's and NVIDIA's.
            b"input_type" => {
                request.task = read_task(value);
                request.unread.lose_unless_read("input_type", request.task.as_ref());
            }
            // Voyage's.
            b"truncation" => truncate(&mut request, "truncation", value),
            // Hugging Face's and NVIDIA's.
            b"truncate" => truncate(&mut request, "truncate", value),
            b"encoding_format" if value.quoted() == Some(b"float") => {}
            _ => request.unread.lose_field(&String::from_utf8_lossy(key)),
        }
    }
    request.inputs = read_input(input)?;
    Ok(request)
}

fn read_task(value: Raw<'_>) -> Option<EmbedTask> {
    match value.quoted()? {
        b"query" | b"search_query" => Some(EmbedTask::Query),
        b"document" | b"passage" | b"search_document" => Some(EmbedTask::Document),
        _ => None,
    }
}

fn truncate(request: &mut EmbedRequest<'_>, field: &'static str, value: Raw<'_>) {
    request.truncation = read_truncation(value);
    request.truncation_field = field;
    request.unread.lose_unless_read(field, request.truncation.as_ref());
}

fn read_truncation(value: Raw<'_>) -> Option<Truncation> {
    match value.boolean() {
        Some(true) => Some(Truncation::End),
        Some(false) => Some(Truncation::Refuse),
        None => Truncation::read(value.quoted()?),
    }
}

fn read_input(input: Option<Raw<'_>>) -> Result<Vec<EmbedInput<'_>>, ReadError> {
    let wrong = || ReadError::new("`input` must be string or array");
    let input = input.ok_or_else(wrong)?;
    match input.kind {
        Kind::String => Ok(input.text().map(EmbedInput::Text).into_iter().collect()),
        // One list of tokens.
        Kind::Array if input.elements().next().is_some_and(is_token) => {
            match input.elements().position(|token| !is_token(token)) {
                None => Ok(vec![EmbedInput::Tokens(input.into())]),
                Some(before) => Err(unsupported(before + 1)),
            }
        }
        Kind::Array => input.elements().zip(1..).map(|(element, at)| read_element(element, at)).collect(),
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => Err(wrong()),
    }
}

/// `at` counts from 1.
fn read_element(element: Raw<'_>, at: usize) -> Result<EmbedInput<'_>, ReadError> {
    match (element.kind, element.text()) {
        (_, Some(text)) => Ok(EmbedInput::Text(text)),
        (Kind::Array, None) => Ok(EmbedInput::Tokens(element.into())),
        (_, None) => Err(unsupported(at)),
    }
}

fn is_token(element: Raw<'_>) -> bool {
    element.kind == Kind::Number
}

/// `at` counts from 1.
fn unsupported(at: usize) -> ReadError {
    ReadError::new(format!("unsupported input type at index {at}"))
}

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.maybe_string("model", request.model.as_deref());
    let mut input = body.array("input");
    for element in &request.inputs {
        match element {
            EmbedInput::Text(text) => input.string(text),
            EmbedInput::Tokens(tokens) => input.raw(tokens.bytes()),
        }
    }
    drop(input);
    if let Some(dimensions) = request.dimensions {
        body.number("dimensions", dimensions);
    }
    if request.encoding == Encoding::Base64 {
        body.string("encoding_format", "base64");
    }
    drop(body);
    out
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"model" => answer.model = value.text(),
            b"data" => answer.vectors = Vector::read_numbered(value, b"index")?,
            b"usage" => {
                // Voyage tells the total alone.
                let told = value.first("prompt_tokens").or_else(|| value.first("total_tokens"));
                answer.input_tokens = told.and_then(Raw::count);
            }
            _ => {}
        }
    }
    answer.unless_empty()
}

pub(super) fn write_response(answer: &Embeddings<'_>, model: &str, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.string("object", "list");
    let mut data = body.array("data");
    for (vector, index) in answer.vectors.iter().zip(0..) {
        let mut item = data.object();
        item.string("object", "embedding");
        item.number("index", index);
        vector.write(encoding, item.key("embedding"));
    }
    drop(data);
    body.string("model", answer.model.as_deref().unwrap_or(model));
    let tokens = answer.input_tokens.unwrap_or_default();
    let mut usage = body.object("usage");
    usage.number("prompt_tokens", tokens);
    usage.number("total_tokens", tokens);
    drop(usage);
    drop(body);
    out
}
