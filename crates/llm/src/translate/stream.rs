//! A streamed answer, translated while it arrives.
//!
//! Invariant: each event leaves in the call in which its last byte came; the client's stream has exactly one end, and
//! a stream that breaks off has none. The data plane pushes every chunk of the provider's bytes through one
//! [`StreamTranslator`].

use std::fmt;

use crate::dialect::{ClientDialect, EventReader, EventWriter, Frame, ProviderDialect, Reply};
use crate::errors::ApiError;
use crate::framing::{Deframer, FrameError};
use crate::json::Raw;
use crate::model::{Event, StreamStart, TokenCounts};

use super::names::Renames;
use super::{call_id, filtered, fit_event, name, places_citations};

/// Translates one stream.
pub struct StreamTranslator {
    deframer: Deframer,
    reader: Box<dyn EventReader>,
    /// Events that could not be decoded.
    skipped: u64,
    output: Output,
}

/// How a translated stream stands when the provider's bytes end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranslatedEnd {
    Complete,
    /// The provider said so; it has been told to the client.
    Failed(String),
    /// The provider's stream stopped before its end.
    Cut,
}

impl StreamTranslator {
    /// From `provider`'s stream to `client`'s.
    pub fn new(
        provider: impl Into<ProviderDialect>,
        client: impl Into<ClientDialect>,
        reply: Reply,
        renames: Renames,
    ) -> Self {
        let (provider, client) = (provider.into(), client.into());
        let reply = Reply { id: name(&reply.id).into(), model: name(&reply.model).into(), ..reply };
        Self {
            deframer: Deframer::new(provider.codec().framing),
            reader: provider.stream_reader(),
            skipped: 0,
            output: Output {
                writer: client.stream_writer(reply.clone()),
                reply,
                renames,
                foreign: client.is_foreign_to(provider),
                places_citations: client.is_foreign_to(provider) && places_citations(client),
                filter_is_an_end: filtered::is_an_end(provider, client),
                started: false,
                state: State::Open,
                calls: 0,
                counts: TokenCounts::default(),
            },
        }
    }

    /// Takes in the next bytes of the provider and appends what the client is to get now. `observe` sees every
    /// event on the way.
    ///
    /// # Errors
    /// If the bytes are no stream of the provider's dialect.
    pub fn push(
        &mut self,
        chunk: &[u8],
        out: &mut Vec<u8>,
        observe: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), FrameError> {
        let Self { deframer, reader, output, skipped } = self;
        deframer.push(chunk, |frame| match is_broken(frame.data) {
            true => *skipped += 1,
            false => output.retell(frame, reader.as_mut(), out, observe),
        })
    }

    /// Takes what the end of the provider's bytes completes, as [`push`](Self::push) does. To be called before
    /// [`end`](Self::end).
    pub fn push_last(&mut self, out: &mut Vec<u8>, observe: &mut dyn FnMut(&Event<'_>)) {
        let Self { deframer, reader, output, skipped } = self;
        deframer.end(|frame| match is_broken(frame.data) {
            true => *skipped += 1,
            false => output.retell(frame, reader.as_mut(), out, observe),
        });
    }

    /// How many events so far could not be decoded. They are passed over, for the rest of the answer may be whole.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Appends what tells the client that the stream is broken. No end follows it.
    pub fn fail(&mut self, error: &ApiError<'_>, out: &mut Vec<u8>) {
        if matches!(self.output.state, State::Open) {
            self.output.take(Event::Error(error.clone()), out);
        }
    }

    /// Takes the end of the provider's bytes and appends what is left to say, if they ended well.
    pub fn end(&mut self, out: &mut Vec<u8>) -> TranslatedEnd {
        if matches!(self.output.state, State::Open) && self.deframer.may_end() && self.reader.may_end() {
            self.output.finish(out);
        }
        match &self.output.state {
            State::Finished => TranslatedEnd::Complete,
            State::Failed(message) => TranslatedEnd::Failed(message.clone()),
            State::Open => TranslatedEnd::Cut,
        }
    }
}

impl fmt::Debug for StreamTranslator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StreamTranslator").field("deframer", &self.deframer).finish_non_exhaustive()
    }
}

/// `true` for what begins as an object and is none.
fn is_broken(data: &[u8]) -> bool {
    data.trim_ascii_start().starts_with(b"{") && Raw::checked(data).is_none()
}

/// The client's side.
struct Output {
    writer: Box<dyn EventWriter>,
    reply: Reply,
    renames: Renames,
    foreign: bool,
    /// Citations without a place are not told.
    places_citations: bool,
    /// See [`filtered`].
    filter_is_an_end: bool,
    started: bool,
    state: State,
    /// Calls told so far.
    calls: usize,
    /// All counts told so far.
    counts: TokenCounts,
}

enum State {
    Open,
    Finished,
    Failed(String),
}

impl Output {
    /// Tells what `reader` finds in `frame`.
    fn retell(
        &mut self,
        frame: Frame<'_>,
        reader: &mut dyn EventReader,
        out: &mut Vec<u8>,
        observe: &mut dyn FnMut(&Event<'_>),
    ) {
        let mut failure = None;
        let mut tell = |event: Event<'_>| {
            // What was given up has no normal end.
            if failure.is_some() && matches!(event, Event::End) {
                return;
            }
            if !matches!(self.state, State::Finished) {
                observe(&event);
            }
            if let Event::Stop { stop, .. } = &event
                && let Some(error) = stop.failure()
            {
                failure.get_or_insert(error);
                return;
            }
            self.take(event, out);
        };
        reader.read(frame, &mut tell);
        // Behind the frame's own error, which says more.
        if let Some(error) = failure.filter(|_| matches!(self.state, State::Open)) {
            let event = Event::Error(error);
            observe(&event);
            self.take(event, out);
        }
    }

    fn take(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if !matches!(self.state, State::Open) {
            return;
        }
        match &event {
            // An end of nothing is no answer.
            Event::End if !self.started => return,
            Event::End => return self.finish(out),
            Event::Error(error) => {
                self.state = State::Failed(error.message.clone().into_owned());
                return self.writer.write(&event, out);
            }
            Event::Start(start) => {
                if std::mem::replace(&mut self.started, true) {
                    return;
                }
                return self.start(start, out);
            }
            Event::Citation { citation, .. } if self.places_citations && citation.is_lost() => return,
            _ if !std::mem::replace(&mut self.started, true) => self.start(&StreamStart::default(), out),
            _ => {}
        }
        let Some(mut event) = fit_event(event, self.foreign, &self.renames) else { return };
        match &mut event {
            Event::ToolCall { id, .. } => {
                if id.is_empty() {
                    *id = call_id(&self.reply.id, self.calls).into();
                }
                self.calls += 1;
            }
            Event::Stop { stop, .. } if self.filter_is_an_end => filtered::end(stop),
            Event::Usage(counts) => {
                self.counts.merge(counts);
                *counts = self.counts.bounded();
            }
            _ => {}
        }
        self.writer.write(&event, out);
    }

    /// Tells the beginning, with what the provider has not told filled in.
    fn start(&mut self, told: &StreamStart<'_>, out: &mut Vec<u8>) {
        let mut start = StreamStart {
            id: name(if told.id.is_empty() { &self.reply.id } else { &told.id }).into(),
            model: Some(name(told.model.as_deref().unwrap_or(&self.reply.model)).into()),
            service_tier: told.service_tier.as_deref().map(|tier| name(tier).into()),
            created: told.created,
        };
        start.created.get_or_insert(self.reply.created);
        self.writer.write(&Event::Start(start), out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.start(&StreamStart::default(), out);
        }
        self.writer.finish(out);
        self.state = State::Finished;
    }
}
