//! What the tests of providers' own forms share: a client of OpenAI Chat on the other side.

use serde_json::Value;
use tidegate_llm::{
    Dialect, LossPolicy, PathFacts, ProviderDialect, Quirks, Raw, Renames, Reply, StreamTranslator, Target,
    TranslatedEnd, translate_request, translate_response,
};

use crate::grammar;

fn reply() -> Reply {
    Reply { id: "made-up".into(), include_usage: true, ..Reply::default() }
}

/// A Chat request as the provider gets it, and what was left out.
pub fn asked(provider: ProviderDialect, request: &Value) -> (Value, String) {
    let target = Target { dialect: provider, quirks: Quirks::default(), losses: LossPolicy::Drop };
    let text = request.to_string();
    let body = Raw::new(text.as_bytes()).unwrap();
    let told = translate_request(Dialect::OpenAiChat, &target, body, PathFacts::default()).unwrap();
    (serde_json::from_slice(&told.body).unwrap(), told.losses.to_string())
}

/// A provider's answer as a Chat client gets it.
pub fn answered(provider: ProviderDialect, answer: &Value) -> Value {
    let text = answer.to_string();
    let body = Raw::new(text.as_bytes()).unwrap();
    let told = translate_response(provider, Dialect::OpenAiChat, body, &reply(), &Renames::default()).unwrap().body;
    serde_json::from_slice(&told).unwrap()
}

/// What a Chat client gets of a stream.
pub struct Told {
    pub text: String,
    pub reasoning: String,
    pub calls: Vec<(String, String)>,
    pub finish_reason: Option<String>,
    pub usage: Value,
    pub end: TranslatedEnd,
}

/// The stream that comes in such pieces, as a Chat client gets it; one that is whole is held against Chat's grammar.
pub fn streamed<'a>(provider: ProviderDialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let mut translator = StreamTranslator::new(provider, Dialect::OpenAiChat, reply(), Renames::default());
    let mut out = Vec::new();
    for piece in pieces {
        translator.push(piece, &mut out, &mut |_| {}).unwrap();
    }
    translator.push_last(&mut out, &mut |_| {});
    let end = translator.end(&mut out);
    if end == TranslatedEnd::Complete {
        grammar::chat::check(&out).unwrap();
    }
    let mut told = Told {
        text: String::new(),
        reasoning: String::new(),
        calls: Vec::new(),
        finish_reason: None,
        usage: Value::Null,
        end,
    };
    let text = String::from_utf8(out).unwrap();
    let chunks = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    chunks.for_each(|chunk| told.take(&serde_json::from_str(chunk).unwrap()));
    told
}

impl Told {
    fn take(&mut self, chunk: &Value) {
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        self.text.push_str(delta["content"].as_str().unwrap_or_default());
        self.reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if at == self.calls.len() {
                self.calls.push(Default::default());
            }
            self.calls[at].0.push_str(call["function"]["name"].as_str().unwrap_or_default());
            self.calls[at].1.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
}
