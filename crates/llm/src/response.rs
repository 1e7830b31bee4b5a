//! The facts of a buffered answer, read in place.
//!
//! Invariant: the body is not changed and no tree is built of it; a body that is not JSON has no facts.
//! Called once per buffered answer, for settlement, log fields and metrics.

use std::borrow::Cow;

use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::usage::{Usage, raw_usage};

/// What an answer tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseFacts {
    pub usage: Option<Usage>,
    /// The model that the provider says has answered.
    pub model: Option<String>,
    pub has_tool_calls: bool,
    /// Why the model stopped, in the provider's words.
    pub finish_reason: Option<String>,
    /// Bytes of answer text, reasoning left out.
    pub text_bytes: u64,
}

impl ResponseFacts {
    /// Reads `body`, an answer in `protocol`'s dialect.
    pub fn read(protocol: Protocol, body: &[u8]) -> Self {
        let Some(root) = Raw::new(body).filter(|root| root.is_object()) else {
            return Self::default();
        };
        let mut facts = Self {
            usage: raw_usage(protocol, body).map(|usage| Usage::read(protocol, usage)),
            model: root.get("model").and_then(Raw::text).map(Into::into),
            ..Self::default()
        };
        for_each_text(protocol, root, |text| facts.text_bytes += text.len() as u64);
        match protocol {
            Protocol::OpenAiChat => facts.read_chat(root),
            Protocol::OpenAiResponses => facts.read_responses(root),
            Protocol::AnthropicMessages => facts.read_anthropic(root),
            Protocol::BedrockConverse => facts.read_bedrock(root),
            Protocol::OpenAiEmbeddings | Protocol::Passthrough => {}
        }
        facts
    }

    fn read_chat(&mut self, root: Raw<'_>) {
        for choice in list(root, &["choices"]) {
            if let Some(message) = choice.get("message") {
                self.has_tool_calls |= list(message, &["tool_calls"]).next().is_some();
            }
            self.set_finish(choice.get("finish_reason"));
        }
    }

    fn read_responses(&mut self, root: Raw<'_>) {
        self.has_tool_calls = list(root, &["output"]).any(|item| is(item, "function_call"));
        self.set_finish(root.at(&["incomplete_details", "reason"]));
        self.set_finish(root.get("status"));
    }

    fn read_anthropic(&mut self, root: Raw<'_>) {
        self.has_tool_calls = list(root, &["content"]).any(|block| is(block, "tool_use"));
        self.set_finish(root.get("stop_reason"));
    }

    fn read_bedrock(&mut self, root: Raw<'_>) {
        let mut content = list(root, &["output", "message", "content"]);
        self.has_tool_calls = content.any(|block| block.get("toolUse").is_some());
        self.set_finish(root.get("stopReason"));
    }

    /// Keeps the first reason that is told.
    fn set_finish(&mut self, reason: Option<Raw<'_>>) {
        if self.finish_reason.is_none() {
            self.finish_reason = reason.and_then(Raw::text).filter(|reason| !reason.is_empty()).map(Into::into);
        }
    }
}

/// The answer's text, its pieces joined by one space; `None` if the answer has none. An OpenAI chat answer that has
/// choices always has a text, if only an empty one.
pub fn response_text(protocol: Protocol, body: &[u8]) -> Option<String> {
    let root = Raw::new(body)?;
    let mut joined: Option<String> = None;
    for_each_text(protocol, root, |piece| match &mut joined {
        None => joined = Some(piece.into_owned()),
        Some(text) => {
            text.push(' ');
            text.push_str(&piece);
        }
    });
    let has_choices = protocol == Protocol::OpenAiChat && list(root, &["choices"]).next().is_some();
    joined.or_else(|| has_choices.then(String::new))
}

/// Visits the pieces of text in an answer, in order.
fn for_each_text<'a>(protocol: Protocol, root: Raw<'a>, mut visit: impl FnMut(Cow<'a, str>)) {
    let mut piece = |text: Option<Raw<'a>>| text.and_then(Raw::text).into_iter().for_each(&mut visit);
    match protocol {
        Protocol::OpenAiChat => {
            for choice in list(root, &["choices"]) {
                match choice.at(&["message", "content"]) {
                    // Mistral's reasoning models answer with a list of parts.
                    Some(content) if content.kind == Kind::Array => {
                        content.elements().filter(|part| is(*part, "text")).for_each(|part| piece(part.get("text")));
                    }
                    content => piece(content),
                }
            }
        }
        Protocol::OpenAiResponses => {
            for item in list(root, &["output"]).filter(|item| is(*item, "message")) {
                let parts = list(item, &["content"]).filter(|part| is(*part, "output_text"));
                parts.for_each(|part| piece(part.get("text")));
            }
        }
        Protocol::AnthropicMessages => {
            let blocks = list(root, &["content"]).filter(|block| is(*block, "text"));
            blocks.for_each(|block| piece(block.get("text")));
        }
        Protocol::BedrockConverse => {
            list(root, &["output", "message", "content"]).for_each(|block| piece(block.get("text")));
        }
        Protocol::OpenAiEmbeddings | Protocol::Passthrough => {}
    }
}

/// The elements of the array at `path`.
fn list<'a>(root: Raw<'a>, path: &[&str]) -> impl Iterator<Item = Raw<'a>> {
    root.at(path).into_iter().flat_map(Raw::elements)
}

fn is(item: Raw<'_>, kind: &str) -> bool {
    item.get("type").and_then(Raw::quoted) == Some(kind.as_bytes())
}
