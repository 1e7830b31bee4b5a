//! Which nodes of an upstream are fit for traffic: counted from probes (active) and from the traffic (passive).
//!
//! One [`Checker`] stands for one resource with `checks`; the [`Registry`] keeps them by resource key, carries a
//! node's state over configuration changes that do not touch the checks, and runs the probes. Invariant: asking
//! [`Checker::is_healthy`] is one atomic load, whatever probes and workers report meanwhile. The balancer asks, the
//! attempt reports, the Control API reads [`Registry::reports`].

mod checker;
mod probe;
mod prober;
mod registry;
mod report;
mod rules;
mod state;

#[cfg(test)]
mod tests;

pub use checker::{CheckedNode, Checker};
pub use prober::{ProbeTls, Prober};
pub use registry::Registry;
pub use report::{CheckerReport, NodeReport};
pub use state::{Counters, Status};

/// How one probe or one attempt ended, as far as health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An HTTP response with this status.
    Status(u16),
    /// The connection came about, and nothing more was wanted (`tcp` probes).
    Connected,
    /// Something answered, but not HTTP.
    Malformed,
    /// Connecting, the TLS handshake, sending or receiving failed.
    TcpFailure,
    Timeout,
}
