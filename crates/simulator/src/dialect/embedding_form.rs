//! The forms in which embeddings are asked for and told: OpenAI's, Gemini's, Vertex AI's, Cohere's, those of Bedrock's
//! models, Ollama's and DashScope's. Written from the providers' documentation, apart from the gateway's own.

use serde_json::{Value, json};

use super::Refusal;

/// One form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    OpenAi,
    Gemini,
    GeminiBatch,
    VertexPredict,
    Cohere,
    BedrockCohere,
    BedrockTitan,
    BedrockNova,
    Ollama,
    DashScope,
}

/// A request, in the words of OpenAI's form.
pub(super) struct Wanted {
    pub model: Option<String>,
    pub input: Option<Value>,
    pub encoding: Option<String>,
    pub dimensions: Option<u64>,
}

/// Vectors and what they have cost.
pub(super) struct Told<'t> {
    pub model: &'t str,
    pub vectors: Vec<Value>,
    /// Per vector; empty where usage is not to be told.
    pub tokens: Vec<u32>,
}

impl Form {
    /// The form for `model` in Bedrock's `invoke`.
    pub fn of_bedrock(model: &str) -> Option<Self> {
        let forms = [("cohere.embed", Self::BedrockCohere), ("titan-embed", Self::BedrockTitan)];
        let nova = ("nova-2-multimodal-embeddings", Self::BedrockNova);
        forms.into_iter().chain([nova]).find(|(name, _)| model.contains(name)).map(|(_, form)| form)
    }

    /// Reads a request; `model` is the one that its path names.
    pub(super) fn read(self, model: Option<String>, body: &Value) -> Result<Wanted, Refusal> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let count = |place: &Value| place.as_u64();
        let present = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        let plain = Wanted { model: model.or_else(|| text("model")), input: None, encoding: None, dimensions: None };
        let wanted = match self {
            Self::OpenAi => {
                let encoding = text("encoding_format");
                Wanted { input: present(&body["input"]), encoding, dimensions: count(&body["dimensions"]), ..plain }
            }
            Self::Gemini => {
                Wanted { input: Some(gemini_text(body)), dimensions: count(&body["outputDimensionality"]), ..plain }
            }
            Self::GeminiBatch => {
                let requests = list(&body["requests"], "requests")?;
                let dimensions = requests.first().and_then(|request| request["outputDimensionality"].as_u64());
                Wanted { input: Some(requests.iter().map(gemini_text).collect()), dimensions, ..plain }
            }
            Self::VertexPredict => {
                let instances = list(&body["instances"], "instances")?;
                let input = instances.iter().map(|instance| instance["content"].clone()).collect();
                let dimensions = count(&body["parameters"]["outputDimensionality"]);
                Wanted { input: Some(input), dimensions, ..plain }
            }
            Self::Cohere | Self::BedrockCohere => {
                if text("input_type").is_none() {
                    return Err(Refusal::bad("invalid request: valid input_type must be provided"));
                }
                let encoding = body["embedding_types"][0].as_str().map(str::to_owned);
                let dimensions = count(&body["output_dimension"]);
                Wanted { input: present(&body["texts"]), encoding, dimensions, ..plain }
            }
            Self::BedrockTitan => {
                Wanted { input: present(&body["inputText"]), dimensions: count(&body["dimensions"]), ..plain }
            }
            Self::BedrockNova => {
                let params = &body["singleEmbeddingParams"];
                let dimensions = count(&params["embeddingDimension"]);
                Wanted { input: present(&params["text"]["value"]), dimensions, ..plain }
            }
            Self::Ollama => Wanted { input: present(&body["input"]), dimensions: count(&body["dimensions"]), ..plain },
            Self::DashScope => Wanted {
                input: present(&body["input"]["texts"]),
                dimensions: count(&body["parameters"]["dimension"]),
                ..plain
            },
        };
        Ok(wanted)
    }

    /// An answer.
    pub(super) fn told(self, told: Told<'_>) -> Value {
        let Told { model, vectors, tokens } = told;
        let total: u32 = tokens.iter().sum();
        let mut body = match self {
            Self::OpenAi => {
                let item = |(index, vector): (usize, Value)| json!({"object": "embedding", "index": index, "embedding": vector});
                let data: Vec<Value> = vectors.into_iter().enumerate().map(item).collect();
                // OpenAI sends no `id`; Mistral does, and its SDK insists on it.
                json!({"id": "embedded", "object": "list", "data": data, "model": model})
            }
            Self::Gemini => json!({"embedding": {"values": vectors.first()}}),
            Self::GeminiBatch => {
                let embeddings: Vec<Value> = vectors.into_iter().map(|vector| json!({"values": vector})).collect();
                json!({"embeddings": embeddings})
            }
            Self::VertexPredict => {
                let counts = tokens.iter().map(Some).chain(std::iter::repeat(None));
                let item = |(vector, count): (Value, Option<&u32>)| json!({"embeddings": {"values": vector, "statistics": {"token_count": count, "truncated": false}}});
                let predictions: Vec<Value> = vectors.into_iter().zip(counts).map(item).collect();
                json!({"predictions": predictions})
            }
            Self::Cohere | Self::BedrockCohere => {
                let name = if vectors.first().is_some_and(Value::is_string) { "base64" } else { "float" };
                json!({"id": "embedded", "embeddings": {name: vectors}, "response_type": "embeddings_by_type"})
            }
            Self::BedrockTitan => json!({"embedding": vectors.first()}),
            Self::BedrockNova => json!({"embeddings": [{"embeddingType": "TEXT", "embedding": vectors.first()}]}),
            Self::Ollama => json!({"model": model, "embeddings": vectors}),
            Self::DashScope => {
                let item = |(index, vector): (usize, Value)| json!({"text_index": index, "embedding": vector});
                let embeddings: Vec<Value> = vectors.into_iter().enumerate().map(item).collect();
                json!({"request_id": "embedded", "output": {"embeddings": embeddings}})
            }
        };
        if !tokens.is_empty() {
            self.tell_usage(total, &mut body);
        }
        body
    }

    fn tell_usage(self, total: u32, body: &mut Value) {
        match self {
            Self::OpenAi => body["usage"] = json!({"prompt_tokens": total, "total_tokens": total}),
            Self::Gemini | Self::GeminiBatch => body["usageMetadata"] = json!({"promptTokenCount": total}),
            Self::Cohere => body["meta"] = json!({"billed_units": {"input_tokens": total}}),
            Self::BedrockTitan => body["inputTextTokenCount"] = total.into(),
            Self::Ollama => body["prompt_eval_count"] = total.into(),
            Self::DashScope => body["usage"] = json!({"total_tokens": total}),
            // Per prediction; in a header.
            Self::VertexPredict | Self::BedrockCohere | Self::BedrockNova => {}
        }
    }
}

fn gemini_text(request: &Value) -> Value {
    let parts = request["content"]["parts"].as_array();
    parts.into_iter().flatten().filter_map(|part| part["text"].as_str()).collect::<String>().into()
}

fn list<'v>(value: &'v Value, name: &'static str) -> Result<&'v Vec<Value>, Refusal> {
    value.as_array().filter(|list| !list.is_empty()).ok_or_else(|| Refusal::missing(name))
}
