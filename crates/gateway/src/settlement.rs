//! The settlement: how a request ended and what it used, reported exactly once. [`settle`] runs when the
//! [`Exchange`] is dropped, and nothing else runs log phases or reports what a request used and how it
//! ended. What is under way is counted from its beginning, by guards that the exchange holds; failed
//! attempts are logged when they fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::exchange::Exchange;
use crate::plan::caught::caught;
use crate::plan::chain::Scope;
use crate::transport::Peer;

/// nginx's status for a client that left before it got a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Still under way; what a request that panicked or was dropped early ends as.
    #[default]
    Aborted,
    /// The whole response went to the client.
    Complete,
    /// The client left before the response was through.
    ClientGone,
    /// The upstream broke off in the middle of its response.
    UpstreamCut,
    /// The provider told of an error inside its stream, which went to the client as it was.
    ProviderError,
    /// The gateway broke off, for the response had become too long or taken too long.
    LimitExceeded,
    /// The gateway closed a tunnel in which nobody said anything.
    Idle,
}

impl Outcome {
    /// As logs and usage records name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Aborted => "aborted",
            Outcome::Complete => "complete",
            Outcome::ClientGone => "client_gone",
            Outcome::UpstreamCut => "upstream_cut",
            Outcome::ProviderError => "provider_error",
            Outcome::LimitExceeded => "limit_exceeded",
            Outcome::Idle => "idle_timeout",
        }
    }
}

/// One try on one upstream node.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// `host:port` as configured.
    pub address: Arc<str>,
    /// The node's host as configured.
    pub host: Arc<str>,
    /// The address that was picked, where the host is a name and a connection has come about.
    pub peer: Option<Arc<Peer>>,
    /// Bytes of the request that had gone out when the answer's head came, if that is known.
    pub sent_bytes: Option<u64>,
    /// Bytes of the answer's head; 0 over HTTP/2, which compresses heads.
    pub head_bytes: u64,
    pub port: u16,
    /// The upstream's status, or the one that stands for the failure (502, 504); 0 until there is one.
    pub status: u16,
    pub connect_time: Option<Duration>,
    /// Until the response head.
    pub header_time: Option<Duration>,
    /// Until the response ended; set by the settlement for the last attempt.
    pub response_time: Option<Duration>,
    pub started: Instant,
}

/// Times, sizes and the way a request ended.
#[derive(Debug)]
pub struct Settlement {
    pub started: Instant,
    pub outcome: Outcome,
    /// Body bytes sent to the client.
    pub body_bytes_sent: u64,
    /// Length of the response's head as HTTP/1.1 writes it.
    pub head_bytes_sent: u64,
    /// Body bytes received from the upstream.
    pub upstream_bytes: u64,
    /// Every attempt, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// When the request was over; set by [`settle`].
    pub ended: Option<Instant>,
}

impl AttemptRecord {
    /// `$upstream_addr`: the address that was called.
    pub fn called_address(&self) -> &str {
        self.peer.as_ref().map_or(&*self.address, |peer| &*peer.address)
    }

    /// `$balancer_ip`, without the port.
    pub fn called_ip(&self) -> &str {
        self.peer.as_ref().map_or(&*self.host, |peer| &*peer.ip)
    }
}

impl Settlement {
    /// A request that begins now.
    pub fn begin() -> Self {
        Self {
            started: Instant::now(),
            outcome: Outcome::Aborted,
            body_bytes_sent: 0,
            head_bytes_sent: 0,
            upstream_bytes: 0,
            attempts: Vec::new(),
            ended: None,
        }
    }

    /// Notes that an attempt begins.
    pub fn begin_attempt(&mut self, attempt: AttemptRecord) {
        // Mostly the only one.
        self.attempts.reserve_exact(1);
        self.attempts.push(attempt);
    }

    /// `$bytes_sent`: head and body, without what frames a body's pieces.
    pub fn bytes_sent(&self) -> u64 {
        self.head_bytes_sent + self.body_bytes_sent
    }

    /// From the first byte of the request until its end, or until now.
    pub fn request_time(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now).saturating_duration_since(self.started)
    }

    /// What the upstream took, over all attempts; `None` if none was called.
    pub fn upstream_time(&self) -> Option<Duration> {
        if self.attempts.is_empty() {
            return None;
        }
        Some(self.attempts.iter().filter_map(|attempt| attempt.response_time).sum())
    }
}

/// Ends `exchange`: fixes its times and runs every log phase. Called once, from the exchange's `Drop`.
pub(crate) fn settle(exchange: &mut Exchange) {
    let now = Instant::now();
    exchange.settlement.ended = Some(now);
    exchange.connection.under_way.update(|count| count - 1);
    if exchange.connection.under_way.get() == 0 {
        exchange.connection.waiting_since.set(Some(now));
    }
    if exchange.response.status == 0 {
        end_without_response(exchange);
    }
    if let Some(passed) = exchange.passed_body.take() {
        exchange.request.length += passed.get();
    }
    if let Some(last) = exchange.settlement.attempts.last_mut() {
        last.response_time.get_or_insert(now.saturating_duration_since(last.started));
    }
    if let Some(call) = exchange.llm.as_mut()
        && let Err(panic) = caught(|| call.settle())
    {
        tracing::error!(panic, "an LLM call could not be settled");
    }
    let plan = exchange.plan.clone();
    plan.global_chain().log(exchange, Scope::Global);
    let chain = exchange.chain.clone();
    chain.log(exchange, Scope::Route);
}

/// How a response ends that nobody takes any more, through no fault of the gateway's or the upstream's.
pub(crate) fn abandoned(exchange: &Exchange) -> Outcome {
    if exchange.connection.cut.get() { Outcome::Aborted } else { Outcome::ClientGone }
}

/// Dropped before its response was made: something panicked, or the client left and took the request along, or the
/// process ends.
fn end_without_response(exchange: &mut Exchange) {
    if std::thread::panicking() {
        exchange.response.status = 500;
    } else {
        exchange.response.status = CLIENT_CLOSED_REQUEST;
        exchange.settlement.outcome = abandoned(exchange);
    }
}
