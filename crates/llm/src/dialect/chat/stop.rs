//! Finish reasons.
//!
//! Invariant: a word read here is written again; words of other dialects become one of OpenAI's.

use crate::json::Raw;
use crate::model::{Stop, StopReason, Text};

/// Reads a choice's `finish_reason`, and the stop sequence that vLLM tells beside it. `None` while there is none: an
/// absent key, `null`, `""` and `"null"` all mean "not yet".
pub(super) fn read<'a>(reason: Option<Raw<'a>>, sequence: Option<Raw<'a>>) -> Option<Stop<'a>> {
    let native = reason?.text().filter(|native| !matches!(native.as_ref(), "" | "null"))?;
    let reason = meaning(&native);
    // A number there is the identifier of a token.
    let sequence: Option<Text<'a>> = sequence.and_then(Raw::text).filter(|_| reason == StopReason::End);
    let reason = if sequence.is_some() { StopReason::StopSequence } else { reason };
    Some(Stop { reason, native, sequence })
}

fn meaning(native: &str) -> StopReason {
    match native {
        // `eos` is Together's.
        "stop" | "eos" => StopReason::End,
        "length" => StopReason::Length,
        // Mistral.
        "model_length" => StopReason::ContextFull,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        // `sensitive` is Zhipu's.
        "content_filter" | "sensitive" => StopReason::ContentFilter,
        // Mistral and OpenRouter; Zhipu; DeepSeek.
        "error" | "network_error" | "insufficient_system_resource" => StopReason::Failed,
        _ => StopReason::Other,
    }
}

/// The word for `stop`: the provider's own if it is one of this dialect.
pub(in crate::dialect) fn word<'s>(stop: &'s Stop<'_>) -> &'s str {
    match meaning(&stop.native) {
        StopReason::Other => {}
        known if known == stop.reason => return &stop.native,
        StopReason::End if stop.reason == StopReason::StopSequence => return &stop.native,
        _ => {}
    }
    match stop.reason {
        StopReason::Length | StopReason::ContextFull => "length",
        StopReason::ToolCalls => "tool_calls",
        StopReason::ContentFilter | StopReason::Refusal => "content_filter",
        // OpenAI has no word for the last four; SDKs know only its five.
        StopReason::End
        | StopReason::StopSequence
        | StopReason::Pause
        | StopReason::Malformed
        | StopReason::Failed
        | StopReason::Other => "stop",
    }
}
