//! Writing streams.
//!
//! Invariant: events are numbered from 0 without a gap; every item that is added is done before the last event, which
//! holds the whole answer; no item begins before the one before it is done. A call is done as soon as its arguments are
//! a whole object. The writer stands behind a [`OneByOne`](crate::dialect::calls::OneByOne), which holds back what a
//! provider mixes with the pieces of a call.

mod call;
mod message;
mod reasoning;

use super::items::{self, Call, Message, Place, Reasoning, Thought};
use crate::dialect::responses::whole::{ItemNames, Whole};
use crate::dialect::responses::{service_tier, stop};
use crate::dialect::{EventWriter, Reply};
use crate::errors::write_responses_error;
use crate::json::ObjectWriter;
use crate::model::{Event, Stop, StreamStart, Text, TokenCounts};
use crate::sse::write_event;

/// Writes a stream.
#[derive(Debug)]
pub(in crate::dialect::responses) struct Writer {
    reply: Reply,
    service_tier: Option<String>,
    names: ItemNames,
    sequence: u64,
    open: Open,
    /// Characters of the texts so far.
    characters: u64,
    /// The items by their index; empty while they are open.
    output: Vec<Vec<u8>>,
    stop: Option<Stop<'static>>,
    usage: Option<TokenCounts>,
}

/// The item that is being told.
#[derive(Debug)]
enum Open {
    Nothing,
    Message(Message),
    Reasoning(Reasoning),
    Call(Call),
}

impl Writer {
    pub(in crate::dialect::responses) fn new(reply: Reply) -> Self {
        Self {
            reply,
            service_tier: None,
            names: ItemNames::default(),
            sequence: 0,
            open: Open::Nothing,
            characters: 0,
            output: Vec::new(),
            stop: None,
            usage: None,
        }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start(start, out),
            Event::Text { choice: 0, text } => self.text(text, out),
            Event::Refusal { choice: 0, text } => self.refusal(text, out),
            Event::Reasoning { choice: 0, text, is_summary } => {
                self.reasoning(text, if *is_summary { Thought::Summary } else { Thought::Text }, out);
            }
            Event::Signature { choice: 0, signature } => self.sign(signature, out),
            Event::EncryptedReasoning { choice: 0, id, data } => self.encrypted(id.as_ref(), data, out),
            Event::ToolCall { choice: 0, call: _, id, name, signature } => {
                self.close_open(out);
                if let Some(signature) = signature {
                    self.proof(signature, out);
                }
                self.begin_call(id, name, out);
            }
            Event::Arguments { choice: 0, call: _, json } => self.arguments(json, out),
            Event::Citation { choice: 0, citation } => self.cite(citation, out),
            Event::Media { choice: 0, media } => self.image(media, out),
            Event::Logprobs { choice: 0, logprobs } => self.logprobs(logprobs, out),
            Event::PartEnd { choice: 0 } => self.end_part(out),
            Event::Opaque { choice: 0, json } => {
                self.close_open(out);
                self.whole_item(json.bytes().to_vec(), out);
            }
            Event::Stop { choice: 0, stop } => {
                if matches!(self.open, Open::Call(_)) {
                    self.close_open(out);
                }
                let native = Text::Owned(stop.native.clone().into_owned());
                self.stop = Some(Stop { reason: stop.reason, native, sequence: None });
            }
            Event::Usage(counts) => self.usage.get_or_insert_default().merge(counts),
            Event::Error(error) => write_responses_error(error, self.sequence, out),
            // The stream ends in `finish`; other choices than the first have no place here.
            Event::End
            | Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. }
            | Event::Media { .. }
            | Event::Logprobs { .. }
            | Event::PartEnd { .. }
            | Event::Opaque { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.close_open(out);
        let status = stop::write(self.stop.as_ref());
        let name = match status.name {
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => "response.completed",
        };
        let output = items::array(&self.output);
        self.tell_whole(name, status, &output, out);
    }
}

impl Writer {
    fn start(&mut self, start: &StreamStart<'_>, out: &mut Vec<u8>) {
        if !start.id.is_empty() {
            self.reply.id = start.id.as_ref().into();
        }
        if let Some(model) = &start.model {
            self.reply.model = model.as_ref().into();
        }
        self.reply.created = start.created.unwrap_or(self.reply.created);
        self.service_tier = start.service_tier.as_deref().and_then(service_tier).map(str::to_owned);
        self.names = ItemNames::of(&self.reply.id);
        let status = stop::Status { name: "in_progress", incomplete: None };
        for name in ["response.created", "response.in_progress"] {
            self.tell_whole(name, status, b"[]", out);
        }
    }

    /// Tells the whole answer as it stands.
    fn tell_whole(&mut self, name: &str, status: stop::Status<'_>, output: &[u8], out: &mut Vec<u8>) {
        let whole = Whole {
            id: &self.reply.id,
            model: &self.reply.model,
            created: self.reply.created,
            status,
            output,
            usage: self.usage.as_ref(),
            service_tier: self.service_tier.as_deref(),
            extras: None,
        };
        event(out, &mut self.sequence, name, |event| whole.write(event.key("response")));
    }

    /// A place for the next item.
    fn place(&mut self, prefix: &str) -> Place {
        let index = self.output.len();
        self.output.push(Vec::new());
        Place { index, id: self.names.name(prefix, index) }
    }

    fn tell_item(&mut self, name: &str, index: usize, item: &[u8], out: &mut Vec<u8>) {
        event(out, &mut self.sequence, name, |event| {
            event.number("output_index", index as u64);
            event.raw("item", item);
        });
    }

    fn add_item(&mut self, index: usize, item: &[u8], out: &mut Vec<u8>) {
        self.tell_item("response.output_item.added", index, item, out);
    }

    fn end_item(&mut self, index: usize, item: Vec<u8>, out: &mut Vec<u8>) {
        self.tell_item("response.output_item.done", index, &item, out);
        self.output[index] = item;
    }

    /// An item that came whole.
    fn whole_item(&mut self, item: Vec<u8>, out: &mut Vec<u8>) {
        let place = self.place("item");
        self.add_item(place.index, &item, out);
        self.end_item(place.index, item, out);
    }

    /// Ends the item that is being told.
    fn close_open(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Message(mut message) => {
                self.end_content(&mut message, out);
                let cut = stop::write(self.stop.as_ref()).incomplete.is_some();
                let item = message.json(if cut { "incomplete" } else { "completed" });
                self.end_item(message.place.index, item, out);
            }
            Open::Reasoning(mut reasoning) => {
                self.end_thought(&mut reasoning, out);
                self.end_item(reasoning.place.index, reasoning.json(), out);
            }
            Open::Call(call) => self.end_call(&call, out),
        }
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Call(call) => self.end_call(&call, out),
            Open::Message(mut message) => {
                self.end_content(&mut message, out);
                self.open = Open::Message(message);
            }
            Open::Reasoning(mut reasoning) => {
                self.end_thought(&mut reasoning, out);
                let signed = reasoning.encrypted.is_some();
                self.open = Open::Reasoning(reasoning);
                if signed {
                    self.close_open(out);
                }
            }
        }
    }
}

/// Appends an event whose members `fill` writes.
fn event(out: &mut Vec<u8>, sequence: &mut u64, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    write_event(out, name, |event| {
        event.string("type", name);
        event.number("sequence_number", *sequence);
        fill(event);
    });
    *sequence += 1;
}

fn item_place(event: &mut ObjectWriter<'_>, place: &Place) {
    event.string("item_id", &place.id);
    event.number("output_index", place.index as u64);
}
