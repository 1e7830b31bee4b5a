//! Anthropic Messages events. The input count comes with the first event, the cumulative output count near the end.

use super::{EventClass, Facts, event_kind};
use crate::json::{Cursor, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

pub(super) fn observe(facts: &mut Facts, event: &SseEvent<'_>) -> EventClass {
    if event.name == b"content_block_delta" {
        // One walk, for this is nearly every event. Malformed text ends it early and tells nothing.
        let _ = block_delta(facts, event.data.trim_ascii());
    } else if let Some(data) = Raw::new(&event.data).and_then(Raw::object) {
        read(facts, event_kind(event, data), data);
    }
    EventClass::Content
}

fn read(facts: &mut Facts, kind: &[u8], data: Raw<'_>) {
    match kind {
        b"content_block_delta" => drop(block_delta(facts, data.bytes)),
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

fn block_delta(facts: &mut Facts, data: &[u8]) -> Option<()> {
    Cursor::new(data).each_member(|key, value| match key {
        b"delta" => value.each_member(|key, value| {
            let value = value.take()?;
            match key {
                b"text" => facts.add_text(value),
                b"thinking" | b"partial_json" => {
                    facts.saw_first_token |= value.quoted().is_some_and(|text| !text.is_empty());
                }
                _ => {}
            }
            Some(())
        }),
        _ => value.take().map(|_| ()),
    })
}

fn add_usage(facts: &mut Facts, holder: Raw<'_>) {
    if let Some(usage) = holder.get("usage").and_then(Raw::object) {
        facts.add_usage(Protocol::AnthropicMessages, usage);
    }
}
