//! Why an answer ended, in Gemini's words and in the model's.

use crate::dialect::Origin;
use std::borrow::Cow;

use crate::json::{Kind, ObjectWriter, Raw};
use crate::model::{Stop, StopReason};

/// Vertex's numbers of finish reasons, for clients that ask for enumerations as numbers.
const NUMBERED: [&str; 17] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
];

/// The word for an answer that ended well.
pub(super) const END: &str = "STOP";

/// Words and what they mean, the one to be written for a reason before its others.
const WORDS: [(&str, StopReason); 21] = [
    (END, StopReason::End),
    ("MAX_TOKENS", StopReason::Length),
    ("SAFETY", StopReason::ContentFilter),
    ("RECITATION", StopReason::ContentFilter),
    ("BLOCKLIST", StopReason::ContentFilter),
    ("PROHIBITED_CONTENT", StopReason::ContentFilter),
    ("SPII", StopReason::ContentFilter),
    ("MODEL_ARMOR", StopReason::ContentFilter),
    ("IMAGE_SAFETY", StopReason::ContentFilter),
    ("IMAGE_PROHIBITED_CONTENT", StopReason::ContentFilter),
    ("IMAGE_RECITATION", StopReason::ContentFilter),
    ("MALFORMED_FUNCTION_CALL", StopReason::Malformed),
    ("UNEXPECTED_TOOL_CALL", StopReason::Malformed),
    ("TOO_MANY_TOOL_CALLS", StopReason::Malformed),
    ("MALFORMED_RESPONSE", StopReason::Malformed),
    ("MISSING_THOUGHT_SIGNATURE", StopReason::Malformed),
    ("OTHER", StopReason::Other),
    ("LANGUAGE", StopReason::Other),
    ("NO_IMAGE", StopReason::Other),
    ("IMAGE_OTHER", StopReason::Other),
    ("FINISH_REASON_UNSPECIFIED", StopReason::Other),
];

fn meaning(word: &str) -> Option<StopReason> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, reason)| *reason)
}

/// What `finishReason` says of an answer; its word for tool calls is `STOP` as well.
pub(super) fn read(reason: Raw<'_>, has_calls: bool) -> Option<Stop<'_>> {
    let native = native(reason)?;
    let word = match reason.kind {
        Kind::Number => NUMBERED.get(usize::try_from(reason.count()?).ok()?).copied().unwrap_or_default(),
        _ => native.as_ref(),
    };
    let reason = match meaning(word).unwrap_or(StopReason::Other) {
        StopReason::End if has_calls => StopReason::ToolCalls,
        reason => reason,
    };
    Some(Stop { reason, native, sequence: None })
}

/// What `promptFeedback` says, if it says that the prompt was blocked.
pub(super) fn read_block(feedback: Raw<'_>) -> Option<Stop<'_>> {
    let native = native(feedback.get("blockReason")?)?;
    Some(Stop { reason: StopReason::ContentFilter, native, sequence: None })
}

/// A word, or a number in its digits.
fn native(reason: Raw<'_>) -> Option<Cow<'_, str>> {
    match reason.kind {
        Kind::Number => Some(String::from_utf8_lossy(reason.bytes)),
        _ => reason.text(),
    }
}

/// Writes `finishReason`; a number if it was read as one.
pub(super) fn write(candidate: &mut ObjectWriter<'_>, stop: &Stop<'_>, origin: Origin) {
    let is_own = origin == Origin::Own && !stop.native.is_empty();
    match is_own {
        true if stop.native.bytes().all(|digit| digit.is_ascii_digit()) => {
            candidate.raw("finishReason", stop.native.as_bytes());
        }
        true => candidate.string("finishReason", &stop.native),
        false => candidate.string("finishReason", word(stop)),
    }
}

/// Gemini's word for a stop: its own if that is one of Gemini's and means the same.
pub(super) fn word(stop: &Stop<'_>) -> &'static str {
    let reason = match stop.reason {
        StopReason::StopSequence | StopReason::ToolCalls => StopReason::End,
        StopReason::ContextFull => StopReason::Length,
        StopReason::Refusal => StopReason::ContentFilter,
        StopReason::Pause => StopReason::Other,
        reason @ (StopReason::End
        | StopReason::Length
        | StopReason::ContentFilter
        | StopReason::Malformed
        | StopReason::Failed
        | StopReason::Other) => reason,
    };
    let mut fitting = WORDS.iter().filter(|(_, meant)| *meant == reason).map(|(word, _)| *word);
    let usual = match (stop.reason, stop.native.as_ref()) {
        (StopReason::Malformed, "malformed_tool_use") => "MALFORMED_FUNCTION_CALL",
        // What fails elsewhere has mostly nothing to do with calls.
        (StopReason::Malformed | StopReason::Failed, _) => "OTHER",
        _ => fitting.clone().next().unwrap_or(END),
    };
    fitting.find(|word| *word == stop.native).unwrap_or(usual)
}
