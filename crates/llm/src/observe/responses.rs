//! OpenAI Responses events. Most events need no reading: their name tells that they carry nothing to keep.

use super::{EventClass, Facts};
use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

pub(super) fn observe(facts: &mut Facts, event: &SseEvent<'_>) -> EventClass {
    if let Some(data) = Raw::new(&event.data).filter(|data| data.is_object()) {
        // OpenRouter leaves out the `event:` lines.
        let kind = match event.name {
            b"" => data.get("type").and_then(Raw::quoted).unwrap_or_default(),
            name => name,
        };
        read(facts, kind, data);
    }
    EventClass::Content
}

fn read(facts: &mut Facts, kind: &[u8], data: Raw<'_>) {
    match kind {
        b"response.output_text.delta" => {
            if let Some(delta) = data.get("delta") {
                facts.add_text(delta);
            }
        }
        b"response.created" => {
            if let Some(model) = data.at(&["response", "model"]) {
                facts.set_model(model);
            }
        }
        b"response.completed" | b"response.incomplete" => {
            facts.finished = true;
            if let Some(response) = data.get("response") {
                close(facts, response);
            }
        }
        b"response.failed" => {
            let response = data.get("response");
            if let Some(response) = response {
                close(facts, response);
            }
            let error = response.and_then(|response| response.get("error")).filter(|error| error.kind != Kind::Null);
            facts.set_error(error.unwrap_or(data));
        }
        b"error" => facts.set_error(data.get("error").filter(|error| error.is_object()).unwrap_or(data)),
        // Arguments, reasoning, refusals and audio: the model is producing, and that is all we keep.
        name if !facts.saw_first_token && name.ends_with(b".delta") => {
            facts.saw_first_token = data.get("delta").and_then(Raw::quoted).is_some_and(|delta| !delta.is_empty());
        }
        _ => {}
    }
}

/// Reads the whole response object that a final event carries.
fn close(facts: &mut Facts, response: Raw<'_>) {
    for (key, value) in response.members() {
        match key {
            b"usage" if value.is_object() => facts.add_usage(Protocol::OpenAiResponses, value),
            b"model" => facts.set_model(value),
            b"status" => {
                if let Some(status) = value.text() {
                    facts.set_finish_reason(&status);
                }
            }
            b"output" => facts.has_tool_calls |= has_function_call(value),
            _ => {}
        }
    }
    if let Some(reason) = response.at(&["incomplete_details", "reason"]).and_then(Raw::text) {
        facts.set_finish_reason(&reason);
    }
}

/// `true` if an output list has an item of type `function_call`.
pub(crate) fn has_function_call(output: Raw<'_>) -> bool {
    output.elements().any(|item| item.get("type").and_then(Raw::quoted) == Some(b"function_call".as_slice()))
}
