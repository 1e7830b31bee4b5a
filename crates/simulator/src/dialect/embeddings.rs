//! Embeddings, in whichever form: for each input a vector of length 1 that depends on nothing
//! but the seed and the input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::Refusal;
use super::embedding_form::{Form, Told, Wanted};
use super::wire::to_json;
use crate::directives::Directives;
use crate::text::{Chance, count, hash};

const DIMENSIONS: usize = 1536;
const MOST_DIMENSIONS: usize = 8192;
const MOST_INPUTS: usize = 2048;

/// What an embeddings request asks for.
pub(crate) struct Embeddings {
    pub model: String,
    form: Form,
    inputs: Vec<Input>,
    base64: bool,
    dimensions: usize,
}

struct Input {
    hash: u64,
    tokens: u32,
}

impl Embeddings {
    /// Reads a request in `form`; `model` is the one that its path names.
    pub fn read(form: Form, model: Option<String>, body: &[u8], seed: u64) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
        let request: Wanted = form.read(model, &body)?;
        let model = request.model.ok_or_else(|| Refusal::bad("you must provide a model parameter"))?;
        let inputs = inputs(&request.input.ok_or_else(|| Refusal::missing("input"))?, seed)?;
        let base64 = match request.encoding.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                let message = format!("Invalid value: '{other}'. Supported values are: 'float' and 'base64'.");
                return Err(Refusal { param: Some("encoding_format"), ..Refusal::bad(message) });
            }
        };
        let dimensions = request.dimensions.map_or(DIMENSIONS, |told| usize::try_from(told).unwrap_or(usize::MAX));
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            let message = format!("Invalid value for 'dimensions': must be 1..{MOST_DIMENSIONS}, got {dimensions}.");
            return Err(Refusal { param: Some("dimensions"), ..Refusal::bad(message) });
        }
        Ok(Self { model, form, inputs, base64, dimensions })
    }

    pub fn whole(&self, directives: &Directives) -> Bytes {
        let vectors = self.inputs.iter().map(|input| self.vector(input)).collect();
        to_json(&self.form.told(Told { model: &self.model, vectors, tokens: self.tokens(directives) }))
    }

    /// What an answer's head counts, where its form counts there.
    pub fn counted_in_head(&self, directives: &Directives) -> Option<u32> {
        let counts_there = matches!(self.form, Form::BedrockCohere | Form::BedrockTitan | Form::BedrockNova);
        (counts_there && !directives.no_usage).then(|| self.tokens(directives).iter().sum())
    }

    /// Per input; nothing where usage is not to be told. A scripted count is that of the first.
    fn tokens(&self, directives: &Directives) -> Vec<u32> {
        match (directives.no_usage, directives.prompt_tokens) {
            (true, _) => Vec::new(),
            (false, Some(scripted)) => {
                self.inputs.iter().enumerate().map(|(at, _)| if at == 0 { scripted } else { 0 }).collect()
            }
            (false, None) => self.inputs.iter().map(|input| input.tokens).collect(),
        }
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
