//! Every dialect into every other and back: what a conversation says must survive.
//!
//! What dialects tell differently (sizes of pieces, spellings of stops, identifiers that the target's providers refuse)
//! is brought to one form in [`facts`]; what is compared is listed there.

pub mod answers;
pub mod facts;
mod recorded;
pub mod requests;
pub mod streams;

use tidegate_llm::model::{Fold, Response};
use tidegate_llm::{Dialect, LossPolicy, Quirks, Raw, Renames, Reply, StreamTranslator, Target, TranslatedEnd};

use crate::grammar;

/// Every dialect but `dialect`.
fn others(dialect: Dialect) -> impl Iterator<Item = Dialect> {
    Dialect::ALL.into_iter().filter(move |other| *other != dialect)
}

/// The value that `text` is.
pub fn raw(text: &[u8]) -> Raw<'_> {
    Raw::new(text).unwrap()
}

/// A request's way to a provider that speaks `dialect`.
pub fn to(dialect: Dialect) -> Target {
    Target { dialect: dialect.into(), quirks: Quirks::default(), losses: LossPolicy::Drop }
}

/// What an answer gets that its provider does not tell.
pub fn reply() -> Reply {
    Reply { id: "made-up".into(), model: "a-model".into(), created: 1, include_usage: true, ..Reply::default() }
}

/// A stream after its translation.
pub struct Told {
    /// The answer that its provider told.
    pub answer: Response<'static>,
    pub end: TranslatedEnd,
    pub written: Vec<u8>,
}

/// Translates a stream that arrives in `chunks`.
pub fn translate<'c>(from: Dialect, to: Dialect, chunks: impl IntoIterator<Item = &'c [u8]>) -> Told {
    let mut translator = StreamTranslator::new(from, to, reply(), Renames::default());
    let (mut fold, mut written) = (Fold::new(from), Vec::new());
    let mut broken = None;
    for chunk in chunks {
        if let Err(error) = translator.push(chunk, &mut written, &mut |event| fold.add(event)) {
            broken = Some(TranslatedEnd::Failed(error.to_string()));
            break;
        }
    }
    let end = broken.unwrap_or_else(|| translator.end(&mut written));
    Told { answer: fold.into_response(), end, written }
}

/// Checks a stream that ended well against its dialect's grammar.
pub fn check(dialect: Dialect, stream: &[u8]) -> Result<(), String> {
    match dialect {
        Dialect::OpenAiChat => grammar::chat::check(stream),
        Dialect::OpenAiResponses => grammar::responses::check(stream),
        Dialect::Anthropic => grammar::anthropic::check(stream),
        Dialect::Gemini => grammar::gemini::check(stream),
        Dialect::BedrockConverse => grammar::bedrock::check(stream),
        Dialect::Cohere => grammar::cohere::check(stream),
    }
}

/// Faults of many cases, told together.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Notes that `left` and `right` are not the same.
    pub fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: impl FnOnce() -> String, left: &T, right: &T) {
        if left != right {
            self.0.push(format!("{}\n   before: {left:?}\n    after: {right:?}", what()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn note(&mut self, fault: String) {
        self.0.push(fault);
    }

    /// Fails if there were any.
    pub fn none(self) {
        assert!(self.0.is_empty(), "{self}");
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<&str> = self.0.iter().take(20).map(String::as_str).collect();
        write!(out, "{} faults, such as\n{}", self.0.len(), shown.join("\n"))
    }
}
