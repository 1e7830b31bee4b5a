//! Answer bodies: whole, or a stream of events that leaves on schedule and meets its scripted faults on the way.
//!
//! Invariant: the [`Visit`] in a body is completed exactly when the last byte that was meant to leave has been handed
//! to hyper; a body dropped before that is a client that left.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::directives::{Directives, Pace, Place};
use crate::journal::Visit;
use crate::text::{CLOCK, Chance};

/// One event of a stream, in its final bytes.
#[derive(Debug)]
pub(crate) struct Event {
    pub bytes: Bytes,
    pub kind: Kind,
}

/// What an event is to the schedule and to the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Carries a token, and so is paced.
    Token,
    /// Leaves right after the one before.
    Frame,
    /// The dialect's mark of a good end.
    Terminator,
}

pub(crate) type Events = Box<dyn Iterator<Item = Event> + Send>;

/// The body breaks off here; hyper closes the connection without a proper end.
#[derive(Debug, thiserror::Error)]
#[error("cut as scripted")]
pub(crate) struct Cut;

pub(crate) enum Reply {
    Whole { bytes: Bytes, visit: Visit },
    Stream(Box<Delivery>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole { bytes, visit } => {
                visit.complete();
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream(delivery) => delivery.poll_chunk(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole { bytes, .. } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Sends a stream's events.
pub(crate) struct Delivery {
    events: Events,
    pace: Pace,
    /// When the request arrived; token times count from here.
    start: Instant,
    chance: Chance,
    faults: Faults,
    tokens: u32,
    sent: u32,
    /// A token that is not due yet.
    held: Option<Event>,
    /// What `chunk-bytes` left over of an event.
    rest: Bytes,
    sleep: Option<Pin<Box<Sleep>>>,
    yielding: bool,
    flushed_before_cut: bool,
    ended: bool,
    visit: Visit,
}

/// The directives that concern a stream's bytes.
struct Faults {
    cut: Option<u32>,
    hang: Option<u32>,
    malformed: Option<u32>,
    error_event: Option<(u32, Bytes)>,
    no_done: bool,
    clock: bool,
    chunk_bytes: Option<usize>,
    flush: bool,
    comments: bool,
    crlf: bool,
}

impl Delivery {
    /// `error_event` is what the dialect sends when something fails in the middle of a stream.
    pub fn new(events: Events, error_event: Bytes, directives: &Directives, schedule: Schedule, visit: Visit) -> Self {
        let faults = Faults {
            cut: directives.cut.map(Place::event),
            hang: directives.hang,
            malformed: directives.malformed.map(Place::event),
            error_event: directives.error_event.map(|at| (at, error_event)),
            no_done: directives.no_done,
            clock: directives.clock,
            chunk_bytes: directives.chunk_bytes,
            flush: directives.flush || directives.chunk_bytes.is_some(),
            comments: directives.comments,
            crlf: directives.crlf,
        };
        Self {
            events,
            pace: schedule.pace,
            start: schedule.start,
            chance: Chance(schedule.seed),
            faults,
            tokens: 0,
            sent: 0,
            held: None,
            rest: Bytes::new(),
            sleep: None,
            yielding: false,
            flushed_before_cut: false,
            ended: false,
            visit,
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if std::mem::take(&mut self.yielding) {
            // Pending makes hyper flush what it has before it asks for more.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.next_piece())));
        }
        if self.faults.hang.is_some_and(|after| self.sent >= after) {
            return Poll::Pending;
        }
        if self.faults.cut.is_some_and(|after| self.sent >= after) {
            self.visit.complete();
            if !std::mem::replace(&mut self.flushed_before_cut, true) {
                // hyper drops what it has not flushed when a body fails; the peer is to see
                // all that came before the cut.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(Cut)));
        }
        match std::task::ready!(self.poll_event(cx)) {
            None => {
                self.visit.complete();
                Poll::Ready(None)
            }
            Some(event) => {
                self.sent += 1;
                self.visit.event();
                self.rest = self.faults.distort(event.bytes, self.sent);
                self.ended |= self.faults.error_event.as_ref().is_some_and(|(at, _)| *at == self.sent);
                Poll::Ready(Some(Ok(self.next_piece())))
            }
        }
    }

    /// The next event that is to leave, when it is due.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let event = match self.held.take() {
            Some(event) => Some(event),
            None => {
                let next = self.events.next().filter(|event| !(self.faults.no_done && event.kind == Kind::Terminator));
                if next.as_ref().is_some_and(|event| event.kind == Kind::Token) {
                    self.schedule_token();
                }
                next
            }
        };
        if let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                self.held = event;
                return Poll::Pending;
            }
            self.sleep = None;
        }
        Poll::Ready(event)
    }

    fn schedule_token(&mut self) {
        if !self.pace.is_immediate() {
            let due = self.start + self.pace.due(self.tokens, self.chance.share());
            if due > Instant::now() {
                self.sleep = Some(Box::pin(sleep_until(due)));
            }
        }
        self.tokens += 1;
    }

    fn next_piece(&mut self) -> Bytes {
        self.yielding = self.faults.flush;
        match self.faults.chunk_bytes {
            Some(size) if size < self.rest.len() => self.rest.split_to(size),
            _ => std::mem::take(&mut self.rest),
        }
    }
}

/// When the events of a stream leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub pace: Pace,
    pub start: Instant,
    /// For the jitter.
    pub seed: u64,
}

impl Faults {
    /// What event `number` looks like on the wire.
    fn distort(&self, bytes: Bytes, number: u32) -> Bytes {
        let mut bytes = match &self.error_event {
            Some((at, error)) if *at == number => error.clone(),
            _ => bytes,
        };
        if self.clock {
            bytes = set_clock(&bytes);
        }
        if self.malformed == Some(number) {
            bytes = break_json(&bytes);
        }
        if self.comments {
            bytes = [b": tidegate simulator\n\n", &bytes[..]].concat().into();
        }
        if self.crlf {
            // A line feed inside JSON is escaped, so each of these ends a line.
            bytes = bytes.split_inclusive(|&byte| byte == b'\n').fold(Vec::new(), with_crlf).into();
        }
        bytes
    }
}

/// Puts the present time where an event has a [`CLOCK`].
fn set_clock(bytes: &Bytes) -> Bytes {
    let Some(at) = bytes.windows(CLOCK.len()).position(|window| window == CLOCK.as_bytes()) else {
        return bytes.clone();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut out = bytes.to_vec();
    out[at + 1..at + CLOCK.len()].copy_from_slice(format!("{now:019}").as_bytes());
    out.into()
}

fn with_crlf(mut out: Vec<u8>, line: &[u8]) -> Vec<u8> {
    match line.strip_suffix(b"\n") {
        Some(line) => {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        None => out.extend_from_slice(line),
    }
    out
}

/// The first two thirds of an event or a document: JSON that ends too early.
pub(crate) fn break_json(bytes: &Bytes) -> Bytes {
    let end = bytes.strip_suffix(b"\n\n").unwrap_or(bytes);
    let ending: &[u8] = if end.len() == bytes.len() { b"" } else { b"\n\n" };
    [&end[..end.len() * 2 / 3], ending].concat().into()
}
