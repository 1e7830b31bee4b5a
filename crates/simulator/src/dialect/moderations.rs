//! OpenAI's moderations. Nothing is ever found; the scores are as low as a model's that is sure.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Refusal;
use super::wire::to_json;

/// What OpenAI's newest model tells apart.
const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// The model that OpenAI takes where a request names none.
const USUAL_MODEL: &str = "omni-moderation-latest";

const SURE: f64 = 0.000_01;

/// The answer: one result for each input.
pub(crate) fn answer(body: &[u8]) -> Result<Bytes, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    let inputs = match &body["input"] {
        Value::String(_) => 1,
        // Parts of one input are objects.
        Value::Array(parts) if parts.first().is_some_and(Value::is_object) => 1,
        Value::Array(texts) if !texts.is_empty() => texts.len(),
        _ => return Err(Refusal::missing("input")),
    };
    let each = |value: Value| -> Value { CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone())).collect() };
    let result = json!({
        "flagged": false,
        "categories": each(false.into()),
        "category_scores": each(SURE.into()),
        "category_applied_input_types": each(json!(["text"])),
    });
    let model = body["model"].as_str().unwrap_or(USUAL_MODEL);
    Ok(to_json(&json!({"id": "modr-simulated", "model": model, "results": vec![result; inputs]})))
}
