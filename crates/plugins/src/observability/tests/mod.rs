//! Requests come to their end here, and what the plugins say about them is read.

mod cost;
mod exposition;
mod logging;
mod metrics;
