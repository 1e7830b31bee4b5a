//! Calls of tools, put one after the other: blocks of Anthropic, Bedrock and Cohere cannot be mixed, arguments of other
//! dialects can.
//!
//! The first call that is not complete is written as it comes; whatever begins meanwhile waits, be it a call or another
//! part. Invariant: no argument is lost or reordered, and where parts come one after the other nothing waits.

use std::collections::{HashMap, VecDeque};

use crate::model::{Event, Json, Media, Signature, Text};

/// How far arguments are from being a whole JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::dialect) struct Progress {
    depth: u32,
    in_string: bool,
    escaped: bool,
    closed: bool,
}

impl Progress {
    /// Takes in the next piece.
    pub(in crate::dialect) fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => self.depth += 1,
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                (false, _) => {}
            }
        }
    }

    /// The arguments are a whole object: nothing can follow.
    pub(in crate::dialect) fn is_complete(&self) -> bool {
        self.closed
    }
}

/// A call that waits for its block.
#[derive(Debug)]
pub(in crate::dialect) struct Waiting {
    pub call: u32,
    pub id: String,
    pub name: String,
    /// Of the call, as a carrier writes it.
    pub signature: Option<String>,
}

/// What waits next.
#[derive(Debug)]
pub(in crate::dialect) enum Next {
    /// A call and its arguments so far.
    Call(Waiting, String),
    /// News of another part.
    News(Event<'static>),
}

/// Something in the queue.
#[derive(Debug)]
enum Held {
    Call(Waiting),
    News(Event<'static>),
}

/// Calls and other parts that wait, in the order in which they began.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Queue {
    held: VecDeque<Held>,
    /// What has come of the calls' arguments, by the call's number.
    arguments: HashMap<u32, String>,
}

impl Queue {
    pub(in crate::dialect) fn push(&mut self, waiting: Waiting) {
        self.arguments.insert(waiting.call, String::new());
        self.held.push_back(Held::Call(waiting));
    }

    /// Lets `event` wait if it tells of a part that is no call; `false` if it does not.
    pub(in crate::dialect) fn hold(&mut self, event: &Event<'_>) -> bool {
        let news = owned_news(event);
        let holds = news.is_some();
        self.held.extend(news.map(Held::News));
        holds
    }

    pub(in crate::dialect) fn next(&mut self) -> Option<Next> {
        Some(match self.held.pop_front()? {
            Held::News(event) => Next::News(event),
            Held::Call(waiting) => {
                let arguments = self.arguments.remove(&waiting.call).unwrap_or_default();
                Next::Call(waiting, arguments)
            }
        })
    }

    pub(in crate::dialect) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Keeps a piece of a waiting call's arguments.
    pub(in crate::dialect) fn add(&mut self, call: u32, json: &str) {
        if let Some(arguments) = self.arguments.get_mut(&call) {
            arguments.push_str(json);
        }
    }
}

/// What `event` tells of a part that is no call, without a tie to the text it was read from.
fn owned_news(event: &Event<'_>) -> Option<Event<'static>> {
    let owned = |text: &Text<'_>| Text::Owned(text.to_string());
    Some(match event {
        Event::Text { choice, text } => Event::Text { choice: *choice, text: owned(text) },
        Event::Refusal { choice, text } => Event::Refusal { choice: *choice, text: owned(text) },
        Event::Reasoning { choice, text, is_summary } => {
            Event::Reasoning { choice: *choice, text: owned(text), is_summary: *is_summary }
        }
        Event::Signature { choice, signature } => {
            Event::Signature { choice: *choice, signature: Signature::into_owned(signature.clone()) }
        }
        Event::EncryptedReasoning { choice, id, data } => Event::EncryptedReasoning {
            choice: *choice,
            id: id.as_ref().map(owned),
            data: Signature::into_owned(data.clone()),
        },
        Event::Citation { choice, citation } => {
            Event::Citation { choice: *choice, citation: Box::new(citation.as_ref().clone().into_owned()) }
        }
        Event::Media { choice, media } => {
            Event::Media { choice: *choice, media: Box::new(Media::into_owned(media.as_ref().clone())) }
        }
        Event::Opaque { choice, json } => Event::Opaque { choice: *choice, json: Json::into_owned(json.clone()) },
        Event::Start(_)
        | Event::ToolCall { .. }
        | Event::Arguments { .. }
        | Event::Logprobs { .. }
        | Event::PartEnd { .. }
        | Event::Stop { .. }
        | Event::Usage(_)
        | Event::Error(_)
        | Event::End => return None,
    })
}
