//! Writing streams.
//!
//! Invariant: events are numbered from 0 without a gap; every item that is added is done before the last event, which
//! holds the whole answer. Items follow each other, but for calls: their arguments may come mixed, so a call stays
//! open until its end is told or something else than a call begins.

use super::items::{self, Call, Message, Part, Place, Reasoning, Thought};
use crate::dialect::responses::whole::{self, ItemNames, Whole};
use crate::dialect::responses::{content, service_tier, stop};
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::write_stream_error;
use crate::json::{ObjectWriter, write_string};
use crate::model::{
    Citation, Event, Json, Media, MediaKind, MediaSource, Signature, Stop, StreamStart, Text, TokenCounts,
};

/// Writes a stream.
#[derive(Debug)]
pub(in crate::dialect::responses) struct Writer {
    reply: Reply,
    service_tier: Option<String>,
    names: ItemNames,
    sequence: u64,
    /// What is being told, if it is no call.
    open: Open,
    /// Calls that are not done, the last told at the end.
    calls: Vec<Call>,
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
}

impl Writer {
    pub(in crate::dialect::responses) fn new(reply: Reply) -> Self {
        Self {
            reply,
            service_tier: None,
            names: ItemNames::default(),
            sequence: 0,
            open: Open::Nothing,
            calls: Vec::new(),
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
            Event::ToolCall { choice: 0, call, id, name, signature } => {
                self.close_open(out);
                if let Some(signature) = signature {
                    self.proof(signature, out);
                }
                self.begin_call(*call, id, name, out);
            }
            Event::Arguments { choice: 0, call, json } => self.arguments(*call, json, out),
            Event::Citation { choice: 0, citation } => self.cite(citation, out),
            Event::Media { choice: 0, media } => self.image(media, out),
            Event::Logprobs { choice: 0, logprobs } => self.logprobs(logprobs, out),
            Event::PartEnd { choice: 0 } => self.end_part(out),
            Event::Opaque { choice: 0, json } => {
                self.close_all(out);
                self.whole_item(json.bytes().to_vec(), out);
            }
            Event::Stop { choice: 0, stop } => {
                let native = Text::Owned(stop.native.clone().into_owned());
                self.stop = Some(Stop { reason: stop.reason, native, sequence: None });
            }
            Event::Usage(counts) => self.usage.get_or_insert_default().merge(counts),
            Event::Error(error) => write_stream_error(Dialect::OpenAiResponses, error, out),
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
        self.close_all(out);
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

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close_open(out);
        for call in std::mem::take(&mut self.calls) {
            self.end_call(&call, out);
        }
    }

    /// Ends the item that is being told, if it is no call.
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
        }
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {
                if let Some(call) = self.calls.pop() {
                    self.end_call(&call, out);
                }
            }
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

/// Messages.
impl Writer {
    /// Takes the message that is being told, or begins one, with a part that `fits`, or with `new`.
    fn message(&mut self, fits: fn(&Part) -> bool, new: fn() -> Part, out: &mut Vec<u8>) -> Message {
        let mut message = match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Message(message) => message,
            other => {
                self.open = other;
                self.close_all(out);
                let message = Message { place: self.place("msg"), done: Vec::new(), part: None };
                self.add_item(message.place.index, &message.json("in_progress"), out);
                message
            }
        };
        if !message.part.as_ref().is_some_and(fits) {
            self.end_content(&mut message, out);
            let part = new();
            self.tell_content("response.content_part.added", &message, &part, out);
            message.part = Some(part);
        }
        message
    }

    fn text_message(&mut self, out: &mut Vec<u8>) -> Message {
        self.message(|part| matches!(part, Part::Text { .. }), Part::text, out)
    }

    fn text(&mut self, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        let mut message = self.text_message(out);
        self.tell_text(&message, more, b"[]", out);
        if let Some(Part::Text { text, .. }) = &mut message.part {
            text.push_str(more);
        }
        self.open = Open::Message(message);
    }

    fn tell_text(&mut self, message: &Message, delta: &str, logprobs: &[u8], out: &mut Vec<u8>) {
        event(out, &mut self.sequence, "response.output_text.delta", |event| {
            content_place(event, message);
            write_string(event.key("delta"), delta);
            event.raw("logprobs", logprobs);
        });
    }

    /// They come after their text, so they are told with an empty piece.
    fn logprobs(&mut self, logprobs: &Json<'_>, out: &mut Vec<u8>) {
        let Some(array) = content::logprobs_array(logprobs) else { return };
        let mut message = self.text_message(out);
        self.tell_text(&message, "", array.bytes, out);
        if let Some(Part::Text { logprobs, .. }) = &mut message.part {
            logprobs.add(array);
        }
        self.open = Open::Message(message);
    }

    fn cite(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let mut message = self.text_message(out);
        let annotation = items::annotation(citation);
        if let Some(Part::Text { annotations, .. }) = &mut message.part {
            annotations.push(annotation);
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

    fn refusal(&mut self, more: &str, out: &mut Vec<u8>) {
        let new = || Part::Refusal(String::new());
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

    fn tell_content(&mut self, name: &str, message: &Message, part: &Part, out: &mut Vec<u8>) {
        event(out, &mut self.sequence, name, |event| {
            content_place(event, message);
            event.raw("part", &part.json());
        });
    }

    fn end_content(&mut self, message: &mut Message, out: &mut Vec<u8>) {
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

/// Reasoning.
impl Writer {
    /// Takes the reasoning item that is being told and not yet signed, or begins one.
    fn reasoning_item(&mut self, out: &mut Vec<u8>) -> Reasoning {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Reasoning(reasoning) if reasoning.encrypted.is_none() => reasoning,
            other => {
                self.open = other;
                self.close_all(out);
                let place = self.place("rs");
                self.begin_reasoning(place, out)
            }
        }
    }

    fn begin_reasoning(&mut self, place: Place, out: &mut Vec<u8>) -> Reasoning {
        let reasoning = Reasoning::new(place);
        self.add_item(reasoning.place.index, &reasoning.json(), out);
        reasoning
    }

    fn reasoning(&mut self, more: &str, thought: Thought, out: &mut Vec<u8>) {
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

    fn begin_thought(&mut self, reasoning: &mut Reasoning, thought: Thought, out: &mut Vec<u8>) {
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

    fn end_thought(&mut self, reasoning: &mut Reasoning, out: &mut Vec<u8>) {
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
    fn tell_thought(&mut self, reasoning: &Reasoning, thought: Thought, names: [&str; 2], out: &mut Vec<u8>) {
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
    fn sign(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        match &mut self.open {
            Open::Reasoning(reasoning) if reasoning.encrypted.is_none() && reasoning.has_text() => {
                reasoning.encrypted = Some(signature.written(Dialect::OpenAiResponses).into_owned());
            }
            Open::Nothing | Open::Message(_) | Open::Reasoning(_) => {
                self.close_all(out);
                self.proof(signature, out);
            }
        }
    }

    /// A proof that stands alone.
    fn proof(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        let place = self.place("rs");
        let mut reasoning = self.begin_reasoning(place, out);
        self.begin_thought(&mut reasoning, Thought::Text, out);
        self.end_thought(&mut reasoning, out);
        reasoning.encrypted = Some(signature.written(Dialect::OpenAiResponses).into_owned());
        self.end_item(reasoning.place.index, reasoning.json(), out);
    }

    /// OpenAI's own belongs to the summary before it; another dialect's is a part of its own.
    fn encrypted(&mut self, id: Option<&Text<'_>>, data: &Signature<'_>, out: &mut Vec<u8>) {
        let is_own = data.origin == Dialect::OpenAiResponses;
        let continues = matches!(&self.open, Open::Reasoning(open) if is_own && open.encrypted.is_none());
        if !continues {
            self.close_all(out);
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

/// Calls and images.
impl Writer {
    fn begin_call(&mut self, number: u32, call_id: &str, name: &str, out: &mut Vec<u8>) {
        let call = Call {
            place: self.place("fc"),
            number,
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
        };
        self.add_item(call.place.index, &call.begun(), out);
        self.calls.push(call);
    }

    fn arguments(&mut self, number: u32, more: &str, out: &mut Vec<u8>) {
        let Some(at) = self.calls.iter().rposition(|call| call.number == number) else { return };
        if more.is_empty() {
            return;
        }
        let mut call = self.calls.remove(at);
        event(out, &mut self.sequence, "response.function_call_arguments.delta", |event| {
            item_place(event, &call.place);
            write_string(event.key("delta"), more);
        });
        call.arguments.push_str(more);
        self.calls.push(call);
    }

    fn end_call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
        event(out, &mut self.sequence, "response.function_call_arguments.done", |event| {
            item_place(event, &call.place);
            event.string("name", &call.name);
            event.string("arguments", arguments);
        });
        self.end_item(call.place.index, call.json(), out);
    }

    /// Sound has no place in an answer of this dialect.
    fn image(&mut self, media: &Media<'_>, out: &mut Vec<u8>) {
        let (MediaKind::Image, MediaSource::Base64(data)) = (media.kind, &media.source) else { return };
        self.close_all(out);
        let place = self.place("ig");
        let item = |status: &str, data: &str| {
            items::object(|item| {
                item.string("id", &place.id);
                item.string("status", status);
                whole::write_image(item, data, media.media_type.as_deref());
            })
        };
        let (begun, done) = (item("in_progress", ""), item("completed", data));
        self.add_item(place.index, &begun, out);
        event(out, &mut self.sequence, "response.image_generation_call.completed", |event| item_place(event, &place));
        self.end_item(place.index, done, out);
    }
}

/// Appends an event whose members `fill` writes.
fn event(out: &mut Vec<u8>, sequence: &mut u64, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    {
        let mut object = ObjectWriter::new(out);
        object.string("type", name);
        object.number("sequence_number", *sequence);
        fill(&mut object);
    }
    out.extend_from_slice(b"\n\n");
    *sequence += 1;
}

fn item_place(event: &mut ObjectWriter<'_>, place: &Place) {
    event.string("item_id", &place.id);
    event.number("output_index", place.index as u64);
}

fn content_place(event: &mut ObjectWriter<'_>, message: &Message) {
    item_place(event, &message.place);
    event.number("content_index", message.done.len() as u64);
}

fn thought_place(event: &mut ObjectWriter<'_>, reasoning: &Reasoning, thought: Thought) {
    item_place(event, &reasoning.place);
    let (name, texts) = match thought {
        Thought::Summary => ("summary_index", &reasoning.summary),
        Thought::Text => ("content_index", &reasoning.content),
    };
    event.number(name, texts.len().saturating_sub(1) as u64);
}
