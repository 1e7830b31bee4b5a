//! The writer: the model's events to Cohere's.
//!
//! Invariant: parts are opened and closed one after the other, contents and calls are numbered from 0 each, and
//! nothing follows `[DONE]` or an error. Only the first choice is told: Cohere knows no other.

use super::super::{citation, stop, usage};
use crate::dialect::cited::CitedText;
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::write_stream_error;
use crate::json::ObjectWriter;
use crate::model::{Event, Stop, StopReason, Text, TokenCounts};
use crate::sse::write_event;

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Writer {
    reply: Reply,
    open: Open,
    /// The numbers of the next content, call and citation.
    contents: u64,
    calls: u64,
    citations: u64,
    /// The text so far, for citations to quote.
    text: CitedText,
    stop: Option<Stop<'static>>,
    counts: Option<TokenCounts>,
    has_started: bool,
    has_failed: bool,
}

/// The part that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call { has_arguments: bool },
}

impl Writer {
    pub(in super::super) fn new(reply: Reply) -> Self {
        Self {
            reply,
            open: Open::Nothing,
            contents: 0,
            calls: 0,
            citations: 0,
            text: CitedText::default(),
            stop: None,
            counts: None,
            has_started: false,
            has_failed: false,
        }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start(&start.id, out),
            Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } => {
                self.text.push(text);
                self.content(Open::Text, text, out);
            }
            Event::Reasoning { choice: 0, text, .. } => self.content(Open::Thinking, text, out),
            Event::ToolCall { choice: 0, id, name, .. } => self.call(id, name, out),
            Event::Arguments { choice: 0, json, .. } => self.arguments(json, out),
            Event::Citation { choice: 0, citation } => {
                let (index, text) = (self.citations, &mut self.text);
                self.citations += 1;
                write_delta(out, "citation-start", index, |message| {
                    citation::write(citation, text, message.key("citations"));
                });
                write_end(out, "citation-end", index);
            }
            Event::PartEnd { choice: 0 } => self.close(out),
            Event::Stop { choice: 0, stop } => {
                let sequence = stop.sequence.as_ref().map(|text| Text::Owned(text.clone().into_owned()));
                let native = Text::Owned(stop.native.clone().into_owned());
                self.stop = Some(Stop { reason: stop.reason, native, sequence });
            }
            Event::Usage(counts) => self.counts.get_or_insert_default().merge(counts),
            Event::Error(error) => {
                self.has_failed = true;
                write_stream_error(Dialect::Cohere, error, out);
            }
            // Signatures, media, probabilities and other choices have no words here; the end is told by `finish`.
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. }
            | Event::PartEnd { .. }
            | Event::Stop { .. }
            | Event::Media { .. }
            | Event::Opaque { .. }
            | Event::Logprobs { .. }
            | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        self.start("", out);
        self.close(out);
        let reason = if self.calls > 0 { StopReason::ToolCalls } else { StopReason::End };
        let stop = self.stop.take().unwrap_or(Stop { reason, native: Text::default(), sequence: None });
        write_event(out, "message-end", |event| {
            event.string("type", "message-end");
            let mut delta = event.object("delta");
            delta.string("finish_reason", stop::word(&stop));
            if let Some(counts) = &self.counts {
                usage::write(counts, &mut delta.object("usage"));
            }
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Writer {
    fn start(&mut self, id: &str, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let id = if id.is_empty() { &self.reply.id } else { id };
        write_event(out, "message-start", |event| {
            event.string("id", id);
            event.string("type", "message-start");
            let mut delta = event.object("delta");
            let mut message = delta.object("message");
            message.string("role", "assistant");
            message.string("tool_plan", "");
            for list in ["content", "tool_calls", "citations"] {
                message.raw(list, b"[]");
            }
        });
    }

    fn content(&mut self, part: Open, text: &str, out: &mut Vec<u8>) {
        let (kind, field) = if part == Open::Thinking { ("thinking", "thinking") } else { ("text", "text") };
        if self.open != part {
            self.close(out);
            self.open = part;
            write_delta(out, "content-start", self.contents, |message| {
                let mut content = message.object("content");
                content.string("type", kind);
                content.string(field, "");
            });
        }
        write_delta(out, "content-delta", self.contents, |message| {
            message.object("content").string(field, text);
        });
    }

    fn call(&mut self, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close(out);
        self.open = Open::Call { has_arguments: false };
        write_delta(out, "tool-call-start", self.calls, |message| {
            let mut object = message.object("tool_calls");
            object.string("id", id);
            object.string("type", "function");
            let mut function = object.object("function");
            function.string("name", name);
            function.string("arguments", "");
        });
    }

    fn arguments(&mut self, json: &str, out: &mut Vec<u8>) {
        let Open::Call { has_arguments } = &mut self.open else { return };
        *has_arguments = true;
        write_delta(out, "tool-call-delta", self.calls, |message| {
            message.object("tool_calls").object("function").string("arguments", json);
        });
    }

    /// Ends the part that is open.
    fn close(&mut self, out: &mut Vec<u8>) {
        if let Open::Call { has_arguments: false, .. } = self.open {
            self.arguments("{}", out);
        }
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Text | Open::Thinking => {
                write_end(out, "content-end", self.contents);
                self.contents += 1;
            }
            Open::Call { .. } => {
                write_end(out, "tool-call-end", self.calls);
                self.calls += 1;
            }
        }
    }
}

/// Appends an event whose `delta.message` is filled by `fill`.
fn write_delta(out: &mut Vec<u8>, kind: &str, index: u64, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    write_event(out, kind, |event| {
        event.string("type", kind);
        event.number("index", index);
        fill(&mut event.object("delta").object("message"));
    });
}

fn write_end(out: &mut Vec<u8>, kind: &str, index: u64) {
    write_event(out, kind, |event| {
        event.string("type", kind);
        event.number("index", index);
    });
}
