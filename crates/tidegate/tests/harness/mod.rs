//! The real binary in a folder of its own, and what tests need around it: a provider to stand behind it, clients to
//! stand before it, and waiting for conditions in place of sleeping.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod gateway;
mod http;
mod ports;
mod upstream;
mod wait;

pub use certificates::{Authority, Pair};
pub use gateway::{ADMIN_KEY, Ended, Gateway, Launch, run_in, start_in};
pub use http::{Connection, Reply, Request, get, post};
pub use ports::free_port;
pub use upstream::{Seen, Upstream, answer, ok, read_head, read_request};
pub use wait::wait_until;

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A provider that is not there, on a free port; it stops when dropped.
pub fn simulator() -> simulator::Running {
    simulator::spawn(simulator::Options::embedded()).unwrap()
}

/// A route for everything under `uri` to one address.
pub fn route(uri: &str, to: SocketAddr) -> Value {
    json!({"uri": uri, "upstream": upstream(to)})
}

/// An upstream of one address.
pub fn upstream(to: SocketAddr) -> Value {
    json!({"type": "roundrobin", "nodes": {to.to_string(): 1}})
}

/// `ai-proxy` to a provider at `to`.
pub fn ai_proxy(to: SocketAddr) -> Value {
    json!({
        "provider": "openai-compatible",
        "auth": {"header": {"Authorization": "Bearer sk-test"}},
        "override": {"endpoint": format!("http://{to}/v1/chat/completions")},
    })
}
