//! Streams, event by event: how many come, and how long each was on its way.
//!
//! The backend writes the time of sending into each token (the simulator's `clock`), `@` and 19 digits, and both ends
//! read the same machine's clock. Events without it are counted only.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

use crate::args::Streams;
use crate::latency::{Latencies, Percentiles};
use crate::wire::Connection;

const DIGITS: usize = 19;

#[derive(Debug, Serialize)]
pub struct Result {
    streams: u64,
    events: u64,
    errors: u64,
    seconds: f64,
    per_second: f64,
    delay_us: Percentiles,
}

#[derive(Debug, Default)]
struct Tally {
    streams: u64,
    events: u64,
    errors: u64,
    delays: Latencies,
}

/// Starts connections spread over the first second, so that paced streams do not beat in step.
pub async fn run(args: &Streams) -> io::Result<Result> {
    let start = Instant::now();
    let end = start + args.seconds;
    let mut tasks = Vec::new();
    for index in 0..args.connections {
        let (to, request) = (args.target.to, args.target.request());
        let begin = start + Duration::from_secs(1).mul_f64(index as f64 / args.connections as f64);
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep_until(begin).await;
            let mut tally = Tally::default();
            while Instant::now() < end {
                if tokio::time::timeout_at(end, tally.connection(to, &request, end))
                    .await
                    .is_ok_and(|done| done.is_err())
                {
                    tally.errors += 1;
                }
            }
            tally
        }));
    }
    let mut all = Tally::default();
    for task in tasks {
        let mut its = task.await?;
        all.streams += its.streams;
        all.events += its.events;
        all.errors += its.errors;
        all.delays.append(&mut its.delays);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Result {
        streams: all.streams,
        events: all.events,
        errors: all.errors,
        seconds,
        per_second: all.events as f64 / seconds,
        delay_us: all.delays.percentiles(),
    })
}

impl Tally {
    async fn connection(&mut self, to: std::net::SocketAddr, request: &[u8], end: Instant) -> io::Result<()> {
        let mut connection = Connection::open(to).await?;
        while Instant::now() < end {
            let mut splitter = Splitter::default();
            connection.send(request).await?;
            connection.receive(|piece| splitter.take(piece, self)).await?;
            self.streams += 1;
        }
        Ok(())
    }

    fn event(&mut self, event: &[u8]) {
        self.events += 1;
        if let Some(delay) = delay(event) {
            self.delays.add(delay);
        }
    }
}

/// Cuts a body into events, wherever its pieces end.
#[derive(Debug, Default)]
struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    fn take(&mut self, piece: &[u8], tally: &mut Tally) {
        if self.rest.is_empty() {
            let rest = Self::split(piece, tally);
            self.rest.extend_from_slice(rest);
        } else {
            self.rest.extend_from_slice(piece);
            let left = Self::split(&self.rest, tally).len();
            self.rest.drain(..self.rest.len() - left);
        }
    }

    fn split<'a>(mut bytes: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        while let Some(at) = memchr::memmem::find(bytes, b"\n\n") {
            tally.event(&bytes[..at]);
            bytes = &bytes[at + 2..];
        }
        bytes
    }
}

/// Nanoseconds since the event's token was sent.
fn delay(event: &[u8]) -> Option<u64> {
    let at = memchr::memchr(b'@', event)? + 1;
    let sent: u64 = std::str::from_utf8(event.get(at..at + DIGITS)?).ok()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_nanos();
    u64::try_from(now).ok()?.checked_sub(sent)
}
