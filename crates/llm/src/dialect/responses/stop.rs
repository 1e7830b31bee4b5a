//! Why an answer ended. This dialect tells a status, and for an incomplete one a reason; a tool call is an item and no
//! status.

use crate::model::{PartBody, Stop, StopReason};

/// An answer's status, and why it is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status<'a> {
    pub name: &'a str,
    pub incomplete: Option<&'static str>,
}

/// Whether an answer calls functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Some,
    None,
}

impl Calls {
    /// Whether a call is among `parts`.
    pub(super) fn among<'p, 'a: 'p>(mut parts: impl Iterator<Item = &'p PartBody<'a>>) -> Self {
        match parts.any(|part| matches!(part, PartBody::ToolCall(_))) {
            true => Calls::Some,
            false => Calls::None,
        }
    }
}

/// The meaning of `status`, with `incomplete` the reason that stands beside it.
pub(super) fn read(status: &str, incomplete: Option<&str>, calls: Calls) -> StopReason {
    match (status, incomplete) {
        // Some servers say `complete`.
        ("completed" | "complete", _) => match calls {
            Calls::Some => StopReason::ToolCalls,
            Calls::None => StopReason::End,
        },
        ("incomplete", Some("max_output_tokens" | "max_tokens")) => StopReason::Length,
        ("incomplete", Some("content_filter")) => StopReason::ContentFilter,
        ("failed", _) => StopReason::Failed,
        _ => StopReason::Other,
    }
}

/// The status that says `stop`.
pub(super) fn write(stop: Option<&Stop<'_>>) -> Status<'static> {
    let Some(stop) = stop else { return Status { name: "completed", incomplete: None } };
    match stop.reason {
        StopReason::End | StopReason::StopSequence | StopReason::ToolCalls | StopReason::Pause | StopReason::Other => {
            Status { name: "completed", incomplete: None }
        }
        StopReason::Length | StopReason::ContextFull => {
            Status { name: "incomplete", incomplete: Some("max_output_tokens") }
        }
        StopReason::ContentFilter | StopReason::Refusal => {
            Status { name: "incomplete", incomplete: Some("content_filter") }
        }
        StopReason::Malformed | StopReason::Failed => Status { name: "failed", incomplete: None },
    }
}
