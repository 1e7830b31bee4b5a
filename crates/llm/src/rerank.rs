//! Reranking: documents ordered by how well they answer a query.
//!
//! Clients speak one form, which Cohere (v1 and v2), Jina, Voyage, vLLM and llama.cpp share but for the names of two
//! members; all of these names are read. Providers are asked in theirs. Invariant: an answer names documents by
//! their place in the request, only ones that are there, and none twice. Called by the data plane for rerank endpoints.

use std::collections::HashSet;

use crate::dialect::ReadError;
use crate::json::{ObjectWriter, Raw, write_string};
use crate::model::{Json, Losses, Text};
use crate::protocol::Protocol;

/// A form in which providers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RerankProvider {
    /// `/v1/rerank` and `/v2/rerank`: Cohere, Jina, vLLM, llama.cpp.
    Plain,
    /// Voyage's `/v1/rerank`, which counts in `top_k` and answers in `data`.
    Voyage,
    /// DashScope's own text rerank.
    DashScope,
    /// Cohere's models in Bedrock's `invoke`.
    BedrockCohere,
    /// Amazon's models in Bedrock's `invoke`.
    BedrockAmazon,
}

/// What is to be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RerankRequest<'a> {
    pub model: Option<Text<'a>>,
    pub query: Text<'a>,
    /// The documents' texts.
    pub documents: Vec<Text<'a>>,
    /// How many are wanted; `None` is all.
    pub top_n: Option<u64>,
    /// The answer shall repeat the documents.
    pub return_documents: bool,
    /// What the client said beside that.
    pub unread: Losses,
}

/// The order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranking<'a> {
    pub id: Option<Text<'a>>,
    pub model: Option<Text<'a>>,
    /// The best first.
    pub results: Vec<Ranked<'a>>,
    /// Tokens of query and documents, where the provider counts these.
    pub total_tokens: Option<u64>,
    /// Cohere charges by searches.
    pub search_units: Option<u64>,
}

/// One document's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// Which document of the request it is, from 0.
    pub index: usize,
    /// The score as the provider wrote it; some are negative.
    pub score: Json<'a>,
}

impl<'a> RerankRequest<'a> {
    /// Reads a client's request.
    ///
    /// # Errors
    /// If there is no query or no document, or if a document has no text.
    pub fn read(body: Raw<'a>) -> Result<Self, ReadError> {
        let mut request = Self::default();
        let mut query = None;
        for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"model" => request.model = value.text(),
                b"query" => query = value.text(),
                b"documents" => {
                    request.documents = value.elements().zip(0..).map(read_document).collect::<Result<_, _>>()?;
                }
                b"top_n" | b"top_k" => request.top_n = value.count(),
                b"return_documents" => request.return_documents = value.is_true(),
                _ => request.unread.lose_field(&String::from_utf8_lossy(key)),
            }
        }
        request.query = query.ok_or_else(|| ReadError::new("query must be a string"))?;
        match request.documents.is_empty() {
            true => Err(ReadError::new("documents must be an array with at least one document")),
            false => Ok(request),
        }
    }

    /// The same request without a tie to the text it was read from.
    pub(crate) fn into_owned(self) -> RerankRequest<'static> {
        let owned = |text: Text<'_>| Text::Owned(text.into_owned());
        RerankRequest {
            model: self.model.map(owned),
            query: owned(self.query),
            documents: self.documents.into_iter().map(owned).collect(),
            top_n: self.top_n,
            return_documents: self.return_documents,
            unread: self.unread,
        }
    }
}

/// A document is its text, or an object that holds it.
fn read_document((document, at): (Raw<'_>, usize)) -> Result<Text<'_>, ReadError> {
    let text = document.text().or_else(|| document.first("text")?.text());
    text.ok_or_else(|| ReadError::new(format!("documents[{at}] must be a string or an object with text")))
}

impl RerankProvider {
    /// The form of a provider that is addressed in `protocol` for `model`; `None` if that ranks nothing. Bedrock's
    /// `invoke` has a form per family of models.
    pub(crate) fn of(protocol: Protocol, model: &str) -> Option<Self> {
        match protocol {
            Protocol::Rerank => Some(RerankProvider::Plain),
            Protocol::VoyageRerank => Some(RerankProvider::Voyage),
            Protocol::DashScopeRerank => Some(RerankProvider::DashScope),
            Protocol::BedrockInvoke if model.contains("cohere.rerank") => Some(RerankProvider::BedrockCohere),
            Protocol::BedrockInvoke if model.contains("amazon.rerank") => Some(RerankProvider::BedrockAmazon),
            _ => None,
        }
    }

    /// Writes a provider's request.
    pub fn write_request(self, request: &RerankRequest<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut body = ObjectWriter::new(&mut out);
        match self {
            RerankProvider::Plain => {
                body.maybe_string("model", request.model.as_deref());
                write_plain(&mut body, request, "top_n");
            }
            RerankProvider::Voyage => {
                body.maybe_string("model", request.model.as_deref());
                write_plain(&mut body, request, "top_k");
            }
            RerankProvider::BedrockCohere => {
                body.number("api_version", COHERE_API_VERSION);
                write_plain(&mut body, request, "top_n");
            }
            RerankProvider::BedrockAmazon => write_plain(&mut body, request, "top_n"),
            RerankProvider::DashScope => {
                body.maybe_string("model", request.model.as_deref());
                write_input(&mut body.object("input"), request);
                let mut parameters = body.object("parameters");
                if let Some(count) = request.top_n {
                    parameters.number("top_n", count);
                }
            }
        }
        drop(body);
        out
    }

    /// Reads a provider's answer to `request`.
    ///
    /// # Errors
    /// If the answer has no results, or one that names no document of the request, or one that another has named.
    pub fn read_response<'a>(self, body: Raw<'a>, request: &RerankRequest<'_>) -> Result<Ranking<'a>, ReadError> {
        let mut ranking = Ranking::default();
        let mut results = None;
        for (key, value) in body.members() {
            match key {
                b"id" | b"request_id" => ranking.id = value.text(),
                b"model" => ranking.model = value.text(),
                b"results" | b"data" => results = Some(value),
                b"output" => results = value.first("results"),
                b"usage" => ranking.total_tokens = value.first("total_tokens").and_then(Raw::count),
                b"meta" => ranking.search_units = value.at(&["billed_units", "search_units"]).and_then(Raw::count),
                _ => {}
            }
        }
        let results = results.ok_or_else(|| ReadError::new("the answer has no results"))?;
        let mut named = HashSet::new();
        for result in results.elements() {
            let ranked = read_result(result, request.documents.len())?;
            if !named.insert(ranked.index) {
                return Err(ReadError::new("two results name the same document"));
            }
            ranking.results.push(ranked);
        }
        Ok(ranking)
    }
}

/// Which of Cohere's forms Bedrock is asked in.
const COHERE_API_VERSION: u64 = 2;

fn write_plain(body: &mut ObjectWriter<'_>, request: &RerankRequest<'_>, count: &str) {
    write_input(body, request);
    if let Some(top) = request.top_n {
        body.number(count, top);
    }
}

fn write_input(object: &mut ObjectWriter<'_>, request: &RerankRequest<'_>) {
    object.string("query", &request.query);
    let mut documents = object.array("documents");
    request.documents.iter().for_each(|document| documents.string(document));
}

fn read_result(result: Raw<'_>, documents: usize) -> Result<Ranked<'_>, ReadError> {
    let (mut index, mut score) = (None, None);
    for (key, value) in result.members() {
        match key {
            b"index" => index = value.count().and_then(|index| usize::try_from(index).ok()),
            b"relevance_score" => score = value.number().map(|_| value),
            _ => {}
        }
    }
    let index = index.filter(|index| *index < documents);
    let named = index.zip(score).map(|(index, score)| Ranked { index, score: score.into() });
    named.ok_or_else(|| ReadError::new("a result names no document of the request"))
}

impl Ranking<'_> {
    /// Writes the answer for the client that asked `request`. A provider need not repeat documents: they are known.
    pub fn write(&self, request: &RerankRequest<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut body = ObjectWriter::new(&mut out);
        body.maybe_string("id", self.id.as_deref());
        body.maybe_string("model", self.model.as_deref().or(request.model.as_deref()));
        let mut results = body.array("results");
        for Ranked { index, score } in &self.results {
            let mut result = results.object();
            result.number("index", *index as u64);
            result.raw("relevance_score", score.bytes());
            if let Some(text) = request.documents.get(*index).filter(|_| request.return_documents) {
                write_string(result.object("document").key("text"), text);
            }
        }
        drop(results);
        if let Some(tokens) = self.total_tokens {
            let mut usage = body.object("usage");
            usage.number("prompt_tokens", tokens);
            usage.number("total_tokens", tokens);
        }
        if let Some(units) = self.search_units {
            body.object("meta").object("billed_units").number("search_units", units);
        }
        drop(body);
        out
    }
}
