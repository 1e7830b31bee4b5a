//! The Admin, Control, metrics and status listeners over real sockets, with a store in memory and a small
//! catalog of plugins.

#![allow(clippy::unwrap_used)]

mod catalog;
mod clients;
mod concurrency;
mod control;
mod describing;
mod envelopes;
mod front;
mod http2;
mod listing;
mod patching;
mod references;
mod secrets;
mod server;
mod tls;
mod validating;
mod writing;
