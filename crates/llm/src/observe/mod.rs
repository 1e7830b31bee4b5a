//! The side decoder of a streamed answer: it watches the bytes go by and keeps what settlement and metrics need.
//!
//! Invariant: observing never changes, delays or fails a stream; what it cannot understand it passes over.
//! [`StreamObserver::end`] is the only judge of whether a stream was whole. One observer serves one stream;
//! [`StreamFilter`](crate::StreamFilter) wraps it where a chunk may have to be held back from the client.

mod anthropic;
mod chat;
mod events;
mod media;
mod responses;
mod template;

use serde_json::{Map, Value};

use crate::dialect::{Dialect, ProviderDialect};
use crate::endpoint::{Framing, endpoint};
use crate::framing::Seam;
use crate::json::{Raw, unescape};
use crate::model::Event;
use crate::protocol::Protocol;
use crate::sse::{Block, SseDecoder, SseEvent};
use crate::usage::Usage;

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// The dialect's end was seen.
    Complete,
    /// The bytes stopped before the dialect's end.
    Cut,
    /// The provider reported an error inside the stream; its message.
    InStreamError(String),
}

/// What one event was, as far as forwarding cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventClass {
    /// To be forwarded.
    Content,
    /// An OpenAI chat chunk that carries usage and no choice.
    UsageOnly,
}

/// What has been learnt of a stream.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    usage: Option<Usage>,
    /// Usage objects as they came: the first and the last.
    raw_usage: [Option<Box<[u8]>>; 2],
    model: Option<Box<str>>,
    finish_reason: Option<Box<str>>,
    has_tool_calls: bool,
    saw_first_token: bool,
    /// The dialect's end was seen.
    finished: bool,
    error: Option<String>,
    text: AnswerText,
}

/// The answer's text: always measured, kept only if somebody asked.
#[derive(Debug, Default)]
struct AnswerText {
    bytes: u64,
    kept: String,
    keep_at_most: usize,
}

impl AnswerText {
    fn add(&mut self, text: &[u8]) {
        self.bytes += text.len() as u64;
        let room = self.keep_at_most.saturating_sub(self.kept.len());
        let fitting = &text[..character_boundary(text, room)];
        self.kept.push_str(&String::from_utf8_lossy(fitting));
        if fitting.len() < text.len() {
            // What is kept must have no gap.
            self.keep_at_most = self.kept.len();
        }
    }
}

/// The last place up to `most` bytes into `text` where no character is cut.
fn character_boundary(text: &[u8], most: usize) -> usize {
    let begins = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    (0..=most.min(text.len())).rev().find(begins).unwrap_or(0)
}

/// Streams of such a protocol end where their bytes end.
fn has_no_end_mark(protocol: Protocol) -> bool {
    endpoint(protocol).terminators.is_empty()
}

/// What kind an event is: its name or, where a provider leaves names out (OpenRouter), the `type` in its data.
fn event_kind<'a>(event: &SseEvent<'a>, data: Raw<'a>) -> &'a [u8] {
    match event.name {
        b"" => data.get("type").and_then(Raw::quoted).unwrap_or_default(),
        name => name,
    }
}

impl Facts {
    /// Takes in a usage object; later reports are merged.
    fn add_usage(&mut self, protocol: Protocol, object: Raw<'_>) {
        let usage = Usage::read(protocol, object);
        match &mut self.usage {
            Some(known) => known.merge(&usage),
            None => self.usage = Some(usage),
        }
        let slot = usize::from(self.raw_usage[0].is_some());
        self.raw_usage[slot] = Some(object.bytes.into());
    }

    /// Takes in a piece of text.
    fn add_text(&mut self, piece: Raw<'_>) {
        match piece.quoted() {
            Some(quoted) if memchr::memchr(b'\\', quoted).is_some() => {
                self.saw_first_token = true;
                self.text.add(unescape(quoted).as_bytes());
            }
            Some(quoted) => self.add_plain_text(quoted),
            None => {}
        }
    }

    /// Takes in a piece of text that has no escapes.
    fn add_plain_text(&mut self, text: &[u8]) {
        self.saw_first_token |= !text.is_empty();
        self.text.add(text);
    }

    fn set_model(&mut self, model: Raw<'_>) {
        if self.model.is_none() {
            self.model = model.text().filter(|name| !name.is_empty()).map(Into::into);
        }
    }

    fn set_finish_reason(&mut self, reason: &str) {
        self.finish_reason = Some(reason.into());
    }

    /// Notes the first error; `error` is a string or an object with a `message`.
    fn set_error(&mut self, error: Raw<'_>) {
        if self.error.is_none() {
            let message = error.text().or_else(|| error.get("message").and_then(Raw::text));
            self.error = Some(message.unwrap_or_else(|| String::from_utf8_lossy(error.bytes)).into_owned());
        }
    }
}

/// Watches one stream.
#[derive(Debug)]
pub struct StreamObserver {
    protocol: Protocol,
    /// `None` once the stream cannot be followed, or from the start if its protocol has no reader.
    reader: Option<Reader>,
    facts: Facts,
}

/// What reads the stream's events.
#[derive(Debug)]
enum Reader {
    /// The dialects that most traffic speaks: only what is asked for is looked at.
    Sse { decoder: SseDecoder, chat: chat::Progress },
    /// All others, by their dialect's own reader.
    Events(Box<events::Events>),
    /// Somebody else reads and tells.
    Told,
    /// The bytes were no stream of the dialect: its end cannot come any more.
    Broken,
}

impl StreamObserver {
    /// An observer of one answer in `protocol`'s dialect. Passthrough and protocols that never stream are not
    /// decoded: they end [`StreamEnd::Complete`] when their bytes end.
    pub fn new(protocol: Protocol) -> Self {
        let row = endpoint(protocol);
        let reader = match (row.framing, protocol.provider_dialect()) {
            (
                _,
                Some(
                    provider @ (ProviderDialect::Shared(Dialect::Gemini | Dialect::Cohere | Dialect::BedrockConverse)
                    | ProviderDialect::BedrockInvoke),
                ),
            ) => Some(Reader::Events(Box::new(events::Events::of(provider)))),
            (Framing::Sse | Framing::NamedSse, _) if protocol != Protocol::Passthrough => {
                let decoder = SseDecoder::new(row.max_event_bytes);
                Some(Reader::Sse { decoder, chat: chat::Progress::default() })
            }
            (Framing::None | Framing::Sse | Framing::NamedSse | Framing::AwsEventStream, _) => None,
        };
        Self { protocol, reader, facts: Facts::default() }
    }

    /// An observer that is told of the events of a stream in `protocol`'s dialect by whoever translates it.
    pub(crate) fn told(protocol: Protocol) -> Self {
        Self { protocol, reader: Some(Reader::Told), facts: Facts::default() }
    }

    /// Takes in an event of a stream that somebody else reads.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        events::note(self.protocol, &mut self.facts, event);
    }

    /// Keeps up to `max_bytes` of the answer's text, for moderation or for counting its tokens.
    #[must_use]
    pub fn keep_text(mut self, max_bytes: usize) -> Self {
        self.facts.text.keep_at_most = max_bytes;
        self
    }

    /// Takes in the next bytes from the provider.
    pub fn observe(&mut self, chunk: &[u8]) {
        self.observe_blocks(chunk, |_, _| {});
    }

    /// Takes in `chunk` and tells, for each block that it completes, what it was. Gives how many bytes of `chunk` are
    /// done with. An event that is too large to be read is content; those after it are read again.
    pub(crate) fn observe_blocks(&mut self, chunk: &[u8], mut seen: impl FnMut(Block<'_>, EventClass)) -> usize {
        let Self { protocol, reader, facts } = self;
        match reader {
            None | Some(Reader::Told | Reader::Broken) => {}
            Some(Reader::Events(events)) => {
                if let Err(error) = events.push(*protocol, facts, chunk) {
                    self.reader = (!error.is_too_large()).then_some(Reader::Broken);
                }
            }
            Some(Reader::Sse { decoder, chat }) => {
                return decoder.push_passing_over(chunk, |block| {
                    let class = block.event().map_or(EventClass::Content, |event| match protocol.dialect() {
                        Some(Dialect::OpenAiResponses) => responses::observe(facts, &event),
                        Some(Dialect::Anthropic) => anthropic::observe(facts, &event),
                        None if has_no_end_mark(*protocol) => media::observe(facts, *protocol, &event),
                        // `/v1/completions` streams chunks of the same shape.
                        _ => chat::observe(facts, chat, &event),
                    });
                    seen(block, if block.is_piece { EventClass::Content } else { class });
                });
            }
        }
        chunk.len()
    }

    /// The dialect of the stream.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Bytes of an event that is not complete.
    pub(crate) fn pending(&self) -> &[u8] {
        match &self.reader {
            Some(Reader::Sse { decoder, .. }) => decoder.pending(),
            Some(Reader::Events(_) | Reader::Told | Reader::Broken) | None => &[],
        }
    }

    /// The bytes so far end within an event that is too large to be held back.
    pub(crate) fn is_passing_over(&self) -> bool {
        match &self.reader {
            Some(Reader::Sse { decoder, .. }) => decoder.is_passing_over(),
            Some(Reader::Events(_) | Reader::Told | Reader::Broken) | None => false,
        }
    }

    /// Where an event of our own would have to join on to what was observed.
    pub(crate) fn seam(&self) -> Seam {
        match &self.reader {
            Some(Reader::Sse { decoder, .. }) => Seam::behind_events(decoder),
            Some(Reader::Events(events)) => events.seam(),
            Some(Reader::Broken) => Seam::Torn,
            Some(Reader::Told) | None => Seam::Event { before: "" },
        }
    }

    /// Judges the stream as if its bytes ended here. A stream that is not decoded, or could not be followed because
    /// a frame was too large, is taken for complete: nothing speaks against it.
    pub fn end(&self) -> StreamEnd {
        match &self.facts.error {
            Some(message) => StreamEnd::InStreamError(message.clone()),
            None if self.saw_terminator() || self.may_end() => StreamEnd::Complete,
            None => StreamEnd::Cut,
        }
    }

    /// Nothing speaks against an end here, though no end marker has come.
    fn may_end(&self) -> bool {
        match &self.reader {
            None => true,
            Some(Reader::Sse { decoder, chat }) => {
                !decoder.is_passing_over() && (chat.all_finished() || has_no_end_mark(self.protocol))
            }
            Some(Reader::Events(events)) => events.may_end(),
            Some(Reader::Told | Reader::Broken) => false,
        }
    }

    /// `true` while the stream's events are being read.
    pub fn is_following(&self) -> bool {
        !matches!(self.reader, None | Some(Reader::Broken))
    }

    /// The token counts reported so far.
    pub fn usage(&self) -> Option<Usage> {
        self.facts.usage
    }

    /// The provider's own usage object; of several reports, later positive numbers win.
    pub fn raw_usage(&self) -> Option<Map<String, Value>> {
        let mut reports = self.facts.raw_usage.iter().flatten();
        let mut merged: Map<String, Value> = serde_json::from_slice(reports.next()?).ok()?;
        for report in reports {
            for (key, value) in serde_json::from_slice::<Map<String, Value>>(report).unwrap_or_default() {
                let erases = value.as_f64().is_some_and(|number| number <= 0.0) || value.is_null();
                if !erases || !merged.contains_key(&key) {
                    merged.insert(key, value);
                }
            }
        }
        Some(merged)
    }

    /// The model that the provider says has answered.
    pub fn model(&self) -> Option<&str> {
        self.facts.model.as_deref()
    }

    /// Why the model stopped, in the provider's words.
    pub fn finish_reason(&self) -> Option<&str> {
        self.facts.finish_reason.as_deref()
    }

    /// The model has called a tool.
    pub fn has_tool_calls(&self) -> bool {
        self.facts.has_tool_calls
    }

    /// Something that the model produced has arrived: text, reasoning, a refusal or a tool call.
    pub fn saw_first_token(&self) -> bool {
        self.facts.saw_first_token
    }

    /// The dialect's end marker has arrived, and the event that is one is whole.
    pub fn saw_terminator(&self) -> bool {
        self.facts.finished && !self.is_passing_over()
    }

    /// The provider has reported an error inside the stream.
    pub fn saw_error(&self) -> bool {
        self.facts.error.is_some()
    }

    /// Bytes of answer text so far, kept or not.
    pub fn text_bytes(&self) -> u64 {
        self.facts.text.bytes
    }

    /// The answer's text as far as it was kept; see [`StreamObserver::keep_text`].
    pub fn text(&self) -> &str {
        &self.facts.text.kept
    }
}
