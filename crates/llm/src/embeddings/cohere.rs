//! Cohere's v2 embed, at Cohere and in Bedrock's `invoke`. The purpose of the vectors must be told.

use super::{EmbedError, EmbedInput, EmbedRequest, EmbedTask, Embeddings, Encoding, Truncation, Vector};
use crate::dialect::ReadError;
use crate::json::{Kind, ObjectWriter, Raw};
use crate::model::Text;

/// Reads a client's request. Of what Cohere embeds only texts are taken, for no other form has its images.
pub(super) fn read_request(body: Raw<'_>) -> Result<EmbedRequest<'_>, ReadError> {
    let mut request = EmbedRequest::default();
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"model" => request.model = value.text(),
            b"texts" => {
                request.inputs =
                    value.elements().map(|text| read_text(text).map(EmbedInput::Text)).collect::<Result<_, _>>()?;
            }
            b"inputs" => {
                request.inputs =
                    value.elements().map(|item| read_item(item).map(EmbedInput::Text)).collect::<Result<_, _>>()?;
            }
            b"input_type" => {
                request.task = value.quoted().and_then(read_task);
                request.unread.lose_unless_read("input_type", request.task.as_ref());
            }
            b"output_dimension" => request.dimensions = value.count(),
            b"embedding_types" => request.encoding = read_types(value)?,
            b"truncate" => {
                request.truncation = value.quoted().and_then(Truncation::read);
                request.truncation_field = "truncate";
                request.unread.lose_unless_read("truncate", request.truncation.as_ref());
            }
            b"images" if value.elements().next().is_some() => return Err(only_texts()),
            b"images" => {}
            _ => request.unread.lose_field(&String::from_utf8_lossy(key)),
        }
    }
    match request.inputs.is_empty() {
        true => Err(ReadError::new("texts must be an array with at least one text")),
        false => Ok(request),
    }
}

fn only_texts() -> ReadError {
    ReadError::new("only texts can be embedded by this provider")
}

fn read_text(text: Raw<'_>) -> Result<Text<'_>, ReadError> {
    text.text().ok_or_else(only_texts)
}

/// An input of several parts becomes one vector.
fn read_item(item: Raw<'_>) -> Result<Text<'_>, ReadError> {
    let mut joined = Text::default();
    for part in item.first("content").into_iter().flat_map(Raw::elements) {
        joined += part.first("text").and_then(Raw::text).ok_or_else(only_texts)?;
    }
    Ok(joined)
}

fn read_task(task: &[u8]) -> Option<EmbedTask> {
    match task {
        b"search_query" => Some(EmbedTask::Query),
        b"search_document" => Some(EmbedTask::Document),
        b"classification" => Some(EmbedTask::Classification),
        b"clustering" => Some(EmbedTask::Clustering),
        _ => None,
    }
}

fn read_types(types: Raw<'_>) -> Result<Encoding, ReadError> {
    let mut types = types.elements().filter_map(Raw::quoted);
    match (types.next(), types.next()) {
        (None | Some(b"float"), None) => Ok(Encoding::Float),
        (Some(b"base64"), None) => Ok(Encoding::Base64),
        _ => Err(ReadError::new("embedding_types must be one of float and base64 for this provider")),
    }
}

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
    if let Some(truncation) = request.truncation {
        body.string("truncate", truncation.word());
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
            b"id" => answer.id = value.text().unwrap_or_default(),
            b"embeddings" => {
                // The older models in Bedrock give the list itself.
                let list = if value.kind == Kind::Array { Some(value) } else { value.first("float") };
                answer.vectors = Vector::read_list(list, Some)?;
            }
            b"meta" => answer.input_tokens = value.at(&["billed_units", "input_tokens"]).and_then(Raw::count),
            _ => {}
        }
    }
    answer.unless_empty()
}

/// Writes a client's answer.
pub(super) fn write_response(answer: &Embeddings<'_>, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = ObjectWriter::new(&mut out);
    body.string("id", &answer.id);
    let name = match encoding {
        Encoding::Float => "float",
        Encoding::Base64 => "base64",
    };
    let mut embeddings = body.object("embeddings");
    let mut list = embeddings.array(name);
    answer.vectors.iter().for_each(|vector| vector.write(encoding, list.element()));
    drop(list);
    drop(embeddings);
    let mut meta = body.object("meta");
    meta.object("api_version").string("version", "2");
    if let Some(tokens) = answer.input_tokens {
        meta.object("billed_units").number("input_tokens", tokens);
    }
    drop(meta);
    body.string("response_type", "embeddings_by_type");
    drop(body);
    out
}

impl Truncation {
    /// Reads `NONE`, `START` or `END`.
    pub(super) const fn read(word: &[u8]) -> Option<Self> {
        match word {
            b"NONE" => Some(Truncation::Refuse),
            b"START" => Some(Truncation::Start),
            b"END" => Some(Truncation::End),
            _ => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Truncation::Refuse => "NONE",
            Truncation::Start => "START",
            Truncation::End => "END",
        }
    }
}
