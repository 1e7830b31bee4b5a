//! Rankings: a document's score is the share of the query's words that it holds.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Refusal;
use super::wire::to_json;
use crate::directives::Directives;
use crate::text::count;

/// How rankings are asked for and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Cohere's, Jina's and most others'.
    Plain,
    DashScope,
    /// Of Cohere's and Amazon's models in Bedrock's `invoke`.
    Bedrock,
}

/// The answer to a request in `form`.
pub(crate) fn answer(form: Form, body: &[u8], directives: &Directives) -> Result<Bytes, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    let (asked, options) = match form {
        Form::DashScope => (&body["input"], &body["parameters"]),
        Form::Plain | Form::Bedrock => (&body, &body),
    };
    let query = asked["query"].as_str().ok_or_else(|| Refusal::missing("query"))?;
    let documents = asked["documents"].as_array().ok_or_else(|| Refusal::missing("documents"))?;
    let documents: Vec<&str> = documents.iter().filter_map(Value::as_str).collect();
    let most = options["top_n"].as_u64();
    let mut scores: Vec<(usize, f64)> = documents.iter().map(|document| score(query, document)).enumerate().collect();
    scores.sort_by(|one, other| other.1.total_cmp(&one.1));
    scores.truncate(most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX));
    let results: Vec<Value> =
        scores.iter().map(|(index, score)| json!({"index": index, "relevance_score": score})).collect();
    let tokens = || documents.iter().map(|document| count(document)).sum::<u32>() + count(query);
    let tokens = (!directives.no_usage).then(tokens);
    Ok(to_json(&match form {
        Form::Plain => json!({"id": "ranked", "results": results, "meta": {"billed_units": {"search_units": 1}}}),
        Form::DashScope => {
            json!({"request_id": "ranked", "output": {"results": results}, "usage": {"total_tokens": tokens}})
        }
        Form::Bedrock => json!({"results": results}),
    }))
}

fn score(query: &str, document: &str) -> f64 {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let document = document.to_lowercase();
    let held = words.iter().filter(|word| document.contains(word.as_str())).count();
    held as f64 / words.len().max(1) as f64
}
