//! Counting without sockets in `counting`, probing over real ones in `probing`.

mod counting;
mod probing;

use config::resource::HealthChecks;
use serde_json::{Value, json};

use super::{CheckedNode, Counters};

/// `checks` as they come out of the configuration; absent parts have their defaults.
fn checks(value: Value) -> HealthChecks {
    serde_json::from_value(value).expect("valid checks")
}

/// Active probes that never run, and passive checks with small limits.
fn passive_checks() -> HealthChecks {
    checks(json!({
        "active": {},
        "passive": {
            "healthy": {"http_statuses": [200, 201], "successes": 2},
            "unhealthy": {"http_statuses": [500, 503], "http_failures": 3, "tcp_failures": 2, "timeouts": 1},
        },
    }))
}

fn nodes(ports: &[u16]) -> Vec<CheckedNode> {
    ports.iter().map(|port| CheckedNode { host: "127.0.0.1".to_owned(), port: *port }).collect()
}

/// Success, HTTP, TCP and timeout failures.
fn counters(counts: [u8; 4]) -> Counters {
    let [success, http_failure, tcp_failure, timeout_failure] = counts;
    Counters { success, http_failure, tcp_failure, timeout_failure }
}
