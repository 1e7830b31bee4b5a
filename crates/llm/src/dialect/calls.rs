//! Calls of tools, put one after the other: blocks of Anthropic, Bedrock and Cohere and items of Responses cannot be
//! mixed, arguments of other dialects can.
//!
//! The first call that is not complete is told as it comes; whatever begins meanwhile waits, be it a call or another
//! part. Invariant: no argument is lost or reordered unless a call stays open until too much waits or the answer stops,
//! and where parts come one after the other nothing waits. The writers of those dialects stand behind a [`OneByOne`].

use std::collections::{HashMap, VecDeque};

use crate::dialect::EventWriter;
use crate::model::{Event, Json, Media, MediaSource, Signature, Text};

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

/// How much waits for a call whose arguments do not come to an end.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;

/// The one choice that dialects without mixed calls have.
const CHOICE: u32 = 0;

/// A writer that is told of calls one after the other: no other part, and no other call, comes between the pieces of
/// one.
pub(in crate::dialect) struct OneByOne<W> {
    writer: W,
    open: Option<OpenCall>,
    waiting: Waiting,
}

/// The call that is being told.
#[derive(Debug)]
struct OpenCall {
    number: u32,
    progress: Progress,
}

/// What began while a call was not complete, in order.
#[derive(Debug, Default)]
struct Waiting {
    /// Calls, and news of other parts.
    events: VecDeque<Event<'static>>,
    /// What has come of the calls' arguments, by the call's number.
    arguments: HashMap<u32, String>,
    /// How long all that is.
    bytes: usize,
}

impl<W: EventWriter> OneByOne<W> {
    pub(in crate::dialect) fn new(writer: W) -> Self {
        Self { writer, open: None, waiting: Waiting::default() }
    }

    /// A call is open whose arguments are not complete: nothing else can be told.
    fn is_within_call(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.progress.is_complete())
    }

    /// Writes a piece of the open call's arguments, or keeps one of a waiting call's; then what need not wait any more.
    fn arguments(&mut self, call: u32, event: &Event<'_>, json: &str, out: &mut Vec<u8>) {
        match &mut self.open {
            Some(open) if open.number == call => {
                open.progress.take(json);
                self.writer.write(event, out);
            }
            Some(_) | None => self.waiting.add(call, json),
        }
        while !self.waiting.events.is_empty() && !self.is_within_call() {
            self.go_on(out);
        }
    }

    /// Tells all that waits: a call that is not complete by now is not waited for.
    fn tell_waiting(&mut self, out: &mut Vec<u8>) {
        while !self.waiting.events.is_empty() {
            if self.is_within_call() {
                self.open = None;
                self.writer.write(&Event::PartEnd { choice: CHOICE }, out);
            }
            self.go_on(out);
        }
    }

    /// Tells what waits next.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        match self.waiting.pop() {
            Some(event @ Event::ToolCall { call, .. }) => {
                let arguments = self.waiting.take_arguments(call);
                let mut progress = Progress::default();
                progress.take(&arguments);
                self.open = Some(OpenCall { number: call, progress });
                self.writer.write(&event, out);
                if !arguments.is_empty() {
                    self.writer.write(&Event::Arguments { choice: CHOICE, call, json: arguments.into() }, out);
                }
            }
            Some(event) => self.writer.write(&event, out),
            None => {}
        }
    }
}

impl<W: EventWriter> EventWriter for OneByOne<W> {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::ToolCall { choice: CHOICE, call, .. } if self.is_within_call() => self.waiting.push(*call, event),
            Event::ToolCall { choice: CHOICE, call, .. } => {
                self.open = Some(OpenCall { number: *call, progress: Progress::default() });
                self.writer.write(event, out);
            }
            Event::Arguments { json, .. } if json.is_empty() => {}
            Event::Arguments { choice: CHOICE, call, json } => self.arguments(*call, event, json, out),
            Event::PartEnd { choice: CHOICE } => {
                // Arguments of the calls that wait may still come.
                if self.waiting.events.is_empty() {
                    self.open = None;
                    self.writer.write(event, out);
                }
            }
            Event::Stop { choice: CHOICE, .. } => {
                self.tell_waiting(out);
                self.writer.write(event, out);
            }
            _ if self.is_within_call() && self.waiting.hold(event) => {}
            _ => self.writer.write(event, out),
        }
        if self.waiting.is_full() {
            self.tell_waiting(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.tell_waiting(out);
        self.writer.finish(out);
    }
}

impl Waiting {
    fn push(&mut self, call: u32, event: &Event<'_>) {
        self.arguments.insert(call, String::new());
        self.bytes += length(event);
        self.events.extend(owned(event));
    }

    /// Lets `event` wait if it tells of a part; `false` if it does not.
    fn hold(&mut self, event: &Event<'_>) -> bool {
        let news = owned(event);
        let holds = news.is_some();
        self.bytes += news.as_ref().map_or(0, length);
        self.events.extend(news);
        holds
    }

    /// Keeps a piece of a waiting call's arguments.
    fn add(&mut self, call: u32, json: &str) {
        if let Some(arguments) = self.arguments.get_mut(&call) {
            arguments.push_str(json);
            self.bytes += json.len();
        }
    }

    /// What began first.
    fn pop(&mut self) -> Option<Event<'static>> {
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(length(&event));
        Some(event)
    }

    /// What has come of the arguments of a call that waits no more.
    fn take_arguments(&mut self, call: u32) -> String {
        let arguments = self.arguments.remove(&call).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(arguments.len());
        arguments
    }

    /// No more may wait.
    fn is_full(&self) -> bool {
        self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES
    }
}

/// How many bytes of an event's words a provider can choose.
fn length(event: &Event<'_>) -> usize {
    match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => text.len(),
        Event::Signature { signature, .. } => signature.value.len(),
        Event::EncryptedReasoning { data, .. } => data.value.len(),
        Event::ToolCall { id, name, .. } => id.len() + name.len(),
        Event::Arguments { json, .. } => json.len(),
        Event::Opaque { json, .. } => json.bytes().len(),
        Event::Media { media, .. } => match &media.source {
            MediaSource::Base64(text)
            | MediaSource::Url(text)
            | MediaSource::File(text)
            | MediaSource::PlainText(text) => text.len(),
        },
        Event::Citation { citation, .. } => citation.native.as_ref().map_or(0, |json| json.bytes().len()),
        Event::Start(_)
        | Event::Logprobs { .. }
        | Event::PartEnd { .. }
        | Event::Stop { .. }
        | Event::Usage(_)
        | Event::Error(_)
        | Event::End => 0,
    }
}

/// An event that begins a part or tells of one that is no call, without a tie to the text it was read from.
fn owned(event: &Event<'_>) -> Option<Event<'static>> {
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
        Event::ToolCall { choice, call, id, name, signature } => Event::ToolCall {
            choice: *choice,
            call: *call,
            id: owned(id),
            name: owned(name),
            signature: signature.clone().map(Signature::into_owned),
        },
        Event::Opaque { choice, json } => Event::Opaque { choice: *choice, json: Json::into_owned(json.clone()) },
        Event::Start(_)
        | Event::Arguments { .. }
        | Event::Logprobs { .. }
        | Event::PartEnd { .. }
        | Event::Stop { .. }
        | Event::Usage(_)
        | Event::Error(_)
        | Event::End => return None,
    })
}
