//! Reads a stream.
//!
//! Calls that the provider runs itself, and their results, are passed over. Invariant: the answer is complete with
//! `metadata`, and may end with `messageStop`.

use crate::dialect::bedrock::{block, media, stop, usage};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::read_error;
use crate::json::Raw;
use crate::model::{Event, MediaKind, PartBody, Signature, StreamStart, Text};
use crate::numbered::Numbered;

/// The only choice that an answer has.
const CHOICE: u32 = 0;

#[derive(Debug, Default)]
pub(in super::super) struct Reader {
    /// The calls so far, by the numbers of their blocks; a call's place is its number.
    calls: Numbered<()>,
    /// The format of the image being told.
    format: Option<String>,
    /// Something of the current block has been told.
    has_part: bool,
    has_stopped: bool,
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        if frame.is_exception {
            let name = std::str::from_utf8(frame.name).ok();
            let status = status(frame.name);
            return tell(Event::Error(read_error(Dialect::BedrockConverse, status, name, frame.data)));
        }
        let Some(payload) = Raw::checked(frame.data) else { return };
        match frame.name {
            b"messageStart" => tell(Event::Start(StreamStart::default())),
            b"contentBlockStart" => self.start(payload, tell),
            b"contentBlockDelta" => self.delta(payload, tell),
            b"contentBlockStop" if std::mem::take(&mut self.has_part) => tell(Event::PartEnd { choice: CHOICE }),
            b"messageStop" => {
                self.has_stopped = true;
                if let Some(reason) = payload.get("stopReason").and_then(Raw::text) {
                    tell(Event::Stop { choice: CHOICE, stop: stop::read(reason) });
                }
            }
            b"metadata" => {
                if let Some(counts) = payload.get("usage") {
                    tell(Event::Usage(usage::read(counts)));
                }
                tell(Event::End);
            }
            _ => {}
        }
    }

    fn may_end(&self) -> bool {
        self.has_stopped
    }
}

/// The status that an exception stands for; 0 for one that is not documented.
fn status(exception: &[u8]) -> u16 {
    match exception {
        b"validationException" => 400,
        b"modelStreamErrorException" => 424,
        b"throttlingException" => 429,
        b"internalServerException" => 500,
        b"serviceUnavailableException" => 503,
        _ => 0,
    }
}

/// The block's number and the member `name`.
fn numbered<'a>(payload: Raw<'a>, name: &str) -> (u64, Option<Raw<'a>>) {
    let (mut index, mut found) = (0, None);
    for (key, value) in payload.members() {
        match key {
            b"contentBlockIndex" => index = value.count().unwrap_or(0),
            key if key == name.as_bytes() => found = Some(value),
            _ => {}
        }
    }
    (index, found)
}

impl Reader {
    fn start(&mut self, payload: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let (index, start) = numbered(payload, "start");
        let Some((kind, value)) = start.and_then(|start| start.members().find(|(_, value)| !value.is_null())) else {
            return;
        };
        match kind {
            b"toolUse" => self.call(index, value, tell),
            b"image" => self.format = value.get("format").and_then(Raw::text).map(Text::into_owned),
            _ => {}
        }
    }

    fn call(&mut self, index: u64, value: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let (mut id, mut name) = (Text::default(), Text::default());
        for (key, value) in value.members() {
            match key {
                b"toolUseId" => id = value.text().unwrap_or_default(),
                b"name" => name = value.text().unwrap_or_default(),
                b"type" if value.text().is_some_and(|kind| block::is_server_side(&kind)) => return,
                _ => {}
            }
        }
        let call = u32::try_from(self.calls.push(index, ())).unwrap_or(u32::MAX);
        self.has_part = true;
        tell(Event::ToolCall { choice: CHOICE, call, id, name, signature: None });
    }

    fn delta(&mut self, payload: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let (index, delta) = numbered(payload, "delta");
        let Some((kind, value)) = delta.and_then(|delta| delta.members().find(|(_, value)| !value.is_null())) else {
            return;
        };
        match kind {
            b"text" => {
                let text = value.text().unwrap_or_default();
                if !text.is_empty() {
                    self.has_part = true;
                    tell(Event::Text { choice: CHOICE, text });
                }
            }
            b"toolUse" => {
                let call = self.calls.place(index).and_then(|call| u32::try_from(call).ok());
                let json = value.get("input").and_then(Raw::text).unwrap_or_default();
                if let Some(call) = call
                    && !json.is_empty()
                {
                    tell(Event::Arguments { choice: CHOICE, call, json });
                }
            }
            b"reasoningContent" => self.reasoning(value, tell),
            b"citation" => {
                self.has_part = true;
                tell(Event::Citation { choice: CHOICE, citation: Box::new(block::citation(value)) });
            }
            b"image" => self.image(value, tell),
            _ => {}
        }
    }

    fn reasoning(&mut self, value: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        for (key, value) in value.members() {
            let Some(text) = value.text().filter(|text| !text.is_empty()) else { continue };
            self.has_part = true;
            match key {
                b"text" => tell(Event::Reasoning { choice: CHOICE, text, is_summary: false }),
                b"signature" => {
                    let signature = Signature::read(Dialect::BedrockConverse, text);
                    tell(Event::Signature { choice: CHOICE, signature });
                }
                b"redactedContent" => {
                    tell(Event::EncryptedReasoning { choice: CHOICE, id: None, data: block::redacted(text) });
                }
                _ => {}
            }
        }
    }

    fn image(&mut self, value: Raw<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(part) = media::read(MediaKind::Image, value) else { return };
        if let PartBody::Media(mut image) = part.body {
            let format = self.format.take();
            image.media_type = image.media_type.or(format.map(|format| Text::Owned(format!("image/{format}"))));
            self.has_part = true;
            tell(Event::Media { choice: CHOICE, media: image });
        }
    }
}
