//! Why an answer ended: the table between Anthropic's words and the model's.

use crate::json::Raw;
use crate::model::{Stop, StopReason, Text};

/// Reads `stop_reason`.
pub(super) fn read<'a>(native: Text<'a>, sequence: Option<Raw<'a>>) -> Stop<'a> {
    let reason = match native.as_ref() {
        "end_turn" => StopReason::End,
        "stop_sequence" => StopReason::StopSequence,
        "max_tokens" => StopReason::Length,
        "model_context_window_exceeded" => StopReason::ContextFull,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        _ => StopReason::Other,
    };
    Stop { reason, native, sequence: sequence.and_then(Raw::text) }
}

/// What an answer holds that its stop reason must agree with, for SDKs act on the reason alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub has_calls: bool,
    pub has_refusal: bool,
}

/// The word for `reason`. What Anthropic has no word for is an end as any other.
pub(super) fn word(reason: StopReason, content: Content) -> &'static str {
    match reason {
        StopReason::ToolCalls => "tool_use",
        StopReason::End | StopReason::Other | StopReason::Malformed | StopReason::Failed if content.has_calls => {
            "tool_use"
        }
        StopReason::End if content.has_refusal => "refusal",
        StopReason::End | StopReason::Other | StopReason::Malformed | StopReason::Failed => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ContextFull => "model_context_window_exceeded",
        StopReason::ContentFilter | StopReason::Refusal => "refusal",
        StopReason::Pause => "pause_turn",
    }
}
