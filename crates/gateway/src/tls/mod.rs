//! TLS on both sides: what the gateway shows to clients, chosen by SNI, and how it connects to upstreams.

pub mod client;
pub mod server;
