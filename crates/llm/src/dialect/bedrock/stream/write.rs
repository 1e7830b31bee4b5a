//! Writes a stream.
//!
//! Invariant: at most one block is open, and blocks are numbered without gaps; usage is told after the stop; after an
//! error nothing follows.

use crate::dialect::bedrock::{block, media, stop, usage};
use crate::dialect::calls::{Next, Progress, Queue, Waiting};
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
    queue: Queue,
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
    Call { call: u32, progress: Progress },
}

impl Writer {
    /// Nothing of `reply` has a place in this dialect's bodies.
    pub(in super::super) fn new(_reply: Reply) -> Self {
        Self {
            open: Open::None,
            next: 0,
            queue: Queue::default(),
            has_calls: false,
            stop: None,
            usage: TokenCounts::default(),
        }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !(self.is_within_call() && self.queue.hold(event)) {
            self.tell(event, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.close_all(out);
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
    fn tell(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(_) => send(out, "messageStart", |payload| payload.string("role", "assistant")),
            Event::Text { choice: CHOICE, text } | Event::Refusal { choice: CHOICE, text } => self.text(text, out),
            Event::Reasoning { choice: CHOICE, text, .. } => self.reasoning(text, out),
            Event::Signature { choice: CHOICE, signature } => {
                self.sign(&signature.written(Dialect::BedrockConverse), out);
            }
            Event::EncryptedReasoning { choice: CHOICE, data, .. } => self.redacted(data, out),
            Event::ToolCall { choice: CHOICE, call, id, name, signature } => {
                let signature = signature.as_ref().map(|proof| proof.written(Dialect::BedrockConverse).into_owned());
                let (id, name) = (id.to_string(), name.to_string());
                self.call(Waiting { call: *call, id, name, signature }, out);
            }
            Event::Arguments { choice: CHOICE, call, json } => self.arguments(*call, json, out),
            Event::Citation { choice: CHOICE, citation } => {
                self.open_text(out);
                self.delta(out, |delta| block::write_citation(citation, delta.key("citation")));
            }
            Event::Media { choice: CHOICE, media } => self.media(media, out),
            Event::PartEnd { choice: CHOICE } => {
                // Arguments of the calls that wait may still come.
                if self.queue.is_empty() {
                    self.close(out);
                }
            }
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

    /// Begins a call, or lets it wait while another is not complete.
    fn call(&mut self, call: Waiting, out: &mut Vec<u8>) {
        self.has_calls = true;
        match &self.open {
            Open::Call { progress, .. } if !progress.is_complete() => self.queue.push(call),
            Open::None | Open::Text | Open::Thought { .. } | Open::Call { .. } => {
                self.close(out);
                self.begin_call(&call, "", out);
            }
        }
    }

    fn begin_call(&mut self, waiting: &Waiting, arguments: &str, out: &mut Vec<u8>) {
        if let Some(signature) = &waiting.signature {
            self.open = Open::Thought { is_signed: false };
            self.delta(out, |delta| delta.object("reasoningContent").string("signature", signature));
            self.close(out);
        }
        self.begin(out, |start| {
            let mut call = start.object("toolUse");
            call.string("toolUseId", &waiting.id);
            call.string("name", &waiting.name);
        });
        self.open = Open::Call { call: waiting.call, progress: Progress::default() };
        if !arguments.is_empty() {
            self.write_arguments(arguments, out);
        }
    }

    fn arguments(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        if json.is_empty() {
            return;
        }
        match self.open {
            Open::Call { call: open, .. } if open == call => self.write_arguments(json, out),
            Open::Call { .. } | Open::None | Open::Text | Open::Thought { .. } => self.queue.add(call, json),
        }
        while !self.queue.is_empty() && !self.is_within_call() {
            self.go_on(out);
        }
    }

    fn write_arguments(&mut self, json: &str, out: &mut Vec<u8>) {
        if let Open::Call { progress, .. } = &mut self.open {
            progress.take(json);
        }
        self.delta(out, |delta| write_string(delta.object("toolUse").key("input"), json));
    }

    /// A call is open whose arguments are not complete: nothing else can be told.
    fn is_within_call(&self) -> bool {
        matches!(&self.open, Open::Call { progress, .. } if !progress.is_complete())
    }

    /// Tells what waits next.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        match self.queue.next() {
            Some(Next::Call(waiting, arguments)) => {
                self.close(out);
                self.begin_call(&waiting, &arguments, out);
            }
            Some(Next::News(event)) => self.tell(&event, out),
            None => {}
        }
    }

    /// Writes all that waits, and closes the open block.
    fn close_all(&mut self, out: &mut Vec<u8>) {
        while !self.queue.is_empty() {
            if self.is_within_call() {
                self.close(out);
            }
            self.go_on(out);
        }
        self.close(out);
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
