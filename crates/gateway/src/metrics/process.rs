//! What the process counts whether or not a route asks for metrics: connections and requests, under the names that
//! nginx' status page and dashboards made for APISIX know.

use super::handle::{Counter, Gauge, Held};
use super::text;

/// Connections and requests of all workers.
#[derive(Debug)]
pub struct Traffic {
    accepted: Counter,
    active: Gauge,
    requests: Counter,
    in_flight: Gauge,
}

/// What [`Traffic`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficTotals {
    /// Connections that are open.
    pub active: u64,
    /// Connections since the start.
    pub accepted: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Requests that are being served.
    pub in_flight: u64,
}

impl TrafficTotals {
    /// As nginx' stub status page tells them.
    pub fn stub_status(&self) -> String {
        let Self { active, accepted, requests, in_flight } = self;
        let waiting = active.saturating_sub(*in_flight);
        format!(
            "Active connections: {active} \nserver accepts handled requests\n {accepted} {accepted} {requests} \n\
             Reading: 0 Writing: {in_flight} Waiting: {waiting} \n"
        )
    }
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self { accepted: Counter::new(), active: Gauge::new(), requests: Counter::new(), in_flight: Gauge::new() }
    }

    /// A client has connected; keep the guard as long as it is.
    pub fn connection(&self) -> Held {
        self.accepted.inc();
        self.active.hold()
    }

    /// A request has arrived; keep the guard until it is over.
    pub fn request(&self) -> Held {
        self.requests.inc();
        self.in_flight.hold()
    }

    /// All totals at this moment.
    pub fn totals(&self) -> TrafficTotals {
        let present = |gauge: &Gauge| gauge.get().max(0) as u64;
        TrafficTotals {
            active: present(&self.active),
            accepted: self.accepted.get(),
            requests: self.requests.get(),
            in_flight: present(&self.in_flight),
        }
    }

    pub(super) fn render(&self, out: &mut String, prefix: &str) {
        let totals = self.totals();
        let name = format!("{prefix}http_requests_total");
        text::head(out, &name, "The total number of client requests since APISIX started", "gauge");
        text::sample(out, &name, "", totals.requests);
        let name = format!("{prefix}nginx_http_current_connections");
        text::head(out, &name, "Number of HTTP connections", "gauge");
        let states = [
            ("accepted", totals.accepted),
            ("active", totals.active),
            ("handled", totals.accepted),
            // A request is counted when its head is complete: there is no time in which one is only read.
            ("reading", 0),
            ("waiting", totals.active.saturating_sub(totals.in_flight)),
            ("writing", totals.in_flight),
        ];
        for (state, count) in states {
            text::sample(out, &name, &text::labels([("state", state)].into_iter()), count);
        }
    }
}
