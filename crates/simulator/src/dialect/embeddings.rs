//! OpenAI embeddings: for each input a vector of length 1 that depends on nothing but the seed and the input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use super::wire::to_json;
use crate::directives::Directives;
use crate::text::{Chance, count, hash};

const DIMENSIONS: usize = 1536;
const MOST_DIMENSIONS: usize = 8192;
const MOST_INPUTS: usize = 2048;

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Option<Value>,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

/// What an embeddings request asks for.
pub(crate) struct Embeddings {
    pub model: String,
    inputs: Vec<Input>,
    base64: bool,
    dimensions: usize,
}

struct Input {
    hash: u64,
    tokens: u32,
}

impl Embeddings {
    pub fn read(body: &[u8], seed: u64) -> Result<Self, Refusal> {
        let request: Request = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
        let model = request.model.ok_or_else(|| Refusal::bad("you must provide a model parameter"))?;
        let inputs = inputs(&request.input.ok_or_else(|| Refusal::missing("input"))?, seed)?;
        let base64 = match request.encoding_format.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                let message = format!("Invalid value: '{other}'. Supported values are: 'float' and 'base64'.");
                return Err(Refusal { param: Some("encoding_format"), ..Refusal::bad(message) });
            }
        };
        let dimensions = request.dimensions.unwrap_or(DIMENSIONS);
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            let message = format!("Invalid value for 'dimensions': must be 1..{MOST_DIMENSIONS}, got {dimensions}.");
            return Err(Refusal { param: Some("dimensions"), ..Refusal::bad(message) });
        }
        Ok(Self { model, inputs, base64, dimensions })
    }

    pub fn whole(&self, directives: &Directives) -> Bytes {
        let data: Vec<Value> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| json!({"object": "embedding", "index": index, "embedding": self.vector(input)}))
            .collect();
        let mut list = json!({"object": "list", "data": data, "model": self.model});
        if !directives.no_usage {
            let tokens = directives.prompt_tokens.unwrap_or_else(|| self.inputs.iter().map(|input| input.tokens).sum());
            list["usage"] = json!({"prompt_tokens": tokens, "total_tokens": tokens});
        }
        to_json(&list)
    }

    fn vector(&self, input: &Input) -> Value {
        let mut chance = Chance(input.hash);
        let raw: Vec<f64> = (0..self.dimensions).map(|_| chance.share() * 2.0 - 1.0).collect();
        let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
        let vector = raw.iter().map(|x| (x / length) as f32);
        if self.base64 {
            let bytes: Vec<u8> = vector.flat_map(f32::to_le_bytes).collect();
            STANDARD.encode(bytes).into()
        } else {
            vector.collect()
        }
    }
}

/// A text, a list of texts, a list of token numbers, or a list of such lists.
fn inputs(value: &Value, seed: u64) -> Result<Vec<Input>, Refusal> {
    let items = match value {
        Value::Array(items) if items.first().is_some_and(|item| !item.is_number()) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    if items.len() > MOST_INPUTS {
        return Err(Refusal::bad(format!(
            "Invalid 'input': maximum array length is {MOST_INPUTS}, got {}.",
            items.len()
        )));
    }
    items.iter().map(|item| input(item, seed)).collect()
}

fn input(item: &Value, seed: u64) -> Result<Input, Refusal> {
    let refused =
        || Refusal { param: Some("input"), ..Refusal::bad("'$.input' is invalid. Please check the API reference.") };
    match item {
        Value::String(text) if !text.is_empty() => Ok(Input { hash: hash(seed, text.as_bytes()), tokens: count(text) }),
        Value::Array(tokens) if !tokens.is_empty() && tokens.iter().all(Value::is_u64) => Ok(Input {
            hash: hash(seed, item.to_string().as_bytes()),
            tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        }),
        _ => Err(refused()),
    }
}
