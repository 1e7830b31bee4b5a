//! Requests: `POST /v1/messages`.

mod read;
mod thinking;
mod tools;
mod turns;
mod write;

pub(super) use read::read;
pub(in crate::dialect) use thinking::{Plan, Thinking};
pub(super) use write::write;
