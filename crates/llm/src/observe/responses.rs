//! OpenAI Responses events. Most events need no reading: their name tells that they carry nothing to keep.

use super::{EventClass, Facts, event_kind};
use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

pub(super) fn observe(facts: &mut Facts, event: &SseEvent<'_>) -> EventClass {
    if let Some(data) = Raw::new(&event.data).and_then(Raw::object) {
        read(facts, event_kind(event, data), data);
    }
    EventClass::Content
}

fn read(facts: &mut Facts, kind: &[u8], data: Raw<'_>) {
    match kind {
        b"response.output_text.delta" => data.first("delta").into_iter().for_each(|delta| facts.add_text(delta)),
        b"response.created" => {
            let model = data.at(&["response", "model"]);
            model.into_iter().for_each(|model| facts.set_model(model));
        }
        b"response.completed" | b"response.incomplete" => {
            facts.finished = true;
            data.get("response").into_iter().for_each(|response| close(facts, response));
        }
        b"response.failed" => {
            let response = data.get("response");
            response.into_iter().for_each(|response| close(facts, response));
            let error = response.and_then(|response| response.get("error"));
            facts.set_error(error.filter(|error| error.kind != Kind::Null).unwrap_or(data));
        }
        b"error" => facts.set_error(data.get("error").and_then(Raw::object).unwrap_or(data)),
        // Arguments, reasoning, refusals and audio: the model is producing, and that is all we keep.
        name if !facts.saw_first_token && name.ends_with(b".delta") => {
            let delta = data.get("delta").and_then(Raw::quoted);
            facts.saw_first_token = delta.is_some_and(|delta| !delta.is_empty());
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
            b"status" => value.text().into_iter().for_each(|status| facts.set_finish_reason(&status)),
            b"output" => facts.has_tool_calls |= has_function_call(value),
            _ => {}
        }
    }
    if let Some(reason) = response.at(&["incomplete_details", "reason"]).and_then(Raw::text) {
        facts.set_finish_reason(&reason);
    }
}

/// `true` if an output list has an item of type `function_call`.
fn has_function_call(output: Raw<'_>) -> bool {
    output.elements().any(|item| item.get("type").and_then(Raw::quoted) == Some(b"function_call".as_slice()))
}
