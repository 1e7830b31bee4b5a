//! Requests: `POST /v1/responses`.

mod read;
mod turns;
mod write;

pub(super) use read::read;
pub(super) use turns::{Thoughts, add_thought, thought_together, write_of_message, write_of_part};
pub(super) use write::write;
