//! What the model says: messages with their texts, citations and refusals.

use super::{Open, Writer, event, item_place};
use crate::dialect::responses::content;
use crate::dialect::responses::stream::items::{self, Message, Part};
use crate::json::{ObjectWriter, write_string};
use crate::model::{Citation, Json};

impl Writer {
    /// Takes the message that is being told, or begins one, with a part that `fits`, or with `new`, which is told
    /// how many characters stand before it.
    pub(super) fn message(&mut self, fits: fn(&Part) -> bool, new: fn(u64) -> Part, out: &mut Vec<u8>) -> Message {
        let mut message = match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Message(message) => message,
            other => {
                self.open = other;
                self.close_open(out);
                let message = Message { place: self.place("msg"), done: Vec::new(), part: None };
                self.add_item(message.place.index, &message.json("in_progress"), out);
                message
            }
        };
        if !message.part.as_ref().is_some_and(fits) {
            self.end_content(&mut message, out);
            let part = new(self.characters);
            self.tell_content("response.content_part.added", &message, &part, out);
            message.part = Some(part);
        }
        message
    }

    pub(super) fn text_message(&mut self, out: &mut Vec<u8>) -> Message {
        self.message(|part| matches!(part, Part::Text { .. }), Part::text, out)
    }

    pub(super) fn text(&mut self, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        let mut message = self.text_message(out);
        self.tell_text(&message, more, b"[]", out);
        self.characters += more.chars().count() as u64;
        if let Some(Part::Text { text, .. }) = &mut message.part {
            text.push_str(more);
        }
        self.open = Open::Message(message);
    }

    pub(super) fn tell_text(&mut self, message: &Message, delta: &str, logprobs: &[u8], out: &mut Vec<u8>) {
        event(out, &mut self.sequence, "response.output_text.delta", |event| {
            content_place(event, message);
            write_string(event.key("delta"), delta);
            event.raw("logprobs", logprobs);
        });
    }

    /// They come after their text, so they are told with an empty piece. Those of a call have no place.
    pub(super) fn logprobs(&mut self, logprobs: &Json<'_>, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Call(_)) {
            return;
        }
        let Some(array) = content::logprobs_array(logprobs) else { return };
        let mut message = self.text_message(out);
        self.tell_text(&message, "", array.bytes, out);
        if let Some(Part::Text { logprobs, .. }) = &mut message.part {
            logprobs.add(array);
        }
        self.open = Open::Message(message);
    }

    pub(super) fn cite(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let mut message = self.text_message(out);
        if let Some(Part::Text { annotations, start, .. }) = &mut message.part {
            annotations.push(items::annotation(citation, *start));
        }
        if let Some(Part::Text { annotations, .. }) = &message.part
            && let Some((last, before)) = annotations.split_last()
        {
            event(out, &mut self.sequence, "response.output_text.annotation.added", |event| {
                content_place(event, &message);
                event.number("annotation_index", before.len() as u64);
                event.raw("annotation", last);
            });
        }
        self.open = Open::Message(message);
    }

    pub(super) fn refusal(&mut self, more: &str, out: &mut Vec<u8>) {
        let new = |_| Part::Refusal(String::new());
        let mut message = self.message(|part| matches!(part, Part::Refusal(_)), new, out);
        event(out, &mut self.sequence, "response.refusal.delta", |event| {
            content_place(event, &message);
            write_string(event.key("delta"), more);
        });
        if let Some(Part::Refusal(refusal)) = &mut message.part {
            refusal.push_str(more);
        }
        self.open = Open::Message(message);
    }

    pub(super) fn tell_content(&mut self, name: &str, message: &Message, part: &Part, out: &mut Vec<u8>) {
        event(out, &mut self.sequence, name, |event| {
            content_place(event, message);
            event.raw("part", &part.json());
        });
    }

    pub(super) fn end_content(&mut self, message: &mut Message, out: &mut Vec<u8>) {
        let Some(part) = message.part.take() else { return };
        match &part {
            Part::Text { text, logprobs, .. } => {
                event(out, &mut self.sequence, "response.output_text.done", |event| {
                    content_place(event, message);
                    write_string(event.key("text"), text);
                    event.raw("logprobs", &logprobs.array());
                });
            }
            Part::Refusal(refusal) => event(out, &mut self.sequence, "response.refusal.done", |event| {
                content_place(event, message);
                write_string(event.key("refusal"), refusal);
            }),
        }
        self.tell_content("response.content_part.done", message, &part, out);
        message.done.push(part.json());
    }
}

fn content_place(event: &mut ObjectWriter<'_>, message: &Message) {
    item_place(event, &message.place);
    event.number("content_index", message.done.len() as u64);
}
