//! The data plane: from an accepted connection to a settled request, over an HTTP upstream or an LLM provider. Begin to
//! read with `pipeline.rs`, the way of a request; then [`exchange`], [`plugin`] and [`plan`]; then `proxy.rs` and
//! [`inference`], the two dispatches.
//!
//! Invariant: nothing of a request leaves its worker's thread, and each request settles once. No plugin is known by
//! name here: the `plugins` crate registers them. The binary starts a [`data_plane::DataPlane`].

mod admission;
pub mod answer;
pub mod balance;
mod called;
mod client_body;
mod connection;
pub mod content_coding;
pub mod credential;
pub mod data_plane;
pub mod delivery;
mod early_bodies;
pub mod error_response;
pub mod exchange;
mod forwarded;
pub mod headers;
pub mod health;
pub mod hop_by_hop;
pub mod inference;
pub mod last_call;
mod lazy_timer;
pub mod listener;
mod local;
pub mod metrics;
mod multipart;
pub mod path;
mod pipeline;
pub mod plan;
pub mod plugin;
mod proxy;
pub mod request_body;
pub mod router;
mod self_wake;
pub mod services;
pub mod settlement;
pub mod side;
mod stalled_stream;
mod stub_status;
mod timed_io;
pub mod tls;
pub mod transport;
pub mod variables;
mod websocket;
pub mod worker;
