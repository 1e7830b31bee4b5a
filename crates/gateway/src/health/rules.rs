//! What the `checks` of a resource make of an outcome: which counter moves, and towards which limit.

use config::resource::{ActiveCheck, PassiveCheck};

use super::Outcome;
use super::state::Event;

/// The statuses that `checks` may list are 200..=599.
const STATUSES: usize = 600;

/// One side of `checks`, compiled.
#[derive(Debug)]
pub(super) struct Rules {
    healthy_statuses: StatusSet,
    unhealthy_statuses: StatusSet,
    successes: u8,
    http_failures: u8,
    tcp_failures: u8,
    timeouts: u8,
}

/// Membership by one bit per status.
#[derive(Debug)]
struct StatusSet([u64; STATUSES.div_ceil(64)]);

impl Rules {
    pub(super) fn active(check: &ActiveCheck) -> Self {
        Self {
            healthy_statuses: StatusSet::new(&check.healthy.http_statuses),
            unhealthy_statuses: StatusSet::new(&check.unhealthy.http_statuses),
            successes: check.healthy.successes,
            http_failures: check.unhealthy.http_failures,
            tcp_failures: check.unhealthy.tcp_failures,
            timeouts: check.unhealthy.timeouts,
        }
    }

    pub(super) fn passive(check: &PassiveCheck) -> Self {
        Self {
            healthy_statuses: StatusSet::new(&check.healthy.http_statuses),
            unhealthy_statuses: StatusSet::new(&check.unhealthy.http_statuses),
            successes: check.healthy.successes,
            http_failures: check.unhealthy.http_failures,
            tcp_failures: check.unhealthy.tcp_failures,
            timeouts: check.unhealthy.timeouts,
        }
    }

    /// The event and the limit of its counter; `None` for a status in neither list.
    pub(super) fn read(&self, outcome: Outcome) -> Option<(Event, u8)> {
        match outcome {
            Outcome::Status(status) if self.healthy_statuses.has(status) => Some((Event::Success, self.successes)),
            Outcome::Status(status) if self.unhealthy_statuses.has(status) => {
                Some((Event::HttpFailure, self.http_failures))
            }
            Outcome::Status(_) => None,
            Outcome::Connected => Some((Event::Success, self.successes)),
            Outcome::Malformed => Some((Event::HttpFailure, self.http_failures)),
            Outcome::TcpFailure => Some((Event::TcpFailure, self.tcp_failures)),
            Outcome::Timeout => Some((Event::TimeoutFailure, self.timeouts)),
        }
    }
}

impl StatusSet {
    fn new(statuses: &[u16]) -> Self {
        let mut bits = [0; STATUSES.div_ceil(64)];
        for status in statuses.iter().map(|status| usize::from(*status)).filter(|status| *status < STATUSES) {
            bits[status / 64] |= 1 << (status % 64);
        }
        Self(bits)
    }

    fn has(&self, status: u16) -> bool {
        let status = usize::from(status);
        self.0.get(status / 64).is_some_and(|word| word & (1 << (status % 64)) != 0)
    }
}
