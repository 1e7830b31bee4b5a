//! The real binary in a folder of its own, and what tests need around it: a provider to stand behind it, clients to
//! stand before it, and waiting for conditions in place of sleeping.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gateway;
mod http;
mod ports;
mod wait;

pub use gateway::{ADMIN_KEY, Ended, Gateway, Launch, run_in, start_in};
pub use http::{Connection, Reply, Request, get, post};
pub use ports::free_port;
pub use wait::wait_until;

/// A provider that is not there, on a free port; it stops when dropped.
pub fn simulator() -> simulator::Running {
    simulator::spawn(simulator::Options::embedded()).unwrap()
}
