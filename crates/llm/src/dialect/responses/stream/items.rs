//! Items while they are being told: what has come of each, so that it can be told whole when it is done.

use crate::dialect::calls::Progress;
use crate::dialect::responses::item::ReasoningItem;
use crate::dialect::responses::whole;
use crate::dialect::responses::{content, item};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::Citation;

/// Where an item stands and what it is called.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub index: usize,
    pub id: String,
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub place: Place,
    /// Parts that are done, each as JSON.
    pub done: Vec<Vec<u8>>,
    pub part: Option<Part>,
}

/// The part of a message that is being told.
#[derive(Debug)]
pub(super) enum Part {
    Text {
        text: String,
        /// Characters of the parts before it.
        start: u64,
        /// Each as JSON.
        annotations: Vec<Vec<u8>>,
        logprobs: content::Logprobs,
    },
    Refusal(String),
}

impl Part {
    /// An empty text behind `start` characters.
    pub(super) fn text(start: u64) -> Self {
        Part::Text { text: String::new(), start, annotations: Vec::new(), logprobs: content::Logprobs::default() }
    }

    /// The part as JSON, so far.
    pub(super) fn json(&self) -> Vec<u8> {
        match self {
            Part::Text { text, annotations, logprobs, .. } => {
                whole::text_part(text, &array(annotations), Some(&logprobs.array()))
            }
            Part::Refusal(refusal) => whole::refusal_part(refusal),
        }
    }
}

impl Message {
    /// The item as JSON.
    pub(super) fn json(&self, status: &str) -> Vec<u8> {
        object(|item| whole::write_message(item, &self.place.id, status, &array(&self.done)))
    }
}

/// A reasoning item.
#[derive(Debug)]
pub(super) struct Reasoning {
    pub place: Place,
    pub summary: Vec<String>,
    pub content: Vec<String>,
    /// The text that is being told, if it is a summary or not.
    pub part: Option<Thought>,
    pub encrypted: Option<String>,
}

/// Which kind of text a piece of reasoning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thought {
    Summary,
    Text,
}

impl Thought {
    /// The `type` of its part.
    pub(super) const fn part_type(self) -> &'static str {
        match self {
            Thought::Summary => "summary_text",
            Thought::Text => "reasoning_text",
        }
    }
}

impl Reasoning {
    pub(super) fn new(place: Place) -> Self {
        Self { place, summary: Vec::new(), content: Vec::new(), part: None, encrypted: None }
    }

    /// The texts of one kind.
    pub(super) fn texts(&mut self, thought: Thought) -> &mut Vec<String> {
        match thought {
            Thought::Summary => &mut self.summary,
            Thought::Text => &mut self.content,
        }
    }

    /// The last text of one kind.
    pub(super) fn last(&self, thought: Thought) -> &str {
        let texts = match thought {
            Thought::Summary => &self.summary,
            Thought::Text => &self.content,
        };
        texts.last().map_or("", String::as_str)
    }

    /// Adds to the last text of one kind.
    pub(super) fn append(&mut self, thought: Thought, more: &str) {
        if let Some(last) = self.texts(thought).last_mut() {
            last.push_str(more);
        }
    }

    /// Some text has begun.
    pub(super) fn has_text(&self) -> bool {
        !self.summary.is_empty() || !self.content.is_empty()
    }

    /// The item as JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        let whole = ReasoningItem {
            id: Some(&self.place.id),
            summary: self.summary.iter().map(String::as_str).collect(),
            content: self.content.iter().map(String::as_str).collect(),
            encrypted: self.encrypted.as_deref(),
        };
        object(|item| whole.write(item))
    }
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub place: Place,
    pub call_id: String,
    pub name: String,
    pub arguments: String,
    /// How far the arguments are from being whole.
    pub progress: Progress,
}

impl Call {
    /// The item as JSON, done.
    pub(super) fn json(&self) -> Vec<u8> {
        object(|item| {
            item.string("id", &self.place.id);
            item.string("status", "completed");
            item::write_call(item, &self.call_id, &self.name, &self.arguments);
        })
    }

    /// The item as JSON before any argument has come.
    pub(super) fn begun(&self) -> Vec<u8> {
        object(|item| {
            item.string("id", &self.place.id);
            item.string("type", "function_call");
            item.string("status", "in_progress");
            item.string("call_id", &self.call_id);
            item.string("name", &self.name);
            item.string("arguments", "");
        })
    }
}

/// A citation as JSON, in a part that begins at the character `start`.
pub(super) fn annotation(citation: &Citation<'_>, start: u64) -> Vec<u8> {
    let mut out = Vec::new();
    content::write_annotation(&mut out, citation, start);
    out
}

/// An array of JSON values.
pub(super) fn array(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut array = ArrayWriter::new(&mut out);
    elements.iter().for_each(|element| array.raw(element));
    drop(array);
    out
}

/// An object whose members `fill` writes.
pub(super) fn object(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut ObjectWriter::new(&mut out));
    out
}
