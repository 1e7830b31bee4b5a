//! The real binary, end to end. One test program, so that the binary's crates are linked once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod bad_input;
mod balancing;
mod check;
mod dynamic;
mod early_answers;
mod examples;
mod first_start;
mod forwarding;
mod http2;
mod no_answer;
mod plugin_list;
mod plugins;
mod process;
mod smuggling;
mod streaming;
mod tls;
