//! The state machine of one node, packed into one atomic word.
//!
//! A success resets all failure counters, a failure resets the success counter; kinds of failures count separately.
//! Nothing is counted that could not change anything: no successes of a healthy node, no failures of an unhealthy
//! one.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What is known about a node. Names as in APISIX's Control API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Where every node begins.
    Healthy,
    /// Healthy, with failures below every limit.
    MostlyHealthy,
    /// Unhealthy, with successes below the limit.
    MostlyUnhealthy,
    Unhealthy,
}

/// Counted since the last outcome of the opposite sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    pub success: u8,
    pub http_failure: u8,
    pub tcp_failure: u8,
    pub timeout_failure: u8,
}

/// What a rule makes of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Success,
    HttpFailure,
    TcpFailure,
    TimeoutFailure,
}

/// Shared by everyone who reports about the node or asks for it.
#[derive(Debug)]
pub(super) struct NodeState(AtomicU64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub status: Status,
    pub counters: Counters,
}

impl Status {
    /// Whether the node gets traffic.
    pub fn is_fit(self) -> bool {
        matches!(self, Self::Healthy | Self::MostlyHealthy)
    }
}

impl NodeState {
    pub(super) fn is_fit(&self) -> bool {
        self.snapshot().status.is_fit()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::unpack(self.0.load(Ordering::Relaxed))
    }

    /// Counts `event` against `limit` (0 switches its counter off). Gives the status before and after if it changed.
    pub(super) fn record(&self, event: Event, limit: u8) -> Option<(Status, Status)> {
        if limit == 0 {
            return None;
        }
        let change = |packed| Snapshot::unpack(packed).after(event, limit).map(Snapshot::pack);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok()?;
        let before = Snapshot::unpack(before);
        let after = before.after(event, limit)?.status;
        (before.status != after).then_some((before.status, after))
    }
}

impl Default for NodeState {
    fn default() -> Self {
        Self(AtomicU64::new(Snapshot { status: Status::Healthy, counters: Counters::default() }.pack()))
    }
}

impl Snapshot {
    /// `None` when the event says nothing new.
    fn after(self, event: Event, limit: u8) -> Option<Self> {
        let Self { status, mut counters } = self;
        let goal = if event == Event::Success { Status::Healthy } else { Status::Unhealthy };
        if status == goal {
            return None;
        }
        let counter = match event {
            Event::Success => {
                counters = Counters { success: counters.success, ..Counters::default() };
                &mut counters.success
            }
            Event::HttpFailure => &mut counters.http_failure,
            Event::TcpFailure => &mut counters.tcp_failure,
            Event::TimeoutFailure => &mut counters.timeout_failure,
        };
        *counter = counter.saturating_add(1);
        let reached = *counter >= limit;
        if event != Event::Success {
            counters.success = 0;
        }
        let status = match status {
            _ if reached => goal,
            Status::Healthy => Status::MostlyHealthy,
            Status::Unhealthy => Status::MostlyUnhealthy,
            between => between,
        };
        Some(Self { status, counters })
    }

    fn pack(self) -> u64 {
        let Counters { success, http_failure, tcp_failure, timeout_failure } = self.counters;
        u64::from_le_bytes([self.status as u8, success, http_failure, tcp_failure, timeout_failure, 0, 0, 0])
    }

    fn unpack(packed: u64) -> Self {
        let [status, success, http_failure, tcp_failure, timeout_failure, ..] = packed.to_le_bytes();
        let status = match status {
            0 => Status::Healthy,
            1 => Status::MostlyHealthy,
            2 => Status::MostlyUnhealthy,
            _ => Status::Unhealthy,
        };
        Self { status, counters: Counters { success, http_failure, tcp_failure, timeout_failure } }
    }
}
