//! What the model thinks, and the proofs of it.

use super::{Open, Writer, event, item_place};
use crate::dialect::Dialect;
use crate::dialect::responses::stream::items::{Place, Reasoning, Thought};
use crate::dialect::responses::whole;
use crate::json::{ObjectWriter, write_string};
use crate::model::{Signature, Text};

impl Writer {
    /// Takes the reasoning item that is being told and not yet signed, or begins one.
    pub(super) fn reasoning_item(&mut self, out: &mut Vec<u8>) -> Reasoning {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Reasoning(reasoning) if reasoning.encrypted.is_none() => reasoning,
            other => {
                self.open = other;
                self.close_open(out);
                let place = self.place("rs");
                self.begin_reasoning(place, out)
            }
        }
    }

    pub(super) fn begin_reasoning(&mut self, place: Place, out: &mut Vec<u8>) -> Reasoning {
        let reasoning = Reasoning::new(place);
        self.add_item(reasoning.place.index, &reasoning.json(), out);
        reasoning
    }

    pub(super) fn reasoning(&mut self, more: &str, thought: Thought, out: &mut Vec<u8>) {
        let mut reasoning = self.reasoning_item(out);
        self.begin_thought(&mut reasoning, thought, out);
        if !more.is_empty() {
            let name = match thought {
                Thought::Summary => "response.reasoning_summary_text.delta",
                Thought::Text => "response.reasoning_text.delta",
            };
            event(out, &mut self.sequence, name, |event| {
                thought_place(event, &reasoning, thought);
                write_string(event.key("delta"), more);
            });
            reasoning.append(thought, more);
        }
        self.open = Open::Reasoning(reasoning);
    }

    pub(super) fn begin_thought(&mut self, reasoning: &mut Reasoning, thought: Thought, out: &mut Vec<u8>) {
        if reasoning.part == Some(thought) {
            return;
        }
        self.end_thought(reasoning, out);
        reasoning.part = Some(thought);
        reasoning.texts(thought).push(String::new());
        self.tell_thought(
            reasoning,
            thought,
            ["response.reasoning_summary_part.added", "response.content_part.added"],
            out,
        );
    }

    pub(super) fn end_thought(&mut self, reasoning: &mut Reasoning, out: &mut Vec<u8>) {
        let Some(thought) = reasoning.part else { return };
        let name = match thought {
            Thought::Summary => "response.reasoning_summary_text.done",
            Thought::Text => "response.reasoning_text.done",
        };
        event(out, &mut self.sequence, name, |event| {
            thought_place(event, reasoning, thought);
            write_string(event.key("text"), reasoning.last(thought));
        });
        self.tell_thought(
            reasoning,
            thought,
            ["response.reasoning_summary_part.done", "response.content_part.done"],
            out,
        );
        reasoning.part = None;
    }

    /// `names`: of a summary's event and of a text's.
    pub(super) fn tell_thought(
        &mut self,
        reasoning: &Reasoning,
        thought: Thought,
        names: [&str; 2],
        out: &mut Vec<u8>,
    ) {
        let [summary, text] = names;
        let name = if thought == Thought::Summary { summary } else { text };
        let part = whole::thought_part(thought.part_type(), reasoning.last(thought));
        event(out, &mut self.sequence, name, |event| {
            thought_place(event, reasoning, thought);
            event.raw("part", &part);
        });
    }

    /// Signs the reasoning that is being told. Other things are signed by an item of their own, with an empty text:
    /// without one the proof would read as encrypted reasoning.
    pub(super) fn sign(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        match &mut self.open {
            Open::Reasoning(reasoning) if reasoning.encrypted.is_none() && reasoning.has_text() => {
                reasoning.encrypted = Some(signature.written(Dialect::OpenAiResponses).into_owned());
            }
            Open::Nothing | Open::Message(_) | Open::Reasoning(_) | Open::Call(_) => {
                self.close_open(out);
                self.proof(signature, out);
            }
        }
    }

    /// A proof that stands alone.
    pub(super) fn proof(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        let place = self.place("rs");
        let mut reasoning = self.begin_reasoning(place, out);
        self.begin_thought(&mut reasoning, Thought::Text, out);
        self.end_thought(&mut reasoning, out);
        reasoning.encrypted = Some(signature.written(Dialect::OpenAiResponses).into_owned());
        self.end_item(reasoning.place.index, reasoning.json(), out);
    }

    /// OpenAI's own belongs to the summary before it; another dialect's is a part of its own.
    pub(super) fn encrypted(&mut self, id: Option<&Text<'_>>, data: &Signature<'_>, out: &mut Vec<u8>) {
        let is_own = data.origin == Dialect::OpenAiResponses;
        let continues = matches!(&self.open, Open::Reasoning(open) if is_own && open.encrypted.is_none());
        if !continues {
            self.close_open(out);
            let mut place = self.place("rs");
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                place.id = id.to_string();
            }
            self.open = Open::Reasoning(self.begin_reasoning(place, out));
        }
        if let Open::Reasoning(reasoning) = &mut self.open {
            reasoning.encrypted = Some(data.written(Dialect::OpenAiResponses).into_owned());
        }
        self.close_open(out);
    }
}

fn thought_place(event: &mut ObjectWriter<'_>, reasoning: &Reasoning, thought: Thought) {
    item_place(event, &reasoning.place);
    let (name, texts) = match thought {
        Thought::Summary => ("summary_index", &reasoning.summary),
        Thought::Text => ("content_index", &reasoning.content),
    };
    event.number(name, texts.len().saturating_sub(1) as u64);
}
