//! Requests: `POST /model/{id}/converse` and `/converse-stream`.

mod read;
mod tools;
mod turns;
mod write;

pub(super) use read::read;
pub(super) use write::write;
