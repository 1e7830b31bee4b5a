//! The dialects: how each reads a request, writes an answer whole or streamed, and words an error.

pub(crate) mod chat;
pub(crate) mod embedding_form;
pub(crate) mod embeddings;
pub(crate) mod messages;
pub(crate) mod modelled;
pub(crate) mod models;
pub(crate) mod moderations;
pub(crate) mod refusal;
pub(crate) mod rerank;
pub(crate) mod responses;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

pub(crate) use self::refusal::Refusal;
use crate::answer::{Answer, Finish, Prompt, Step};
use crate::body::{Event, Events, Kind};
use crate::directives::Directives;
use crate::service::EVENT_STREAM;

/// The dialects of conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Chat,
    Responses,
    Messages,
    /// One that this crate has no words of its own for.
    Modelled(llm::ClientDialect),
}

/// Everything that a dialect needs to write an answer.
#[derive(Debug)]
pub(crate) struct Turn {
    pub prompt: Prompt,
    pub answer: Arc<Answer>,
    /// Distinguishes this answer from the others of this process; ids are made from it.
    pub serial: u64,
    pub unix_seconds: u64,
    pub tells_usage: bool,
}

impl Turn {
    pub fn new(prompt: Prompt, directives: &Directives, seed: u64, serial: u64) -> Self {
        let answer = Arc::new(Answer::new(&prompt, directives, seed));
        let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { prompt, answer, serial, unix_seconds, tells_usage: !directives.no_usage }
    }

    /// `prefix` and this turn's serial number in 24 digits, the length that providers use.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:024x}", self.serial)
    }

    /// The id of call `index` of a choice.
    pub fn call_id(&self, prefix: &str, choice: usize, index: usize) -> String {
        format!("{prefix}{:016x}{choice:04x}{index:04x}", self.serial)
    }
}

impl Dialect {
    /// Reads the request to `path`.
    pub fn read(self, path: &str, body: &Bytes) -> Result<Prompt, Refusal> {
        match self {
            Self::Chat => chat::read(body),
            Self::Responses => responses::read(body),
            Self::Messages => messages::read(body),
            Self::Modelled(dialect) => modelled::read(dialect, path, body),
        }
    }

    pub fn whole(self, turn: &Turn) -> Bytes {
        match self {
            Self::Chat => chat::whole(turn),
            Self::Responses => responses::whole(turn),
            Self::Messages => messages::whole(turn),
            Self::Modelled(dialect) => modelled::whole(dialect, turn),
        }
    }

    /// What stands beside a whole answer.
    pub fn headers(self, turn: &Turn) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Chat | Self::Responses | Self::Messages => Vec::new(),
            Self::Modelled(dialect) => modelled::headers(dialect, turn),
        }
    }

    /// What stands beside a streamed answer.
    pub fn stream_headers(self) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Chat | Self::Responses | Self::Messages => Vec::new(),
            Self::Modelled(dialect) => modelled::stream_headers(dialect),
        }
    }

    pub fn events(self, turn: Turn) -> Events {
        match self {
            Self::Chat => stream(Arc::clone(&turn.answer), chat::Writer::new(turn)),
            Self::Responses => stream(Arc::clone(&turn.answer), responses::Writer::new(turn)),
            Self::Messages => stream(Arc::clone(&turn.answer), messages::Writer::new(turn)),
            Self::Modelled(dialect) => stream(Arc::clone(&turn.answer), modelled::Writer::new(dialect, turn)),
        }
    }

    /// The content type of a streamed answer.
    pub fn stream_type(self) -> HeaderValue {
        match self {
            Self::Modelled(
                llm::ClientDialect::Shared(llm::Dialect::BedrockConverse) | llm::ClientDialect::BedrockInvoke(_),
            ) => HeaderValue::from_static("application/vnd.amazon.eventstream"),
            Self::Chat | Self::Responses | Self::Messages | Self::Modelled(_) => EVENT_STREAM,
        }
    }

    /// What is sent when something fails after a stream has begun.
    pub fn error_event(self) -> Bytes {
        match self {
            Self::Chat => chat::error_event(),
            Self::Responses => responses::error_event(),
            Self::Messages => messages::error_event(),
            Self::Modelled(dialect) => modelled::error_event(dialect),
        }
    }
}

/// Writes a streamed answer in one dialect.
trait StreamWriter: Send {
    fn open(&mut self, out: &mut Queue);
    fn step(&mut self, step: &Step, out: &mut Queue);
    fn close(&mut self, out: &mut Queue);
}

/// Events that are written but not sent.
#[derive(Default)]
struct Queue(VecDeque<Event>);

impl Queue {
    fn frame(&mut self, bytes: impl Into<Bytes>) {
        self.push(bytes, Kind::Frame);
    }

    fn token(&mut self, bytes: impl Into<Bytes>) {
        self.push(bytes, Kind::Token);
    }

    fn terminator(&mut self, bytes: impl Into<Bytes>) {
        self.push(bytes, Kind::Terminator);
    }

    fn push(&mut self, bytes: impl Into<Bytes>, kind: Kind) {
        self.0.push_back(Event { bytes: bytes.into(), kind });
    }
}

/// Writes events only as they are asked for: a slow stream holds its answer, not its bytes.
fn stream(answer: Arc<Answer>, mut writer: impl StreamWriter + 'static) -> Events {
    let mut steps = answer.steps();
    let mut queue = Queue::default();
    let mut closed = false;
    writer.open(&mut queue);
    Box::new(std::iter::from_fn(move || {
        while queue.0.is_empty() && !closed {
            match steps.next() {
                Some(step) => writer.step(&step, &mut queue),
                None => {
                    writer.close(&mut queue);
                    closed = true;
                }
            }
        }
        queue.0.pop_front()
    }))
}

impl Finish {
    /// In the dialect's words for stop, length and tool calls.
    fn word<'a>(&'a self, stop: &'a str, length: &'a str, tool_calls: &'a str) -> &'a str {
        match self {
            Self::Stop => stop,
            Self::Length => length,
            Self::ToolCalls => tool_calls,
            Self::Scripted(word) => word,
        }
    }
}
