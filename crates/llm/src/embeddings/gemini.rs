//! Gemini's `:embedContent` and `:batchEmbedContents`. A batch repeats the model in each of its requests.

use super::{EmbedError, EmbedInput, EmbedRequest, EmbedTask, Embeddings, Encoding, MOST_MODEL_BYTES, Vector};
use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw};
use crate::model::Text;

pub(super) fn read_request(body: Raw<'_>) -> Result<EmbedRequest<'_>, ReadError> {
    let mut request = EmbedRequest::default();
    let mut text = None;
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"content" => text = Some(read_content(value)?),
            b"model" => request.model = value.text().map(without_collection),
            b"outputDimensionality" | b"output_dimensionality" => request.dimensions = value.count(),
            b"taskType" | b"task_type" => {
                request.task = value.quoted().and_then(read_task);
                if value.quoted() != Some(NO_TASK) {
                    request.unread.lose_unless_read("taskType", request.task.as_ref());
                }
            }
            _ => request.unread.lose_field(&String::from_utf8_lossy(key)),
        }
    }
    request.inputs.push(EmbedInput::Text(text.ok_or_else(|| ReadError::new("content is required"))?));
    Ok(request)
}

pub(super) fn read_batch(body: Raw<'_>) -> Result<EmbedRequest<'_>, ReadError> {
    let mut requests = body.first("requests").into_iter().flat_map(Raw::elements).map(read_request);
    let none = || Err(ReadError::new("requests must be an array with at least one request"));
    let mut batch = requests.next().unwrap_or_else(none)?;
    for request in requests {
        join(&mut batch, request?)?;
    }
    Ok(batch)
}

/// Adds a request to a batch, which other forms ask for as one.
fn join<'a>(batch: &mut EmbedRequest<'a>, request: EmbedRequest<'a>) -> Result<(), ReadError> {
    if (&request.model, request.task, request.dimensions) != (&batch.model, batch.task, batch.dimensions) {
        return Err(ReadError::new("model, taskType and outputDimensionality must be the same in all requests"));
    }
    batch.inputs.extend(request.inputs);
    batch.unread.add(&request.unread);
    Ok(())
}

/// The parts' texts, which become one vector.
fn read_content(content: Raw<'_>) -> Result<Text<'_>, ReadError> {
    let mut joined = Text::default();
    for part in content.first("parts").into_iter().flat_map(Raw::elements) {
        let text = part.first("text").and_then(Raw::text);
        joined += text.ok_or_else(|| ReadError::new("only texts can be embedded by this provider"))?;
    }
    Ok(joined)
}

fn without_collection(model: Text<'_>) -> Text<'_> {
    match model.strip_prefix("models/").map(str::to_owned) {
        Some(name) => name.into(),
        None => model,
    }
}

fn read_task(task: &[u8]) -> Option<EmbedTask> {
    TASKS.into_iter().find(|known| task_name(*known).as_bytes() == task)
}

/// As good as no word.
const NO_TASK: &[u8] = b"TASK_TYPE_UNSPECIFIED";

const TASKS: [EmbedTask; 5] =
    [EmbedTask::Query, EmbedTask::Document, EmbedTask::Similarity, EmbedTask::Classification, EmbedTask::Clustering];

/// Google's word for what vectors are for, at Gemini and at Vertex AI.
pub(super) const fn task_name(task: EmbedTask) -> &'static str {
    match task {
        EmbedTask::Query => "RETRIEVAL_QUERY",
        EmbedTask::Document => "RETRIEVAL_DOCUMENT",
        EmbedTask::Similarity => "SEMANTIC_SIMILARITY",
        EmbedTask::Classification => "CLASSIFICATION",
        EmbedTask::Clustering => "CLUSTERING",
    }
}

pub(super) fn write_request(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let text = request.only_text()?;
    let mut out = Vec::new();
    write_item(&mut ObjectWriter::new(&mut out), request, text);
    Ok(out)
}

pub(super) fn write_batch(request: &EmbedRequest<'_>) -> Result<Vec<u8>, EmbedError> {
    let texts = request.texts()?;
    let model = request.model.as_deref().unwrap_or_default();
    if model.len() > MOST_MODEL_BYTES {
        return Err(EmbedError::LongModel(model.len()));
    }
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    let mut requests = body.array("requests");
    for text in texts {
        let mut item = requests.object();
        item.string("model", &format!("models/{model}"));
        write_item(&mut item, request, text);
    }
    drop(requests);
    drop(body);
    Ok(out)
}

fn write_item(item: &mut ObjectWriter<'_>, request: &EmbedRequest<'_>, text: &str) {
    item.object("content").array("parts").object().string("text", text);
    if let Some(dimensions) = request.dimensions {
        item.number("outputDimensionality", dimensions);
    }
    item.maybe_string("taskType", request.task.map(task_name));
}

pub(super) fn read_response(body: Raw<'_>) -> Result<Embeddings<'_>, ReadError> {
    let mut answer = Embeddings::default();
    for (key, value) in body.members() {
        match key {
            b"embedding" => answer.vectors.extend(value.first("values").and_then(Vector::read)),
            b"embeddings" => {
                answer.vectors.extend(Vector::read_list(Some(value), |embedding| embedding.first("values"))?);
            }
            b"usageMetadata" => answer.input_tokens = value.first("promptTokenCount").and_then(Raw::count),
            _ => {}
        }
    }
    answer.unless_empty()
}

pub(super) fn write_response(answer: &Embeddings<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    if let Some(vector) = answer.vectors.first() {
        vector.write(Encoding::Float, body.object("embedding").key("values"));
    }
    write_usage(&mut body, answer);
    drop(body);
    out
}

pub(super) fn write_batch_response(answer: &Embeddings<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    let mut embeddings = body.array("embeddings");
    for vector in &answer.vectors {
        vector.write(Encoding::Float, embeddings.object().key("values"));
    }
    drop(embeddings);
    write_usage(&mut body, answer);
    drop(body);
    out
}

fn write_usage(body: &mut ObjectWriter<'_>, answer: &Embeddings<'_>) {
    if let Some(tokens) = answer.input_tokens {
        let mut usage = body.object("usageMetadata");
        usage.number("promptTokenCount", tokens);
        usage.number("totalTokenCount", tokens);
    }
}
