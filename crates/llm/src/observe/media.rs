//! Streams of pictures, spoken text and recordings that are written down: events whose last tells usage, and that have
//! no one mark by which every provider ends them.

use super::{EventClass, Facts};
use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::sse::SseEvent;

pub(super) fn observe(facts: &mut Facts, protocol: Protocol, event: &SseEvent<'_>) -> EventClass {
    let Some(data) = Raw::new(event.data.as_ref().trim_ascii()) else { return EventClass::Content };
    if let Some(usage) = data.get("usage").and_then(Raw::object) {
        facts.add_usage(protocol, usage);
    }
    match data.get("error").filter(|error| error.kind != Kind::Null) {
        Some(error) => facts.set_error(error),
        None if event.name == b"error" => facts.set_error(data),
        None => {}
    }
    EventClass::Content
}
