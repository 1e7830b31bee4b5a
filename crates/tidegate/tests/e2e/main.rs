//! The real binary, end to end. One test program, so that the binary's crates are linked once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod check;
mod examples;
mod first_start;
mod process;
