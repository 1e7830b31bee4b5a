//! Why an answer ended: the table between Bedrock's words and the model's.

use crate::model::{Stop, StopReason, Text};

/// Reads `stopReason`.
pub(super) fn read(native: Text<'_>) -> Stop<'_> {
    Stop { reason: reason(&native), native, sequence: None }
}

fn reason(native: &str) -> StopReason {
    match native {
        "end_turn" => StopReason::End,
        "stop_sequence" => StopReason::StopSequence,
        "max_tokens" => StopReason::Length,
        "model_context_window_exceeded" => StopReason::ContextFull,
        "tool_use" => StopReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => StopReason::ContentFilter,
        "refusal" => StopReason::Refusal,
        "malformed_model_output" | "malformed_tool_use" => StopReason::Malformed,
        _ => StopReason::Other,
    }
}

/// The word for `stop`: the native one where it is Bedrock's own.
pub(super) fn word<'a>(stop: &'a Stop<'_>) -> &'a str {
    let known = reason(&stop.native);
    // Its SDKs know no refusal, though some of its models tell one.
    if !matches!(known, StopReason::Other | StopReason::Refusal) && known == stop.reason {
        return &stop.native;
    }
    match stop.reason {
        StopReason::End | StopReason::Pause | StopReason::Other => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ContextFull => "model_context_window_exceeded",
        StopReason::ToolCalls => "tool_use",
        StopReason::ContentFilter | StopReason::Refusal => "content_filtered",
        StopReason::Malformed | StopReason::Failed => "malformed_model_output",
    }
}
