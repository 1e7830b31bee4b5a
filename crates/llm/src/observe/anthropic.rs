//! Anthropic Messages events. The input count comes with the first event, the cumulative output count near the end.

use super::{EventClass, Facts};
use crate::json::Raw;
use crate::protocol::Protocol;
use crate::sse::SseEvent;

pub(super) fn observe(facts: &mut Facts, event: &SseEvent<'_>) -> EventClass {
    if let Some(data) = Raw::new(&event.data).filter(|data| data.is_object()) {
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
        b"content_block_delta" => {
            if let Some(delta) = data.get("delta") {
                block_delta(facts, delta);
            }
        }
        b"message_start" => {
            if let Some(message) = data.get("message") {
                message.get("model").into_iter().for_each(|model| facts.set_model(model));
                add_usage(facts, message);
            }
        }
        b"content_block_start" => {
            let block = data.at(&["content_block", "type"]).and_then(Raw::quoted);
            if block == Some(b"tool_use".as_slice()) {
                facts.has_tool_calls = true;
                facts.saw_first_token = true;
            }
        }
        b"message_delta" => {
            if let Some(reason) = data.at(&["delta", "stop_reason"]).and_then(Raw::text) {
                facts.set_finish_reason(&reason);
            }
            add_usage(facts, data);
        }
        b"message_stop" => facts.finished = true,
        b"error" => facts.set_error(data.get("error").unwrap_or(data)),
        _ => {}
    }
}

fn block_delta(facts: &mut Facts, delta: Raw<'_>) {
    for (key, value) in delta.members() {
        match key {
            b"text" => {
                facts.add_text(value);
            }
            b"thinking" | b"partial_json" => {
                facts.saw_first_token |= value.quoted().is_some_and(|text| !text.is_empty());
            }
            _ => {}
        }
    }
}

fn add_usage(facts: &mut Facts, holder: Raw<'_>) {
    if let Some(usage) = holder.get("usage").filter(|usage| usage.is_object()) {
        facts.add_usage(Protocol::AnthropicMessages, usage);
    }
}
