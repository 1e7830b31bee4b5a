//! The facts of a buffered answer, read in place.
//!
//! Invariant: the body is not changed and no tree is built of it; its facts are read in one walk, which checks no more
//! of it than it needs to find its way. Called once per buffered answer, for settlement, log fields and metrics. The
//! text has a reader of its own, for most exchanges need none.

use std::borrow::Cow;

use crate::dialect::{ClientDialect, Dialect};
use crate::endpoint::endpoint;
use crate::json::{Cursor, Kind, Raw};
use crate::model::PartBody;
use crate::protocol::Protocol;
use crate::usage::Usage;

/// What an answer tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseFacts<'a> {
    pub usage: Option<Usage>,
    pub has_tool_calls: bool,
    /// Why the model stopped, in the provider's words.
    pub finish_reason: Option<Cow<'a, str>>,
}

impl<'a> ResponseFacts<'a> {
    /// Reads `body`, an answer in `protocol`'s dialect. Field names are expected as every provider writes them,
    /// without escapes.
    pub fn read(protocol: Protocol, body: &'a [u8]) -> Self {
        if let Some(dialect @ (Dialect::Gemini | Dialect::Cohere)) = protocol.dialect() {
            return Self::of_answer(dialect, body).unwrap_or_default();
        }
        let mut facts = Self::default();
        let mut cursor = Cursor::new(body.trim_ascii_start());
        // A body that breaks off has told what stands before the break.
        let _ = cursor.skim_members(|key, value| facts.read_member(protocol, key, value));
        facts
    }

    /// Reads an answer of a dialect whose facts do not lie in one place each.
    fn of_answer(dialect: Dialect, body: &'a [u8]) -> Option<Self> {
        let answer = dialect.read_response(Raw::new(body)?).ok()?;
        let mut parts = answer.choices.iter().flat_map(|choice| &choice.parts);
        Some(Self {
            usage: answer.usage.as_ref().map(|counts| Usage::of(dialect, counts)),
            has_tool_calls: parts.any(|part| matches!(part.body, PartBody::ToolCall(_))),
            finish_reason: answer.choices.into_iter().find_map(|choice| choice.stop).map(|stop| stop.native),
        })
    }

    /// Takes in one top-level member.
    fn read_member(&mut self, protocol: Protocol, key: &[u8], value: &mut Cursor<'a>) -> Option<()> {
        match (protocol, key) {
            (_, key) if endpoint(protocol).usage_at.first().is_some_and(|first| first.as_bytes() == key) => {
                self.read_usage(protocol, value)?;
            }
            (Protocol::OpenAiChat, b"choices") => value.skim_elements(|choice| self.read_choice(choice))?,
            (Protocol::OpenAiResponses, b"output") => {
                value.skim_elements(|item| self.read_item(item, b"function_call"))?;
            }
            (Protocol::OpenAiResponses, b"incomplete_details") => {
                // It says more than the status, wherever either stands.
                self.finish_reason = reason(value.skim()?.get("reason")).or(self.finish_reason.take());
            }
            (Protocol::AnthropicMessages, b"content") => {
                value.skim_elements(|block| self.read_item(block, b"tool_use"))?;
            }
            (Protocol::BedrockConverse, b"output") => {
                let mut content = list(value.skim()?, &["message", "content"]);
                self.has_tool_calls = content.any(|block| block.get("toolUse").is_some());
            }
            (Protocol::OpenAiResponses, b"status")
            | (Protocol::AnthropicMessages, b"stop_reason")
            | (Protocol::BedrockConverse, b"stopReason") => self.set_finish(value.skim()?),
            _ => drop(value.skim()?),
        }
        Some(())
    }

    /// Takes in the member that holds the usage, or that holds what holds it.
    fn read_usage(&mut self, protocol: Protocol, value: &mut Cursor<'a>) -> Option<()> {
        self.usage = match endpoint(protocol).usage_at {
            [] | [_] => Usage::read_at(protocol, value)?,
            [_, rest @ ..] => {
                let usage = value.skim()?.at(rest).filter(|usage| usage.is_object());
                usage.map(|usage| Usage::read(protocol, usage))
            }
        };
        Some(())
    }

    /// Takes in one of a chat answer's choices.
    fn read_choice(&mut self, choice: &mut Cursor<'a>) -> Option<()> {
        choice.skim_members(|key, value| {
            match key {
                b"message" => value.skim_members(|key, value| {
                    let value = value.skim()?;
                    self.has_tool_calls |= key == b"tool_calls" && value.elements().next().is_some();
                    Some(())
                })?,
                b"finish_reason" => self.set_finish(value.skim()?),
                _ => drop(value.skim()?),
            }
            Some(())
        })
    }

    /// Takes in one piece of an answer that is a list of typed pieces; `call` is the type of a tool call.
    fn read_item(&mut self, item: &mut Cursor<'a>, call: &[u8]) -> Option<()> {
        item.skim_members(|key, value| {
            let value = value.skim()?;
            self.has_tool_calls |= key == b"type" && value.quoted() == Some(call);
            Some(())
        })
    }

    /// Keeps the first reason that is told.
    fn set_finish(&mut self, told: Raw<'a>) {
        if self.finish_reason.is_none() {
            self.finish_reason = reason(Some(told));
        }
    }
}

fn reason(value: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    value.and_then(Raw::text).filter(|reason| !reason.is_empty())
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
    let Some(client) = protocol.client_dialect() else { return };
    match client {
        ClientDialect::Shared(Dialect::OpenAiChat) | ClientDialect::Mistral => {
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
        ClientDialect::Shared(Dialect::OpenAiResponses) => {
            for item in list(root, &["output"]).filter(|item| is(*item, "message")) {
                let parts = list(item, &["content"]).filter(|part| is(*part, "output_text"));
                parts.for_each(|part| piece(part.get("text")));
            }
        }
        ClientDialect::Shared(Dialect::Anthropic) => {
            let blocks = list(root, &["content"]).filter(|block| is(*block, "text"));
            blocks.for_each(|block| piece(block.get("text")));
        }
        ClientDialect::Shared(Dialect::BedrockConverse) => {
            list(root, &["output", "message", "content"]).for_each(|block| piece(block.get("text")));
        }
        ClientDialect::Shared(Dialect::Cohere) => {
            let parts = list(root, &["message", "content"]).filter(|part| is(*part, "text"));
            parts.for_each(|part| piece(part.get("text")));
        }
        ClientDialect::Shared(Dialect::Gemini) => {
            for candidate in list(root, &["candidates"]) {
                let parts = list(candidate, &["content", "parts"]);
                let said = parts.filter(|part| !part.get("thought").is_some_and(Raw::is_true));
                said.for_each(|part| piece(part.get("text")));
            }
        }
        ClientDialect::Completions => {
            list(root, &["choices"]).for_each(|choice| piece(choice.get("text")));
        }
        // A family's own: nothing of it is read.
        ClientDialect::BedrockInvoke(_) => {}
    }
}

/// The elements of the array at `path`.
fn list<'a>(root: Raw<'a>, path: &[&str]) -> impl Iterator<Item = Raw<'a>> {
    root.at(path).into_iter().flat_map(Raw::elements)
}

fn is(item: Raw<'_>, kind: &str) -> bool {
    item.get("type").and_then(Raw::quoted) == Some(kind.as_bytes())
}
