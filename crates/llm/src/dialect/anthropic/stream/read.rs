//! Reads a stream.
//!
//! Blocks that only this dialect knows are gathered and told whole. Of calls, several may be told at once: the numbers
//! of their blocks tell whose the arguments are. Only `message_stop` ends the answer: a connection that ends before it
//! was cut.

use std::collections::{BTreeMap, HashMap};

use crate::dialect::anthropic::block;
use crate::dialect::anthropic::stop;
use crate::dialect::anthropic::usage::{self, Reported};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::read_error;
use crate::json::{ObjectWriter, Raw, unescape};
use crate::model::{Event, Json, Signature, StreamStart};

/// A message has one choice.
const CHOICE: u32 = 0;

#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    usage: Reported,
    /// The block that is being told and is no call.
    open: Option<Open>,
    /// The calls that are being told, by the numbers of their blocks.
    calling: HashMap<u64, Calling>,
    /// The number of the block that began last, which stands in where an event has none.
    latest: u64,
    /// Calls begun so far.
    calls: u32,
}

/// A block that is being told.
#[derive(Debug)]
enum Open {
    Text,
    Thinking,
    Whole,
    Opaque(Gathered),
}

/// A call that is being told.
#[derive(Debug)]
struct Calling {
    call: u32,
    /// The input that came with the beginning, until pieces of it come.
    input: Option<Vec<u8>>,
}

/// A block that is told whole at its end.
#[derive(Debug)]
struct Gathered {
    start: Vec<u8>,
    input: String,
    /// Texts that were told piece by piece, by member.
    texts: BTreeMap<String, String>,
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        if frame.is_exception {
            let name = std::str::from_utf8(frame.name).ok();
            return tell(Event::Error(read_error(Dialect::BedrockConverse, 0, name, frame.data)));
        }
        let Some(event) = Raw::checked(frame.data).and_then(Raw::object) else { return };
        let (mut kind, mut body, mut usage) = (None, None, None);
        let mut number = self.latest;
        for (key, value) in event.members() {
            match key {
                b"type" => kind = value.text(),
                b"index" => number = value.count().unwrap_or(number),
                b"message" | b"content_block" | b"delta" => body = Some(value),
                b"usage" => usage = Some(value),
                _ => {}
            }
        }
        // Some providers name the event beside the data only.
        let name = std::str::from_utf8(frame.name).ok();
        match (kind.as_deref().or(name), body) {
            (Some("message_start"), Some(message)) => self.start(message, tell),
            (Some("content_block_start"), Some(block)) => self.open(number, block, tell),
            (Some("content_block_delta"), Some(delta)) => self.delta(number, delta, tell),
            (Some("content_block_stop"), _) => self.close(number, tell),
            (Some("message_delta"), delta) => {
                if let Some(usage) = usage {
                    self.usage.take(usage);
                    tell(Event::Usage(self.usage.counts()));
                }
                if let Some(delta) = delta {
                    tell_stop(delta, tell);
                }
            }
            (Some("message_stop"), _) => tell(Event::End),
            (Some("error"), _) => tell(Event::Error(read_error(Dialect::Anthropic, 0, None, frame.data))),
            (Some(_) | None, _) => {}
        }
    }

    fn may_end(&self) -> bool {
        false
    }
}

fn tell_stop(delta: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let (mut reason, mut sequence) = (None, None);
    for (key, value) in delta.members() {
        match key {
            b"stop_reason" => reason = value.text(),
            b"stop_sequence" => sequence = Some(value),
            _ => {}
        }
    }
    if let Some(reason) = reason {
        tell(Event::Stop { choice: CHOICE, stop: stop::read(reason, sequence) });
    }
}

impl Reader {
    fn start(&mut self, message: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let mut start = StreamStart::default();
        for (key, value) in message.members() {
            match key {
                b"id" => start.id = value.text().unwrap_or_default(),
                b"model" => start.model = value.text(),
                b"usage" => {
                    self.usage.take(value);
                    start.service_tier = usage::tier(value);
                }
                _ => {}
            }
        }
        tell(Event::Start(start));
        tell(Event::Usage(self.usage.counts()));
    }

    fn open(&mut self, number: u64, block: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        self.latest = number;
        self.calling.remove(&number);
        let kind = block.first("type").and_then(Raw::text);
        let text = |name: &str| block.first(name).and_then(Raw::text).filter(|text| !text.is_empty());
        let open = match kind.as_deref() {
            Some("text") => {
                if let Some(text) = text("text") {
                    tell(Event::Text { choice: CHOICE, text });
                }
                let citations = block.first("citations");
                citations.into_iter().flat_map(Raw::elements).for_each(|citation| cite(citation, tell));
                Open::Text
            }
            Some("thinking") => {
                if let Some(text) = text("thinking") {
                    tell(Event::Reasoning { choice: CHOICE, text, is_summary: false });
                }
                if let Some(signature) = text("signature") {
                    tell_signature(Signature::read(Dialect::Anthropic, signature), tell);
                }
                Open::Thinking
            }
            Some("redacted_thinking") => {
                if let Some(data) = text("data") {
                    let data = Signature::read(Dialect::Anthropic, data);
                    tell(Event::EncryptedReasoning { choice: CHOICE, id: None, data });
                }
                Open::Whole
            }
            Some("tool_use") => {
                let call = self.calls;
                self.calls += 1;
                let (id, name) = (text("id").unwrap_or_default(), text("name").unwrap_or_default());
                tell(Event::ToolCall { choice: CHOICE, call, id, name, signature: None });
                let input = block.first("input").filter(|input| input.members().next().is_some());
                self.calling.insert(number, Calling { call, input: input.map(|input| input.bytes.to_vec()) });
                return;
            }
            Some(_) | None => {
                Open::Opaque(Gathered { start: block.bytes.to_vec(), input: String::new(), texts: BTreeMap::new() })
            }
        };
        self.open = Some(open);
    }

    fn delta(&mut self, number: u64, delta: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let mut calling = self.calling.get_mut(&number);
        if let (None, Some(Open::Opaque(gathered))) = (&calling, &mut self.open) {
            return gathered.take(delta);
        }
        for (key, value) in delta.members() {
            let text = value.text().filter(|text| !text.is_empty());
            match (key, text) {
                (b"text", Some(text)) => tell(Event::Text { choice: CHOICE, text }),
                (b"thinking", Some(text)) => tell(Event::Reasoning { choice: CHOICE, text, is_summary: false }),
                (b"signature", Some(text)) => tell_signature(Signature::read(Dialect::Anthropic, text), tell),
                (b"partial_json", Some(json)) => {
                    if let Some(calling) = &mut calling {
                        calling.input = None;
                        tell(Event::Arguments { choice: CHOICE, call: calling.call, json });
                    }
                }
                (b"citation", _) => cite(value, tell),
                _ => {}
            }
        }
    }

    fn close(&mut self, number: u64, tell: &mut dyn FnMut(Event<'_>)) {
        if let Some(Calling { call, input }) = self.calling.remove(&number) {
            if let Some(input) = input {
                tell(Event::Arguments { choice: CHOICE, call, json: String::from_utf8_lossy(&input) });
            }
            return tell(Event::PartEnd { choice: CHOICE });
        }
        match self.open.take() {
            None | Some(Open::Whole) => {}
            Some(Open::Text | Open::Thinking) => tell(Event::PartEnd { choice: CHOICE }),
            Some(Open::Opaque(gathered)) => tell(Event::Opaque { choice: CHOICE, json: gathered.whole() }),
        }
    }
}

fn cite(citation: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    tell(Event::Citation { choice: CHOICE, citation: Box::new(block::citation(citation)) });
}

fn tell_signature(signature: Signature<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    tell(Event::Signature { choice: CHOICE, signature });
}

impl Gathered {
    fn take(&mut self, delta: Raw<'_>) {
        for (key, value) in delta.members() {
            let Some(text) = value.text() else { continue };
            match key {
                b"type" => {}
                b"partial_json" => self.input.push_str(&text),
                _ => self.texts.entry(unescape(key).into_owned()).or_default().push_str(&text),
            }
        }
    }

    /// The block with what its pieces told.
    fn whole(self) -> Json<'static> {
        let Some(start) = Raw::new(&self.start) else { return Json::owned(self.start) };
        let input = Raw::checked(self.input.as_bytes());
        let is_replaced = |name: &str| (name == "input" && input.is_some()) || self.texts.contains_key(name);
        let mut out = Vec::with_capacity(self.start.len() + self.input.len());
        let mut block = ObjectWriter::new(&mut out);
        for (key, value) in start.members() {
            let name = unescape(key);
            if !is_replaced(&name) {
                block.raw(&name, value.bytes);
            }
        }
        self.texts.iter().for_each(|(name, text)| block.string(name, text));
        if let Some(input) = input {
            block.raw("input", input.bytes);
        }
        drop(block);
        Json::owned(out)
    }
}
