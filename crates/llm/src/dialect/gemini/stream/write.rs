//! A stream, written chunk by chunk.
//!
//! Invariant: a call leaves whole, for clients do not expect pieces of one; finish reasons, citations and the last
//! counts stand in the last chunk, which always comes unless the stream failed.

use std::collections::BTreeMap;

use super::chunks::Chunks;
use crate::dialect::calls::Progress;
use crate::dialect::cited::CitedText;
use crate::dialect::gemini::grounding::{self, Grounded};
use crate::dialect::gemini::response::{Proof, write_part, write_reasoning, write_text};
use crate::dialect::gemini::{logprobs, stop};
use crate::dialect::{EventWriter, Origin, Reply};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Citation, Event, Losses, Part, PartBody, Signature, ToolCall};
use crate::numbered::Numbered;

#[derive(Debug)]
pub(in crate::dialect::gemini) struct Writer {
    chunks: Chunks,
    choices: BTreeMap<u32, Open>,
}

/// A candidate that is being told.
#[derive(Debug, Default)]
struct Open {
    part: OpenPart,
    /// In the order in which they began, and how many of them are not complete.
    calls: Numbered<OpenCall>,
    incomplete: usize,
    /// All its visible text, which citations point into.
    text: CitedText,
    citations: Vec<Citation<'static>>,
    finish_reason: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum OpenPart {
    #[default]
    None,
    Text,
    Reasoning,
    /// A part that is told as a whole.
    Whole,
}

#[derive(Debug)]
struct OpenCall {
    call: ToolCall<'static>,
    progress: Progress,
    is_complete: bool,
}

impl Writer {
    pub(in crate::dialect::gemini) fn new(reply: Reply) -> Self {
        Self { chunks: Chunks::new(reply), choices: BTreeMap::new() }
    }

    /// Writes a chunk with one part of `choice`, after the calls that came before it; calls that wait for the rest of
    /// their arguments follow later.
    fn send_part(&mut self, choice: u32, kind: OpenPart, out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        self.send_complete_calls(choice, out);
        let open = self.choices.entry(choice).or_default();
        open.part = kind;
        self.chunks.send(out, |candidates| write_parts(candidates, choice, fill));
    }

    fn send_text(&mut self, choice: u32, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.send_part(choice, OpenPart::Text, out, |parts| write_text(&mut parts.object(), text, None));
        let open = self.choices.entry(choice).or_default();
        open.text.push(text);
    }

    fn send_signature(&mut self, choice: u32, signature: &Signature<'_>, out: &mut Vec<u8>) {
        let part = self.choices.get(&choice).map_or(OpenPart::None, |open| open.part);
        match part {
            OpenPart::Text => {
                let write = |parts: &mut ArrayWriter<'_>| write_text(&mut parts.object(), "", Some(signature));
                self.send_part(choice, part, out, write);
            }
            OpenPart::Reasoning | OpenPart::Whole | OpenPart::None => {
                let proof = Some(Proof::Signature(signature));
                let write = |parts: &mut ArrayWriter<'_>| write_reasoning(&mut parts.object(), "", proof);
                self.send_part(choice, OpenPart::Reasoning, out, write);
            }
        }
    }

    /// Writes the calls of `choice` if none waits for the rest of its arguments.
    fn send_complete_calls(&mut self, choice: u32, out: &mut Vec<u8>) {
        if self.choices.get(&choice).is_some_and(|open| open.incomplete == 0) {
            self.send_calls(choice, out);
        }
    }

    /// Writes all calls of `choice`, in one chunk.
    fn send_calls(&mut self, choice: u32, out: &mut Vec<u8>) {
        let Some(open) = self.choices.get_mut(&choice).filter(|open| !open.calls.is_empty()) else { return };
        let calls = std::mem::take(&mut open.calls);
        open.incomplete = 0;
        self.chunks.send(out, |candidates| {
            write_parts(candidates, choice, |parts| {
                for OpenCall { call, .. } in calls {
                    write_foreign(parts, &PartBody::ToolCall(call).into());
                }
            });
        });
    }

    /// Ends the part that is being told; calls leave when none is open. Where no other part is being told, it is the
    /// end of the last call if that has no arguments: calls that have some end with them.
    fn end_part(&mut self, choice: u32, out: &mut Vec<u8>) {
        let Some(open) = self.choices.get_mut(&choice) else { return };
        let ended = std::mem::take(&mut open.part);
        let bare =
            |call: &&mut OpenCall| ended == OpenPart::None && !call.is_complete && call.call.arguments.is_empty();
        if let Some(call) = open.calls.last_mut().filter(bare) {
            call.is_complete = true;
            open.incomplete -= 1;
        }
        self.send_complete_calls(choice, out);
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.chunks.start(start),
            Event::Text { choice, text } | Event::Refusal { choice, text } => self.send_text(*choice, text, out),
            Event::Reasoning { choice, text, .. } => {
                let write = |parts: &mut ArrayWriter<'_>| write_reasoning(&mut parts.object(), text, None);
                self.send_part(*choice, OpenPart::Reasoning, out, write);
            }
            Event::Signature { choice, signature } => self.send_signature(*choice, signature, out),
            Event::EncryptedReasoning { choice, data, .. } => {
                let proof = Some(Proof::Encrypted(data));
                let write = |parts: &mut ArrayWriter<'_>| write_reasoning(&mut parts.object(), "", proof);
                self.send_part(*choice, OpenPart::Whole, out, write);
            }
            Event::ToolCall { choice, call, id, name, signature } => {
                let open = self.choices.entry(*choice).or_default();
                open.part = OpenPart::None;
                let body = ToolCall {
                    id: id.to_string().into(),
                    name: name.to_string().into(),
                    arguments: String::new().into(),
                    signature: signature.clone().map(Signature::into_owned),
                };
                let begun = OpenCall { call: body, progress: Progress::default(), is_complete: false };
                open.calls.push(*call, begun);
                open.incomplete += 1;
            }
            Event::Arguments { choice, call, json } => {
                let open = self.choices.entry(*choice).or_default();
                let Some(call) = open.calls.get_mut(*call) else { return };
                call.call.arguments.to_mut().push_str(json);
                call.progress.take(json);
                if call.progress.is_complete() && !std::mem::replace(&mut call.is_complete, true) {
                    open.incomplete -= 1;
                }
            }
            Event::Citation { choice, citation } => {
                let open = self.choices.entry(*choice).or_default();
                if open.citations.len() == grounding::MOST {
                    return;
                }
                open.citations.push(citation.as_ref().clone().into_owned());
            }
            Event::Media { choice, media } => {
                let part = PartBody::Media(media.clone()).into();
                let write = |parts: &mut ArrayWriter<'_>| write_foreign(parts, &part);
                self.send_part(*choice, OpenPart::Whole, out, write);
            }
            Event::Opaque { choice, json } => {
                self.send_part(*choice, OpenPart::Whole, out, |parts| parts.raw(json.bytes()));
            }
            Event::Logprobs { choice, logprobs } => self.chunks.send(out, |candidates| {
                let mut candidate = candidates.object();
                candidate.number("index", u64::from(*choice));
                logprobs::write(&mut candidate, logprobs);
            }),
            Event::PartEnd { choice } => self.end_part(*choice, out),
            Event::Stop { choice, stop } => {
                self.choices.entry(*choice).or_default().finish_reason = Some(stop::word(stop).into());
            }
            Event::Usage(counts) => self.chunks.count(counts),
            Event::Error(error) => self.chunks.fail(out, error),
            Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let told: Vec<u32> = self.choices.keys().copied().collect();
        told.into_iter().for_each(|choice| self.send_calls(choice, out));
        self.choices.entry(0).or_default();
        let mut choices = std::mem::take(&mut self.choices);
        for open in choices.values_mut().filter(|open| open.text.get().is_none()) {
            open.citations.iter_mut().for_each(|citation| citation.span = None);
        }
        self.chunks.send(out, |candidates| {
            for (choice, open) in &choices {
                let mut candidate = candidates.object();
                // An empty text, for clients that look for one in every chunk.
                fill_content(&mut candidate, |parts| write_text(&mut parts.object(), "", None));
                candidate.string("finishReason", open.finish_reason.as_deref().unwrap_or(stop::END));
                candidate.number("index", u64::from(*choice));
                let cited =
                    |citation| Grounded { citation, text: open.text.get().unwrap_or_default(), before: 0, part: 0 };
                grounding::write(&mut candidate, &open.citations.iter().map(cited).collect::<Vec<_>>());
            }
        });
        self.chunks.end(out);
    }
}

/// Writes a part that may come from any dialect. What a stream loses is told nowhere: its head has left long ago.
fn write_foreign(parts: &mut ArrayWriter<'_>, part: &Part<'_>) {
    write_part(parts, part, Origin::Foreign, &mut Losses::default());
}

/// Writes a candidate that has parts and nothing else.
fn write_parts(candidates: &mut ArrayWriter<'_>, choice: u32, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
    let mut candidate = candidates.object();
    fill_content(&mut candidate, fill);
    candidate.number("index", u64::from(choice));
}

fn fill_content(candidate: &mut ObjectWriter<'_>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
    let mut content = candidate.object("content");
    content.string("role", "model");
    fill(&mut content.array("parts"));
}
