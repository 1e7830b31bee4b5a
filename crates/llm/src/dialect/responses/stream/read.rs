//! Reading streams.
//!
//! Deltas tell the pieces; what is told whole when a part or an item is done fills in for deltas that a server left
//! out. Invariant: nothing is told twice, and a part's end is told where the next begins or its item is done.

use std::collections::HashMap;

use crate::dialect::responses::content::{self, Logprobs};
use crate::dialect::responses::stop::{self, Calls};
use crate::dialect::responses::{item, usage};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::{ApiError, read_error};
use crate::json::{Raw, unescape};
use crate::model::{Event, Extras, PartBody, Stop, StreamStart, Text};

/// Dialects whose streams hold several choices number them; here there is one.
const CHOICE: u32 = 0;

/// Reads a stream.
#[derive(Debug, Default)]
pub(in crate::dialect::responses) struct Reader {
    started: bool,
    /// Calls told so far.
    calls: u32,
    /// Something of the output was told.
    told: bool,
    /// Items that are not done.
    open: HashMap<u64, OpenItem>,
}

/// An item that is being told.
#[derive(Debug)]
struct OpenItem {
    index: u64,
    /// The call's number, if it is one that has been told.
    call: Option<u32>,
    /// The part that deltas have told of, by its index.
    part: u64,
    /// Something of the part was told.
    part_told: bool,
    /// Something of the item was told.
    told: bool,
    /// Citations of the part told so far.
    citations: usize,
}

impl OpenItem {
    fn new(index: u64) -> Self {
        Self { index, call: None, part: 0, part_told: false, told: false, citations: 0 }
    }
}

/// The members of an event that matter.
#[derive(Debug, Default)]
struct Members<'a> {
    kind: Option<&'a [u8]>,
    index: u64,
    part_index: u64,
    item: Option<Raw<'a>>,
    delta: Option<Raw<'a>>,
    /// A whole text: `text`, `refusal` or `arguments`.
    whole: Option<Raw<'a>>,
    logprobs: Option<Raw<'a>>,
    annotation: Option<Raw<'a>>,
    part: Option<Raw<'a>>,
    response: Option<Raw<'a>>,
}

impl<'a> Members<'a> {
    fn of(event: Raw<'a>) -> Self {
        let mut members = Self::default();
        for (key, value) in event.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"type" => members.kind = value.quoted(),
                b"output_index" => members.index = value.count().unwrap_or_default(),
                b"content_index" | b"summary_index" => members.part_index = value.count().unwrap_or_default(),
                b"item" => members.item = Some(value),
                b"delta" => members.delta = Some(value),
                b"text" | b"refusal" | b"arguments" => members.whole = Some(value),
                b"logprobs" => members.logprobs = Some(value),
                b"annotation" => members.annotation = Some(value),
                b"part" => members.part = Some(value),
                b"response" => members.response = Some(value),
                _ => {}
            }
        }
        members
    }

    /// The piece of a delta, or the whole of a part that no delta has told of.
    fn piece(&self, part_told: bool) -> Option<Text<'a>> {
        let whole = self.whole.filter(|_| !part_told);
        self.delta.or(whole).and_then(Raw::text).filter(|text| !text.is_empty())
    }
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(event) = Raw::checked(frame.data).and_then(Raw::object) else { return };
        let members = Members::of(event);
        match members.kind.unwrap_or(frame.name) {
            b"response.created" | b"response.queued" | b"response.in_progress" => self.start(members.response, tell),
            b"response.output_item.added" => self.add_item(&members, tell),
            b"response.output_text.delta" | b"response.output_text.done" => self.text(&members, tell),
            b"response.refusal.delta" | b"response.refusal.done" => {
                let Some(text) = self.piece(&members, tell) else { return };
                tell(Event::Refusal { choice: CHOICE, text });
            }
            b"response.reasoning_summary_text.delta" | b"response.reasoning_summary_text.done" => {
                let Some(text) = self.piece(&members, tell) else { return };
                tell(Event::Reasoning { choice: CHOICE, text, is_summary: true });
            }
            b"response.reasoning_text.delta" | b"response.reasoning_text.done" => {
                let Some(text) = self.piece(&members, tell) else { return };
                tell(Event::Reasoning { choice: CHOICE, text, is_summary: false });
            }
            b"response.function_call_arguments.delta" | b"response.function_call_arguments.done" => {
                self.arguments(&members, tell);
            }
            b"response.output_text.annotation.added" => {
                if let Some(annotation) = members.annotation {
                    self.item(members.index).citations += 1;
                    cite(annotation, tell);
                }
            }
            b"response.content_part.done" => self.end_content(&members, tell),
            b"response.output_item.done" => self.end_item(&members, tell),
            b"response.completed" | b"response.incomplete" | b"response.failed" => {
                members.response.into_iter().for_each(|response| self.end(response, tell));
            }
            b"error" => tell(Event::Error(fault(event))),
            _ => {}
        }
    }

    fn may_end(&self) -> bool {
        false
    }
}

impl Reader {
    fn start(&mut self, response: Option<Raw<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(response) = response.filter(|_| !self.started) else { return };
        self.started = true;
        let mut start = StreamStart::default();
        for (key, value) in response.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"id" => start.id = value.text().unwrap_or_default(),
                b"model" => start.model = value.text(),
                b"created_at" => start.created = value.count(),
                b"service_tier" => start.service_tier = value.text(),
                _ => {}
            }
        }
        tell(Event::Start(start));
    }

    /// The open item at `index` of the output.
    fn item(&mut self, index: u64) -> &mut OpenItem {
        self.open.entry(index).or_insert_with(|| OpenItem::new(index))
    }

    /// What there is to tell of a part now; ends the part before if it is another.
    fn piece<'a>(&mut self, members: &Members<'a>, tell: &mut dyn FnMut(Event<'_>)) -> Option<Text<'a>> {
        let item = self.item(members.index);
        if item.part != members.part_index {
            if item.part_told {
                tell(Event::PartEnd { choice: CHOICE });
            }
            item.part = members.part_index;
            item.part_told = false;
            item.citations = 0;
        }
        let piece = members.piece(item.part_told)?;
        item.part_told = true;
        item.told = true;
        self.told = true;
        Some(piece)
    }

    fn text(&mut self, members: &Members<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let was_told = self.item(members.index).part_told;
        if let Some(text) = self.piece(members, tell) {
            tell(Event::Text { choice: CHOICE, text });
        }
        let news = members.logprobs.filter(|_| members.delta.is_some() || !was_told);
        let mut logprobs = Logprobs::default();
        news.into_iter().for_each(|array| logprobs.add(array));
        if let Some(logprobs) = logprobs.into_object() {
            tell(Event::Logprobs { choice: CHOICE, logprobs });
        }
    }

    /// A call begins at once; all others begin with their first piece.
    fn add_item(&mut self, members: &Members<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(item) = members.item else { return };
        self.item(members.index);
        if item.first("type").and_then(Raw::quoted) == Some(b"function_call") {
            self.begin_call(members.index, item, tell);
        }
    }

    fn begin_call(&mut self, index: u64, call: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) -> u32 {
        let number = self.calls;
        self.calls += 1;
        self.told = true;
        self.item(index).call = Some(number);
        let (mut id, mut name) = (Text::default(), Text::default());
        for (key, value) in call.members() {
            match key {
                b"call_id" => id = value.text().unwrap_or_default(),
                b"name" => name = value.text().unwrap_or_default(),
                _ => {}
            }
        }
        tell(Event::ToolCall { choice: CHOICE, call: number, id, name, signature: None });
        number
    }

    fn arguments(&mut self, members: &Members<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let item = self.item(members.index);
        let Some(call) = item.call else { return };
        let Some(json) = members.piece(item.told) else { return };
        item.told = true;
        tell(Event::Arguments { choice: CHOICE, call, json });
    }

    /// Some servers tell annotations only with the whole part.
    fn end_content(&mut self, members: &Members<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let told = self.item(members.index).citations;
        let annotations = members.part.and_then(|part| part.first("annotations"));
        let news = annotations.into_iter().flat_map(Raw::elements).skip(told);
        let item = self.item(members.index);
        for annotation in news {
            item.citations += 1;
            cite(annotation, tell);
        }
    }

    fn end_item(&mut self, members: &Members<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(raw) = members.item else { return };
        let open = self.open.remove(&members.index).unwrap_or_else(|| OpenItem::new(members.index));
        match raw.first("type").and_then(Raw::quoted) {
            Some(b"function_call") => self.end_call(&open, raw, tell),
            Some(b"reasoning") => end_reasoning(&open, raw, tell),
            Some(b"message") if open.told => tell(Event::PartEnd { choice: CHOICE }),
            _ => tell_whole(raw, tell),
        }
        self.told = true;
    }

    fn end_call(&mut self, open: &OpenItem, raw: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let call = open.call.unwrap_or_else(|| self.begin_call(open.index, raw, tell));
        let whole = raw.first("arguments").filter(|_| !open.told).and_then(Raw::text);
        if let Some(json) = whole.filter(|json| !json.is_empty()) {
            tell(Event::Arguments { choice: CHOICE, call, json });
        }
        self.open.remove(&open.index);
        tell(Event::PartEnd { choice: CHOICE });
    }

    /// Tells items that were begun and never done, or all if none was told.
    fn fill_in(&mut self, output: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let told = self.told;
        for (index, item) in (0..).zip(output.elements()) {
            let waits = |open: &OpenItem| !open.told && open.call.is_none();
            if !told || self.open.get(&index).is_some_and(waits) {
                self.end_item(&Members { index, item: Some(item), ..Members::default() }, tell);
            }
        }
    }

    /// The last event holds the whole answer.
    fn end(&mut self, response: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        self.start(Some(response), tell);
        let (mut status, mut incomplete, mut error) = (None, None, None);
        let mut counts = None;
        for (key, value) in response.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"status" => status = value.quoted().map(unescape),
                b"incomplete_details" => incomplete = value.first("reason").and_then(Raw::text),
                b"error" => error = Some(fault(value)),
                b"usage" => counts = Some(usage::read(value, &mut Extras::default())),
                b"output" => self.fill_in(value, tell),
                _ => {}
            }
        }
        if let Some(counts) = counts {
            tell(Event::Usage(counts));
        }
        let native = status.unwrap_or_default();
        if let Some(error) = error.filter(|_| native == "failed") {
            return tell(Event::Error(error));
        }
        let calls = if self.calls > 0 { Calls::Some } else { Calls::None };
        let reason = stop::read(&native, incomplete.as_deref(), calls);
        tell(Event::Stop { choice: CHOICE, stop: Stop { reason, native, sequence: None } });
        tell(Event::End);
    }
}

fn fault(error: Raw<'_>) -> ApiError<'_> {
    read_error(Dialect::OpenAiResponses, 0, None, error.bytes)
}

fn cite(annotation: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let citation = Box::new(content::read_annotation(annotation));
    tell(Event::Citation { choice: CHOICE, citation });
}

/// Tells what deltas have not, and the item's proof.
fn end_reasoning(open: &OpenItem, raw: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    for part in item::read_reasoning(raw) {
        let PartBody::Reasoning(reasoning) = part.body else { continue };
        if !open.told && !reasoning.text.is_empty() {
            let (text, is_summary) = (reasoning.text, reasoning.is_summary);
            tell(Event::Reasoning { choice: CHOICE, text, is_summary });
            if reasoning.signature.is_none() {
                tell(Event::PartEnd { choice: CHOICE });
            }
        }
        if let Some(signature) = reasoning.signature {
            tell(Event::Signature { choice: CHOICE, signature });
        }
        if let Some(data) = reasoning.encrypted {
            tell(Event::EncryptedReasoning { choice: CHOICE, id: reasoning.id, data });
        }
    }
    tell(Event::PartEnd { choice: CHOICE });
}

/// Tells an item that came whole.
fn tell_whole(raw: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let mut logprobs = Logprobs::default();
    for part in item::read(raw, &mut logprobs).parts {
        match part.body {
            PartBody::Text { text, citations, .. } => {
                tell(Event::Text { choice: CHOICE, text });
                for citation in citations {
                    tell(Event::Citation { choice: CHOICE, citation: Box::new(citation) });
                }
            }
            PartBody::Refusal(text) => tell(Event::Refusal { choice: CHOICE, text }),
            PartBody::Media(media) => tell(Event::Media { choice: CHOICE, media }),
            PartBody::Opaque(json) => tell(Event::Opaque { choice: CHOICE, json }),
            PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Reasoning(_) => {}
        }
        tell(Event::PartEnd { choice: CHOICE });
    }
    if let Some(logprobs) = logprobs.into_object() {
        tell(Event::Logprobs { choice: CHOICE, logprobs });
    }
}
