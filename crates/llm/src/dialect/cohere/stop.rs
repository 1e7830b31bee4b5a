//! Finish reasons.

use crate::model::{Stop, StopReason, Text};

/// Reads a finish reason.
pub(super) fn read(native: Text<'_>) -> Stop<'_> {
    Stop { reason: meaning(&native), native, sequence: None }
}

fn meaning(native: &str) -> StopReason {
    match native {
        "COMPLETE" => StopReason::End,
        "STOP_SEQUENCE" => StopReason::StopSequence,
        "MAX_TOKENS" => StopReason::Length,
        "ERROR_LIMIT" => StopReason::ContextFull,
        "TOOL_CALL" => StopReason::ToolCalls,
        "ERROR_TOXIC" => StopReason::ContentFilter,
        "ERROR" | "TIMEOUT" => StopReason::Failed,
        _ => StopReason::Other,
    }
}

/// The word for `stop`: the provider's own if it is one of this dialect.
pub(super) fn word<'s>(stop: &'s Stop<'_>) -> &'s str {
    if stop.reason != StopReason::Other && meaning(&stop.native) == stop.reason {
        return &stop.native;
    }
    match stop.reason {
        StopReason::StopSequence => "STOP_SEQUENCE",
        StopReason::Length | StopReason::ContextFull => "MAX_TOKENS",
        StopReason::ToolCalls => "TOOL_CALL",
        StopReason::ContentFilter | StopReason::Refusal => "ERROR_TOXIC",
        StopReason::Malformed | StopReason::Failed => "ERROR",
        StopReason::End | StopReason::Pause | StopReason::Other => "COMPLETE",
    }
}
