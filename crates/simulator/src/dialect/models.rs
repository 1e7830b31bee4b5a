//! OpenAI's model list. The simulator answers to every model name but one; it lists a few.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Refusal;
use super::wire::to_json;

/// The one model that does not exist.
pub(crate) const NO_SUCH_MODEL: &str = "no-such-model";

const LISTED: [&str; 4] = ["simulated", "gpt-4o-mini", "claude-sonnet-4-5", "text-embedding-3-small"];

pub(crate) fn list() -> Bytes {
    to_json(&json!({"object": "list", "data": LISTED.map(model)}))
}

pub(crate) fn one(id: &str) -> Result<Bytes, Refusal> {
    known(id)?;
    Ok(to_json(&model(id)))
}

pub(crate) fn known(id: &str) -> Result<(), Refusal> {
    if id == NO_SUCH_MODEL { Err(Refusal::no_such_model(id)) } else { Ok(()) }
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "tidegate"})
}
