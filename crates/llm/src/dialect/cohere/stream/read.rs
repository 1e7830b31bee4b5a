//! The reader: Cohere's events to the model's. An event is known by the `type` in its data.

use super::super::message::{read_call, read_function};
use super::super::{citation, stop, usage};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::read_error;
use crate::json::Raw;
use crate::model::{Event, PartBody, StreamStart};

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    has_ended: bool,
}

/// The only choice there is.
const CHOICE: u32 = 0;

type Tell<'t> = &'t mut dyn FnMut(Event<'_>);

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: Tell<'_>) {
        let data = frame.data.trim_ascii();
        if data == b"[DONE]" {
            return tell(Event::End);
        }
        let Some(event) = Raw::checked(data).and_then(Raw::object) else { return };
        let (mut kind, mut delta, mut index, mut id): (&[u8], _, _, _) = (b"", None, 0, None);
        for (key, value) in event.members() {
            match key {
                b"type" => kind = value.quoted().unwrap_or_default(),
                b"delta" => delta = Some(value),
                b"index" => index = value.count().and_then(|index| index.try_into().ok()).unwrap_or(0),
                b"id" => id = value.text(),
                _ => {}
            }
        }
        let message = delta.and_then(|delta| delta.get("message"));
        match kind {
            b"message-start" => {
                tell(Event::Start(StreamStart { id: id.unwrap_or_default(), ..StreamStart::default() }))
            }
            b"content-start" | b"content-delta" => read_content(message, tell),
            b"content-end" => tell(Event::PartEnd { choice: CHOICE }),
            b"tool-plan-delta" => {
                if let Some(text) = message.and_then(|message| message.get("tool_plan")?.text()) {
                    tell(Event::Text { choice: CHOICE, text });
                }
            }
            b"tool-call-start" | b"tool-call-delta" => read_tool_call(kind, index, message, tell),
            b"citation-start" => {
                if let Some(raw) = message.and_then(|message| message.get("citations")) {
                    tell(Event::Citation { choice: CHOICE, citation: Box::new(citation::read(raw)) });
                }
            }
            b"message-end" => self.read_end(delta, data, tell),
            b"" => tell(Event::Error(read_error(Dialect::Cohere, 0, None, data))),
            _ => {}
        }
    }

    fn may_end(&self) -> bool {
        self.has_ended
    }
}

impl Reader {
    fn read_end(&mut self, delta: Option<Raw<'_>>, data: &[u8], tell: Tell<'_>) {
        let mut failed = false;
        for (key, value) in delta.into_iter().flat_map(Raw::members) {
            match key {
                b"finish_reason" => {
                    if let Some(native) = value.text() {
                        tell(Event::Stop { choice: CHOICE, stop: stop::read(native) });
                    }
                }
                b"usage" if value.is_object() => tell(Event::Usage(usage::read(value))),
                b"error" => failed = !value.is_null(),
                _ => {}
            }
        }
        self.has_ended = !failed;
        if failed {
            let error = delta.map_or(data, |delta| delta.bytes);
            tell(Event::Error(read_error(Dialect::Cohere, 0, None, error)));
        }
    }
}

fn read_content(message: Option<Raw<'_>>, tell: Tell<'_>) {
    let content = message.and_then(|message| message.get("content"));
    for (key, value) in content.into_iter().flat_map(Raw::members) {
        let Some(text) = value.text().filter(|text| !text.is_empty()) else { continue };
        match key {
            b"text" => tell(Event::Text { choice: CHOICE, text }),
            b"thinking" => tell(Event::Reasoning { choice: CHOICE, text, is_summary: false }),
            _ => {}
        }
    }
}

fn read_tool_call(kind: &[u8], index: u32, message: Option<Raw<'_>>, tell: Tell<'_>) {
    let Some(raw) = message.and_then(|message| message.get("tool_calls")) else { return };
    if kind == b"tool-call-start"
        && let PartBody::ToolCall(call) = read_call(raw).body
    {
        tell(Event::ToolCall { choice: CHOICE, call: index, id: call.id, name: call.name, signature: None });
    }
    let arguments = raw.get("function").map(|function| read_function(function).1).unwrap_or_default();
    if !arguments.is_empty() {
        tell(Event::Arguments { choice: CHOICE, call: index, json: arguments });
    }
}
