//! The data plane: listeners, workers, routing, plan, pipeline, upstreams, balancing, health, attempts.
//! It knows no plugin by name; the `plugins` crate registers them.

mod admission;
pub mod answer;
pub mod balance;
mod client_body;
mod connection;
pub mod content_coding;
pub mod credential;
pub mod data_plane;
pub mod delivery;
pub mod error_response;
pub mod exchange;
mod forwarded;
pub mod health;
pub mod inference;
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
mod timed_io;
pub mod tls;
pub mod transport;
pub mod variables;
mod websocket;
pub mod worker;
