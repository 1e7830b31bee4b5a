//! Requests through a data plane in this process.

mod changes;
mod fixture;
