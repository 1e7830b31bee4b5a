//! Requests through a data plane in this process.

mod changes;
mod client_certificates;
mod draining;
mod fixture;
