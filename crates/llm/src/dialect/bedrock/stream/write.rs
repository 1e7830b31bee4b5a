//! Writes a stream.
//!
//! Invariant: at most one block is open, and blocks are numbered without gaps; usage is told after the stop; after an
//! error nothing follows.

use crate::dialect::bedrock::{block, media, stop, usage};
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::{ApiError, ErrorKind};
use crate::eventstream::write_message;
use crate::json::{ObjectWriter, write_string};
use crate::model::{Event, Media, MediaKind, Signature, Stop, StopReason, TokenCounts};

/// The only choice that an answer has room for.
const CHOICE: u32 = 0;

#[derive(Debug)]
pub(in super::super) struct Writer {
    open: Open,
    /// The number of the block that is open, or of the next one.
    next: u64,
    has_calls: bool,
    stop: Option<Stop<'static>>,
    usage: TokenCounts,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    None,
    Text,
    Thought { is_signed: bool },
    Call,
}

impl Writer {
    /// Nothing of `reply` has a place in this dialect's bodies.
    pub(in super::super) fn new(_reply: Reply) -> Self {
        Self { open: Open::None, next: 0, has_calls: false, stop: None, usage: TokenCounts::default() }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(_) => send(out, "messageStart", |payload| payload.string("role", "assistant")),
            Event::Text { choice: CHOICE, text } | Event::Refusal { choice: CHOICE, text } => self.text(text, out),
            Event::Reasoning { choice: CHOICE, text, .. } => self.reasoning(text, out),
            Event::Signature { choice: CHOICE, signature } => {
                self.sign(&signature.written(Dialect::BedrockConverse), out);
            }
            Event::EncryptedReasoning { choice: CHOICE, data, .. } => self.redacted(data, out),
            Event::ToolCall { choice: CHOICE, id, name, signature, .. } => {
                self.call(id, name, signature.as_ref(), out);
            }
            Event::Arguments { choice: CHOICE, json, .. } => self.arguments(json, out),
            Event::Citation { choice: CHOICE, citation } => {
                self.open_text(out);
                self.delta(out, |delta| block::write_citation(citation, delta.key("citation")));
            }
            Event::Media { choice: CHOICE, media } => self.media(media, out),
            Event::PartEnd { choice: CHOICE } => self.close(out),
            Event::Stop { choice: CHOICE, stop } => {
                let native = stop.native.to_string().into();
                self.stop = Some(Stop { reason: stop.reason, native, sequence: None });
            }
            Event::Usage(counts) => self.usage.merge(counts),
            Event::Error(error) => write_exception(error, out),
            // Other choices and log probabilities have no words here; the end is told by `finish`.
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. }
            | Event::Media { .. }
            | Event::PartEnd { .. }
            | Event::Stop { .. }
            | Event::Opaque { .. }
            | Event::Logprobs { .. }
            | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let ended = Stop { reason: StopReason::End, native: Default::default(), sequence: None };
        let mut stop = self.stop.take().unwrap_or(ended);
        if self.has_calls && matches!(stop.reason, StopReason::End | StopReason::Other) {
            stop.reason = StopReason::ToolCalls;
        }
        send(out, "messageStop", |payload| payload.string("stopReason", stop::word(&stop)));
        let counts = self.usage;
        send(out, "metadata", |payload| {
            usage::write(&counts, &mut payload.object("usage"));
            payload.object("metrics").number("latencyMs", 0);
        });
    }
}

/// Appends an event of type `name`; `fill` adds its members.
fn send(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    write_message(out, &headers, |out| fill(&mut ObjectWriter::new(out)));
}

/// Appends the exception that tells a client of a stream's failure. Streams know these five alone.
pub(crate) fn write_exception(error: &ApiError<'_>, out: &mut Vec<u8>) {
    let name = match error.kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Authentication
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::RequestTooLarge
        | ErrorKind::ContextTooLong
        | ErrorKind::ContentFiltered => "validationException",
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => "throttlingException",
        ErrorKind::Upstream | ErrorKind::StreamCut | ErrorKind::Timeout => "modelStreamErrorException",
        ErrorKind::Overloaded => "serviceUnavailableException",
        ErrorKind::Internal => "internalServerException",
    };
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    write_message(out, &headers, |out| ObjectWriter::new(out).string("message", &error.message));
}

impl Writer {
    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_text(out);
        self.delta(out, |delta| delta.string("text", text));
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text) {
            self.close(out);
            self.open = Open::Text;
        }
    }

    fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_thought(out);
        self.delta(out, |delta| delta.object("reasoningContent").string("text", text));
    }

    /// A signature closes what it signs.
    fn open_thought(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thought { is_signed: false }) {
            self.close(out);
            self.open = Open::Thought { is_signed: false };
        }
    }

    /// Signs the thoughts being told; anything else is signed by a thought of its own without text.
    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        self.open_thought(out);
        self.delta(out, |delta| delta.object("reasoningContent").string("signature", signature));
        self.open = Open::Thought { is_signed: true };
    }

    fn redacted(&mut self, data: &Signature<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.delta(out, |delta| block::write_redacted(data, &mut delta.object("reasoningContent")));
        self.end_block(out);
    }

    /// An image as a whole. Streams have no room for other media.
    fn media(&mut self, media: &Media<'_>, out: &mut Vec<u8>) {
        if media.kind != MediaKind::Image || media::lost_with(media).is_some() {
            return;
        }
        self.close(out);
        let mut written = Vec::new();
        media::write(media, None, None, &mut ObjectWriter::new(&mut written));
        let Some(image) = crate::json::Raw::new(&written) else { return };
        let member = |name| image.first(name).map_or(b"null".as_slice(), |value| value.bytes);
        self.begin(out, |start| start.object("image").raw("format", member("format")));
        self.delta(out, |delta| delta.object("image").raw("source", member("source")));
        self.end_block(out);
    }

    fn call(&mut self, id: &str, name: &str, signature: Option<&Signature<'_>>, out: &mut Vec<u8>) {
        self.has_calls = true;
        self.close(out);
        if let Some(signature) = signature {
            self.sign(&signature.written(Dialect::BedrockConverse), out);
            self.close(out);
        }
        self.begin(out, |start| {
            let mut call = start.object("toolUse");
            call.string("toolUseId", id);
            call.string("name", name);
        });
        self.open = Open::Call;
    }

    fn arguments(&mut self, json: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Call) {
            self.delta(out, |delta| write_string(delta.object("toolUse").key("input"), json));
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        let index = self.next;
        send(out, "contentBlockStart", |payload| {
            fill(&mut payload.object("start"));
            payload.number("contentBlockIndex", index);
        });
    }

    fn delta(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        let index = self.next;
        send(out, "contentBlockDelta", |payload| {
            fill(&mut payload.object("delta"));
            payload.number("contentBlockIndex", index);
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if !matches!(std::mem::replace(&mut self.open, Open::None), Open::None) {
            self.end_block(out);
        }
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        let index = self.next;
        send(out, "contentBlockStop", |payload| payload.number("contentBlockIndex", index));
        self.next += 1;
    }
}
