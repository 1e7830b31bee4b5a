//! Writes a stream.
//!
//! Invariant: at most one block is open; each has its start, its deltas and its stop, numbered without gaps. Usage is
//! told in `message_delta`, where SDKs take all counts from; after an error nothing follows.

use crate::dialect::anthropic::block;
use crate::dialect::anthropic::stop::{self, Content};
use crate::dialect::anthropic::usage;
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::write_stream_error;
use crate::json::{ObjectWriter, write_string};
use crate::model::{Event, Signature, Stop, StopReason, StreamStart, TokenCounts};
use crate::sse::write_event;

/// The only choice that a message has room for.
const CHOICE: u32 = 0;

#[derive(Debug)]
pub(in super::super) struct Writer {
    reply: Reply,
    open: Open,
    /// The number of the next block.
    next: u64,
    content: Content,
    stop: Option<(StopReason, Option<String>)>,
    usage: TokenCounts,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    None,
    Text,
    Thinking { is_signed: bool },
    Call,
}

impl Writer {
    pub(in super::super) fn new(reply: Reply) -> Self {
        Self {
            reply,
            open: Open::None,
            next: 0,
            content: Content::default(),
            stop: None,
            usage: TokenCounts::default(),
        }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start(start, out),
            Event::Text { choice: CHOICE, text } => self.text(text, out),
            Event::Refusal { choice: CHOICE, text } => {
                self.content.has_refusal = true;
                self.text(text, out);
            }
            Event::Reasoning { choice: CHOICE, text, .. } => self.reasoning(text, out),
            Event::Signature { choice: CHOICE, signature } => self.sign(signature, out),
            Event::EncryptedReasoning { choice: CHOICE, data, .. } => {
                self.close(out);
                let data = data.written(Dialect::Anthropic);
                self.whole(out, |out| drop(block::write_redacted(out, &data)));
            }
            Event::ToolCall { choice: CHOICE, id, name, signature, .. } => {
                self.call(id, name, signature.as_ref(), out);
            }
            Event::Arguments { choice: CHOICE, json, .. } => self.arguments(json, out),
            Event::Citation { choice: CHOICE, citation } => {
                self.open_text(out);
                self.delta(out, "citations_delta", "citation", |out| block::write_citation(out, citation));
            }
            Event::PartEnd { choice: CHOICE } => self.close(out),
            Event::Opaque { choice: CHOICE, json } => {
                self.close(out);
                self.whole(out, |out| out.extend_from_slice(json.bytes()));
            }
            Event::Stop { choice: CHOICE, stop: Stop { reason, sequence, .. } } => {
                self.stop = Some((*reason, sequence.as_ref().map(ToString::to_string)));
            }
            Event::Usage(counts) => self.usage.merge(counts),
            Event::Error(error) => write_stream_error(Dialect::Anthropic, error, out),
            // Other choices, media and log probabilities have no words here; the end is told by `finish`.
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. }
            | Event::PartEnd { .. }
            | Event::Opaque { .. }
            | Event::Stop { .. }
            | Event::Media { .. }
            | Event::Logprobs { .. }
            | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let (reason, sequence) = self.stop.take().unwrap_or((StopReason::End, None));
        let word = stop::word(reason, self.content);
        let counts = self.usage;
        send(out, "message_delta", |event| {
            let mut delta = event.object("delta");
            delta.string("stop_reason", word);
            match &sequence {
                Some(sequence) => delta.string("stop_sequence", sequence),
                None => delta.null("stop_sequence"),
            }
            drop(delta);
            usage::write(&counts, None, &mut event.object("usage"));
        });
        send(out, "message_stop", |_| {});
    }
}

/// Appends an event of type `name`; `fill` adds its members.
fn send(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    write_event(out, name, |event| {
        event.string("type", name);
        fill(event);
    });
}

impl Writer {
    fn start(&mut self, start: &StreamStart<'_>, out: &mut Vec<u8>) {
        let counts = self.usage;
        let reply = &self.reply;
        send(out, "message_start", |event| {
            let mut message = event.object("message");
            message.string("id", if start.id.is_empty() { &reply.id } else { &start.id });
            message.string("type", "message");
            message.string("role", "assistant");
            message.string("model", start.model.as_deref().unwrap_or(&reply.model));
            drop(message.array("content"));
            message.null("stop_reason");
            message.null("stop_sequence");
            usage::write(&counts, start.service_tier.as_deref(), &mut message.object("usage"));
        });
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_text(out);
        self.delta(out, "text_delta", "text", |out| write_string(out, text));
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text) {
            self.close(out);
            self.begin(out, |out| drop(block::write_text(out, "")));
            self.open = Open::Text;
        }
    }

    fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_thinking(out);
        self.delta(out, "thinking_delta", "thinking", |out| write_string(out, text));
    }

    /// A signature closes what it signs.
    fn open_thinking(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thinking { is_signed: false }) {
            self.close(out);
            self.begin(out, |out| drop(block::write_thinking(out, "", "")));
            self.open = Open::Thinking { is_signed: false };
        }
    }

    /// Signs the thoughts being told; anything else is signed by a thought of its own without text.
    fn sign(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        self.open_thinking(out);
        let signature = signature.written(Dialect::Anthropic);
        self.delta(out, "signature_delta", "signature", |out| write_string(out, &signature));
        self.open = Open::Thinking { is_signed: true };
    }

    fn call(&mut self, id: &str, name: &str, signature: Option<&Signature<'_>>, out: &mut Vec<u8>) {
        self.content.has_calls = true;
        self.close(out);
        if let Some(signature) = signature {
            self.sign(signature, out);
            self.close(out);
        }
        self.begin(out, |out| {
            let mut block = ObjectWriter::new(out);
            block.string("type", "tool_use");
            block.string("id", id);
            block.string("name", name);
            drop(block.object("input"));
        });
        self.open = Open::Call;
    }

    fn arguments(&mut self, json: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Call) {
            self.delta(out, "input_json_delta", "partial_json", |out| write_string(out, json));
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
        let index = self.next;
        send(out, "content_block_start", |event| {
            event.number("index", index);
            content(event.key("content_block"));
        });
    }

    /// A block that is told at once.
    fn whole(&mut self, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
        self.begin(out, content);
        self.end_block(out);
    }

    fn delta(&mut self, out: &mut Vec<u8>, kind: &str, field: &str, value: impl FnOnce(&mut Vec<u8>)) {
        let index = self.next;
        send(out, "content_block_delta", |event| {
            event.number("index", index);
            let mut delta = event.object("delta");
            delta.string("type", kind);
            value(delta.key(field));
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if !matches!(std::mem::replace(&mut self.open, Open::None), Open::None) {
            self.end_block(out);
        }
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        let index = self.next;
        send(out, "content_block_stop", |event| event.number("index", index));
        self.next += 1;
    }
}
