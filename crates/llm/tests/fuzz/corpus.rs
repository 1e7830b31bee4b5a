//! What the changes begin with.

use std::path::Path;

use tidegate_llm::{Dialect, EventStreamDecoder, ProviderDialect};

use crate::recorded::exchanges;

/// Larger recordings change too slowly to be of use.
const LARGEST: usize = 32 * 1024;

/// What an input is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Answer,
    /// Of Bedrock Converse: lines, each a message's type and its payload. Of `invoke`: lines, each an event.
    Stream,
}

/// Inputs of one kind of a form that no recordings are kept of: the files `FORM.KIND*`.
pub fn of_form(form: ProviderDialect, kind: Kind) -> Vec<Vec<u8>> {
    at_hand(&format!("{form}.{}", word(kind)))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Request => "request",
        Kind::Answer => "answer",
        Kind::Stream => "stream",
    }
}

/// Requests of clients of completions, whose answers no provider gives.
pub fn completions() -> Vec<Vec<u8>> {
    at_hand("openai-completions.request")
}

/// Requests of Mistral's SDKs, among others of Chat.
pub fn mistral() -> Vec<Vec<u8>> {
    [at_hand("openai-chat.mistral-request"), of(Dialect::OpenAiChat, Kind::Request)].concat()
}

/// Requests and answers of embeddings, in every form: the files `PROTOCOL.KIND*`.
pub fn embeddings(kind: Kind) -> Vec<Vec<u8>> {
    let forms = [
        "openai-embeddings",
        "gemini-embed",
        "gemini-batch-embed",
        "vertex-predict",
        "cohere-embed",
        "bedrock-titan-embed",
        "bedrock-nova-embed",
        "ollama-embed",
        "dashscope-embed",
    ];
    of_forms(&forms, kind)
}

/// Requests and answers of rankings, in every form.
pub fn rankings(kind: Kind) -> Vec<Vec<u8>> {
    of_forms(&["rerank", "voyage-rerank", "dashscope-rerank"], kind)
}

/// Clients speak fewer forms than providers.
fn of_forms(forms: &[&str], kind: Kind) -> Vec<Vec<u8>> {
    let inputs: Vec<_> = forms.iter().flat_map(|form| files(&format!("{form}.{}", word(kind)))).collect();
    assert!(!inputs.is_empty(), "no file of {forms:?}");
    inputs
}

fn at_hand(prefix: &str) -> Vec<Vec<u8>> {
    let inputs = files(prefix);
    assert!(!inputs.is_empty(), "no file {prefix}*");
    inputs
}

/// Inputs of one kind: the files `DIALECT.KIND*` and recordings.
pub fn of(dialect: Dialect, kind: Kind) -> Vec<Vec<u8>> {
    let mut inputs = of_form(dialect.into(), kind);
    inputs.extend(exchanges().iter().filter(|exchange| exchange.dialect == dialect).filter_map(|exchange| {
        let input = match kind {
            Kind::Request => exchange.request.clone(),
            Kind::Answer => exchange.answer.clone(),
            Kind::Stream if dialect == Dialect::BedrockConverse => exchange.stream.as_deref().map(lines),
            Kind::Stream => exchange.stream.clone(),
        };
        input.filter(|input| input.len() <= LARGEST)
    }));
    inputs
}

/// Bodies of errors.
pub fn errors() -> Vec<Vec<u8>> {
    files("error.")
}

fn files(prefix: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_wanted = |path: &&std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    files.iter().filter(is_wanted).map(|path| std::fs::read(path).unwrap()).collect()
}

/// An event stream as lines of types and payloads.
fn lines(stream: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    EventStreamDecoder::new(1 << 20)
        .push(stream, |message| {
            lines.extend_from_slice(message.text(":event-type").unwrap_or_default().as_bytes());
            lines.push(b' ');
            lines.extend_from_slice(message.payload);
            lines.push(b'\n');
        })
        .unwrap();
    lines
}
