//! What arrived lately and how it ended, for tests to ask about at `/__simulator/requests`.
//!
//! Each request holds one [`Visit`]. A visit that is dropped before it was told that the answer is complete counts as
//! aborted: that is how a client that leaves is noticed, because hyper drops the answer as soon as the peer is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::request::Parts;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

const SHOWN_BODY_BYTES: usize = 64 * 1024;

/// Counts all requests and keeps the last few.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    keep: usize,
    recent: Mutex<VecDeque<Arc<Entry>>>,
    received: AtomicU64,
    completed: AtomicU64,
    aborted: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    at_unix_ms: u128,
    head: Arc<Parts>,
    body: Bytes,
    status: AtomicU32,
    events: AtomicU32,
    end: AtomicU8,
}

const OPEN: u8 = 0;
const COMPLETED: u8 = 1;
const ABORTED: u8 = 2;

impl Journal {
    pub fn new(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Notes a request that arrived.
    pub fn enter(self: &Arc<Self>, head: &Arc<Parts>, body: &Bytes) -> Visit {
        let number = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = (self.keep > 0).then(|| {
            let entry = Arc::new(Entry {
                number,
                at_unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
                head: Arc::clone(head),
                body: body.slice(..body.len().min(SHOWN_BODY_BYTES)),
                status: AtomicU32::new(0),
                events: AtomicU32::new(0),
                end: AtomicU8::new(OPEN),
            });
            let mut recent = self.recent.lock();
            let oldest = if recent.len() >= self.keep { recent.pop_front() } else { None };
            recent.push_back(Arc::clone(&entry));
            drop(recent);
            drop(oldest); // Its headers are freed outside of the lock.
            entry
        });
        Visit { journal: Some(Arc::clone(self)), entry, completed: false }
    }

    pub fn reset(&self) {
        self.recent.lock().clear();
        for count in [&self.received, &self.completed, &self.aborted] {
            count.store(0, Ordering::Relaxed);
        }
    }

    pub fn to_json(&self) -> Value {
        let requests: Vec<Value> = self.recent.lock().iter().map(|entry| entry.to_json()).collect();
        json!({
            "received": self.received.load(Ordering::Relaxed),
            "completed": self.completed.load(Ordering::Relaxed),
            "aborted": self.aborted.load(Ordering::Relaxed),
            "requests": requests,
        })
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        let end = match self.end.load(Ordering::Relaxed) {
            COMPLETED => "completed",
            ABORTED => "aborted",
            _ => "open",
        };
        json!({
            "number": self.number,
            "at_unix_ms": u64::try_from(self.at_unix_ms).unwrap_or(u64::MAX),
            "method": self.head.method.as_str(),
            "uri": self.head.uri.to_string(),
            "version": format!("{:?}", self.head.version),
            "headers": headers_json(&self.head.headers),
            "body": String::from_utf8_lossy(&self.body),
            "status": self.status.load(Ordering::Relaxed),
            "events": self.events.load(Ordering::Relaxed),
            "end": end,
        })
    }
}

/// Headers by name; a name that came several times has its values joined by a comma and a space.
pub(crate) fn headers_json(headers: &http::HeaderMap) -> Value {
    let mut map = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        match map.get_mut(name.as_str()) {
            Some(Value::String(joined)) => {
                joined.push_str(", ");
                joined.push_str(&value);
            }
            _ => drop(map.insert(name.as_str().to_owned(), Value::String(value.into_owned()))),
        }
    }
    Value::Object(map)
}

/// One request's place in the journal, from arrival to the last byte.
#[derive(Debug)]
pub(crate) struct Visit {
    journal: Option<Arc<Journal>>,
    entry: Option<Arc<Entry>>,
    completed: bool,
}

impl Visit {
    /// A request that leaves no trace.
    pub fn unseen() -> Self {
        Self { journal: None, entry: None, completed: false }
    }

    pub fn status(&self, status: http::StatusCode) {
        if let Some(entry) = &self.entry {
            entry.status.store(status.as_u16().into(), Ordering::Relaxed);
        }
    }

    pub fn event(&self) {
        if let Some(entry) = &self.entry {
            entry.events.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The answer has gone out as it was meant to, which may have been a cut.
    pub fn complete(&mut self) {
        self.completed = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some(journal) = &self.journal else { return };
        let (count, end) = if self.completed { (&journal.completed, COMPLETED) } else { (&journal.aborted, ABORTED) };
        count.fetch_add(1, Ordering::Relaxed);
        if let Some(entry) = &self.entry {
            entry.end.store(end, Ordering::Relaxed);
        }
    }
}
