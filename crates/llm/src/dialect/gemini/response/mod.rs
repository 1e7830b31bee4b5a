//! Whole answers: [`read`] and [`write`]. Streams are made of the same candidates and parts.

mod candidate;
mod read;
mod write;

pub(super) use candidate::{Candidate, visible_text};
pub(super) use read::read;
pub(super) use write::{Proof, write, write_part, write_reasoning, write_text};
