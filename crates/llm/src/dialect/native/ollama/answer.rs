//! Answers, whole and streamed: a line of a stream has the form of a whole answer.
//!
//! Invariant: only a line that says `done` ends a stream; an error is a line of its own, after which nothing counts.

use crate::dialect::{Dialect, EventReader, Frame, ReadError};
use crate::errors::read_error;
use crate::json::Raw;
use crate::model::{
    Choice, Event, Part, PartBody, Reasoning, Response, Stop, StopReason, StreamStart, Text, TokenCounts, ToolCall,
};

/// There is one answer to a request.
const CHOICE: u32 = 0;

/// What a line tells.
#[derive(Default)]
struct Line<'a> {
    model: Option<Text<'a>>,
    message: Option<Raw<'a>>,
    is_done: bool,
    reason: Option<Text<'a>>,
    counts: TokenCounts,
    error: Option<Text<'a>>,
}

impl<'a> Line<'a> {
    fn read(raw: Raw<'a>) -> Self {
        let mut line = Self::default();
        for (key, value) in raw.members() {
            match key {
                b"model" => line.model = value.text(),
                b"message" => line.message = value.object(),
                b"done" => line.is_done = value.is_true(),
                b"done_reason" => line.reason = value.text(),
                b"prompt_eval_count" => line.counts.input = value.count().unwrap_or(0),
                b"eval_count" => line.counts.output = value.count().unwrap_or(0),
                b"error" => line.error = Some(value.text().unwrap_or_default()),
                _ => {}
            }
        }
        line
    }

    /// Why the model stopped; that it calls is told by its calls alone.
    fn stop(&self, has_calls: bool) -> Stop<'a> {
        let native = self.reason.clone().unwrap_or_default();
        let reason = match native.as_ref() {
            "stop" | "" if has_calls => StopReason::ToolCalls,
            "stop" | "" => StopReason::End,
            "length" => StopReason::Length,
            _ => StopReason::Other,
        };
        Stop { reason, native, sequence: None }
    }
}

/// What a message says; what is empty is not told.
#[derive(Default)]
struct Said<'a> {
    thinking: Option<Text<'a>>,
    content: Option<Text<'a>>,
    calls: Vec<ToolCall<'a>>,
}

impl<'a> Said<'a> {
    fn read(message: Option<Raw<'a>>) -> Self {
        let mut said = Self::default();
        for (key, value) in message.into_iter().flat_map(Raw::members) {
            match key {
                b"thinking" => said.thinking = value.text().filter(|text| !text.is_empty()),
                b"content" => said.content = value.text().filter(|text| !text.is_empty()),
                b"tool_calls" => said.calls = value.elements().map(read_call).collect(),
                _ => {}
            }
        }
        said
    }
}

fn read_call(raw: Raw<'_>) -> ToolCall<'_> {
    let mut call = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    for (key, value) in raw.members() {
        match key {
            b"id" => call.id = value.text().unwrap_or_default(),
            b"function" => {
                for (key, value) in value.members() {
                    match key {
                        b"name" => call.name = value.text().unwrap_or_default(),
                        // An object; from gateways in between also its text.
                        b"arguments" => {
                            call.arguments = value.text().unwrap_or_else(|| String::from_utf8_lossy(value.bytes));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    call
}

/// Reads a whole answer.
///
/// # Errors
/// If it is an error, or has no message.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let line = Line::read(body);
    if let Some(message) = line.error {
        return Err(ReadError::new(message));
    }
    if line.message.is_none() {
        return Err(ReadError::new("no message in response"));
    }
    let Said { thinking, content, calls } = Said::read(line.message);
    let stop = line.is_done.then(|| line.stop(!calls.is_empty()));
    let thinking = thinking.map(|text| PartBody::Reasoning(Reasoning { text, ..Reasoning::default() }).into());
    let parts = thinking.into_iter().chain(content.map(Part::text));
    let parts = parts.chain(calls.into_iter().map(|call| PartBody::ToolCall(call).into())).collect();
    Ok(Response {
        model: line.model,
        choices: vec![Choice { parts, stop, ..Choice::default() }],
        usage: Some(line.counts),
        ..Response::new(Dialect::OpenAiChat)
    })
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    has_started: bool,
    /// Calls told so far.
    calls: u32,
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(raw) = Raw::checked(frame.data).and_then(Raw::object) else { return };
        let line = Line::read(raw);
        if line.error.is_some() {
            return tell(Event::Error(read_error(Dialect::OpenAiChat, 0, None, frame.data)));
        }
        if !std::mem::replace(&mut self.has_started, true) {
            tell(Event::Start(StreamStart { model: line.model.clone(), ..StreamStart::default() }));
        }
        let Said { thinking, content, calls } = Said::read(line.message);
        if let Some(text) = thinking {
            tell(Event::Reasoning { choice: CHOICE, text, is_summary: false });
        }
        if let Some(text) = content {
            tell(Event::Text { choice: CHOICE, text });
        }
        for ToolCall { id, name, arguments, .. } in calls {
            let call = self.calls;
            self.calls += 1;
            tell(Event::ToolCall { choice: CHOICE, call, id, name, signature: None });
            tell(Event::Arguments { choice: CHOICE, call, json: arguments });
            tell(Event::PartEnd { choice: CHOICE });
        }
        if line.is_done {
            tell(Event::Stop { choice: CHOICE, stop: line.stop(self.calls > 0) });
            tell(Event::Usage(line.counts));
            tell(Event::End);
        }
    }

    fn may_end(&self) -> bool {
        false
    }
}
