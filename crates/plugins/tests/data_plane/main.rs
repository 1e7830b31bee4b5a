//! Plugins as clients meet them: configured in resources, run by a data plane, seen over a socket.

mod answers;
mod auth;
mod fixture;
mod inference;
mod limits;
mod observability;
mod paths;
mod provider;
mod retries;
mod rewriting;
mod security;
mod websocket;
