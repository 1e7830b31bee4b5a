//! The pages in `docs/`: what they show is held against the code, so that they cannot say what is not so.
//!
//! Tables of attributes, providers, protocols and directives are generated between two comments;
//! `TIDEGATE_UPDATE_DOCS=1` writes them anew, a plain run fails where they are out of date. Every fenced configuration
//! is loaded by the code that loads it in earnest, and every worked example is run against the real binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod attributes;
mod configurations;
mod dialects;
mod generated;
mod pages;
mod shown;
mod worked;
