//! The reader: chunks to events.
//!
//! Reasoning is marked with its [`Home`] where it ends, as signatures are. Invariant: a choice is stopped once, a call
//! told once, whatever is repeated; usage is told as often as it comes, for it is cumulative.

use super::super::message::told;
use super::super::reasoning::{self, DetailKind, Home};
use super::super::{citation, media, part, stop, tools, usage};
use super::delta::{ChoiceDelta, Delta};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::{is_minimax_error, read_error};
use crate::json::{Kind, Raw};
use crate::model::{Event, Media, MediaKind, MediaSource, PartBody, Signature, StopReason, StreamStart, Text};
use crate::numbered::Numbered;

/// Reads one stream.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Reader {
    has_started: bool,
    choices: Numbered<Choice>,
    /// Sources told so far: Perplexity repeats all of them in every chunk.
    sources: usize,
}

/// What is known of a choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    has_stopped: bool,
    /// Where the reasoning that is being told belongs.
    mark: Option<Signature<'static>>,
    /// The `index` of the detail that is being told.
    detail: Option<u64>,
    calls: Numbered<Call>,
    sound: Option<Sound>,
}

/// A call that has begun.
#[derive(Debug)]
struct Call {
    /// The provider's number.
    index: u64,
    id: Box<str>,
    /// It has been told, which needs its name.
    is_told: bool,
}

/// Sound that arrives in pieces.
#[derive(Debug, Default)]
struct Sound {
    id: String,
    data: String,
}

type Tell<'t> = &'t mut dyn FnMut(Event<'_>);

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: Tell<'_>) {
        let data = frame.data.trim_ascii();
        if data == b"[DONE]" {
            self.choices.iter_mut().for_each(|choice| choice.end_part(tell));
            return tell(Event::End);
        }
        let Some(chunk) = Raw::checked(data).and_then(Raw::object) else { return };
        if frame.name == b"error" {
            return tell(Event::Error(read_error(Dialect::OpenAiChat, 0, None, data)));
        }
        self.read_chunk(chunk, tell);
    }

    fn may_end(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.has_stopped)
    }
}

impl Reader {
    fn read_chunk(&mut self, chunk: Raw<'_>, tell: Tell<'_>) {
        let mut start = StreamStart::default();
        let mut sources = None;
        let (mut choices, mut counts, mut nested_counts, mut is_error) = (None, None, None, false);
        for (key, value) in chunk.members() {
            match key {
                b"id" => start.id = value.text().unwrap_or_default(),
                b"model" => start.model = told(value),
                b"created" => start.created = value.count(),
                b"service_tier" => start.service_tier = told(value),
                b"choices" => choices = Some(value),
                b"citations" => sources = Some(value),
                b"usage" => counts = value.object(),
                b"x_groq" => nested_counts = value.get("usage").and_then(Raw::object),
                b"error" => is_error |= !value.is_null(),
                b"base_resp" => is_error |= is_minimax_error(value),
                _ => {}
            }
        }
        // Azure opens with a chunk that names nothing.
        let says_something = !start.id.is_empty() || choices.is_some_and(|choices| choices.elements().next().is_some());
        if says_something {
            self.start(start, tell);
        }
        for choice in choices.into_iter().flat_map(Raw::elements).map(|choice| ChoiceDelta::read(choice, b"delta")) {
            nested_counts = nested_counts.or(choice.usage);
            self.choice(choice.index).read(&choice, tell);
        }
        for citation in sources.into_iter().flat_map(citation::read_sources).skip(self.sources) {
            self.sources += 1;
            tell(Event::Citation { choice: 0, citation: Box::new(citation) });
        }
        if let Some(counts) = counts.or(nested_counts) {
            tell(Event::Usage(usage::read(counts)));
        }
        if is_error {
            tell(Event::Error(read_error(Dialect::OpenAiChat, 0, None, chunk.bytes)));
        }
    }

    fn start(&mut self, start: StreamStart<'_>, tell: Tell<'_>) {
        if !std::mem::replace(&mut self.has_started, true) {
            tell(Event::Start(start));
        }
    }

    /// Takes in an event of a provider's own form that has Chat's choices in another envelope, with their news in
    /// `message`.
    pub(in crate::dialect) fn read_messages(&mut self, id: Text<'_>, choices: Raw<'_>, tell: Tell<'_>) {
        self.start(StreamStart { id, ..StreamStart::default() }, tell);
        for choice in choices.elements().map(|choice| ChoiceDelta::read(choice, b"message")) {
            self.choice(choice.index).read(&choice, tell);
        }
    }

    /// Takes in an event that is plain text, as
    /// [`read_text_choice`](super::super::read_text_choice) does a whole answer.
    pub(in crate::dialect) fn read_text(
        &mut self,
        id: Text<'_>,
        text: Raw<'_>,
        reason: Option<Raw<'_>>,
        tell: Tell<'_>,
    ) {
        self.start(StreamStart { id, ..StreamStart::default() }, tell);
        self.choice(0).read(&ChoiceDelta::of_text(text, reason), tell);
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        self.choices.get_or_push_with(index, || Choice { index, ..Choice::default() })
    }
}

impl Choice {
    fn read(&mut self, told: &ChoiceDelta<'_>, tell: Tell<'_>) {
        let choice = self.index;
        self.reasoning(&told.delta, tell);
        self.content(&told.delta, tell);
        for annotation in told.delta.annotations.into_iter().flat_map(Raw::elements) {
            if let Some(citation) = citation::read(annotation) {
                tell(Event::Citation { choice, citation: Box::new(citation) });
            }
        }
        if let Some(text) = &told.delta.refusal {
            self.end_part(tell);
            tell(Event::Refusal { choice, text: text.as_ref().into() });
        }
        self.media(&told.delta, tell);
        self.calls(&told.delta, tell);
        if let Some(logprobs) = told.logprobs {
            tell(Event::Logprobs { choice, logprobs: logprobs.into() });
        }
        self.stop(told, tell);
    }

    fn reasoning(&mut self, delta: &Delta<'_>, tell: Tell<'_>) {
        let (plain, home) = match (&delta.reasoning_content, &delta.reasoning) {
            (Some(text), _) => (Some(text), Home::ReasoningContent),
            (None, text) => (text.as_ref(), Home::Reasoning),
        };
        let mut has_text = false;
        for raw in delta.reasoning_details.into_iter().flat_map(Raw::elements) {
            has_text |= self.detail(raw, plain.map(|_| home), tell);
        }
        if let Some(text) = plain.filter(|_| !has_text) {
            self.mark = Some(home.mark());
            tell(Event::Reasoning { choice: self.index, text: text.as_ref().into(), is_summary: false });
        }
    }

    /// Takes in an element of `reasoning_details`; `true` if it holds text. `plain` is the field that says the same.
    fn detail(&mut self, raw: Raw<'_>, plain: Option<Home<'_>>, tell: Tell<'_>) -> bool {
        let Some(detail) = reasoning::read_detail(raw) else { return false };
        let choice = self.index;
        let index = raw.get("index").and_then(Raw::count);
        if std::mem::replace(&mut self.detail, index) != index {
            self.end_part(tell);
        }
        let proof = detail.proof.map(Signature::into_owned);
        if detail.kind == DetailKind::Encrypted {
            self.end_part(tell);
            if let Some(data) = proof {
                tell(Event::EncryptedReasoning { choice, id: None, data });
            }
            return false;
        }
        let text = detail.text.unwrap_or_default();
        let has_text = !text.is_empty();
        if has_text {
            let is_summary = detail.kind == DetailKind::Summary;
            tell(Event::Reasoning { choice, text, is_summary });
            self.mark = self.mark.take().or(plain.map(Home::mark));
        }
        self.mark = proof.or(self.mark.take());
        if detail.is_signed {
            self.end_part(tell);
        }
        has_text
    }

    fn content(&mut self, delta: &Delta<'_>, tell: Tell<'_>) {
        let choice = self.index;
        let Some(content) = delta.content else { return self.signature(delta, tell) };
        if let Some(text) = told(content) {
            self.end_part(tell);
            tell(Event::Text { choice, text });
        }
        let mut parts = Vec::new();
        if content.kind == Kind::Array {
            part::read_content(Some(content), &mut parts);
        }
        for part in parts {
            match part.body {
                PartBody::Reasoning(thought) => {
                    self.mark = thought.signature.map(Signature::into_owned);
                    tell(Event::Reasoning { choice, text: thought.text, is_summary: false });
                }
                PartBody::Text { text, .. } if !text.is_empty() => {
                    self.end_part(tell);
                    tell(Event::Text { choice, text });
                }
                PartBody::Media(media) => tell(Event::Media { choice, media }),
                _ => {}
            }
        }
        self.signature(delta, tell);
    }

    /// The message's own signature (Gemini); that of a call comes with the call.
    fn signature(&mut self, delta: &Delta<'_>, tell: Tell<'_>) {
        if let Some(signature) = delta.extra_content.and_then(tools::read_signature) {
            self.mark = None;
            tell(Event::Signature { choice: self.index, signature });
        }
    }

    fn media(&mut self, delta: &Delta<'_>, tell: Tell<'_>) {
        let choice = self.index;
        for image in delta.images.into_iter().flat_map(Raw::elements) {
            if let Some(media) = image.get("image_url").and_then(media::read_image) {
                self.end_part(tell);
                tell(Event::Media { choice, media: Box::new(media) });
            }
        }
        for (key, value) in delta.audio.into_iter().flat_map(Raw::members) {
            let Some(piece) = told(value) else { continue };
            match key {
                b"transcript" => {
                    self.end_part(tell);
                    tell(Event::Text { choice, text: piece });
                }
                b"id" => self.sound.get_or_insert_default().id = piece.into_owned(),
                b"data" => self.sound.get_or_insert_default().data.push_str(&piece),
                _ => {}
            }
        }
    }

    fn calls(&mut self, delta: &Delta<'_>, tell: Tell<'_>) {
        for raw in delta.tool_calls.into_iter().flat_map(Raw::elements) {
            self.call(raw, tell);
        }
        if let Some(function) = delta.function_call {
            let (name, arguments) = tools::read_function_parts(function);
            self.told_call(CallDelta { index: Some(0), id: Text::default(), name, arguments, signature: None }, tell);
        }
    }

    fn call(&mut self, raw: Raw<'_>, tell: Tell<'_>) {
        let mut call = CallDelta::default();
        for (key, value) in raw.members() {
            match key {
                b"index" => call.index = value.count(),
                b"id" => call.id = value.text().unwrap_or_default(),
                b"function" => (call.name, call.arguments) = tools::read_function_parts(value),
                b"extra_content" => call.signature = tools::read_signature(value),
                _ => {}
            }
        }
        self.told_call(call, tell);
    }

    fn told_call(&mut self, told: CallDelta<'_>, tell: Tell<'_>) {
        let choice = self.index;
        let at = self.begun_call(&told);
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        if !self.calls[at].is_told && !told.name.is_empty() {
            self.end_part(tell);
            self.calls[at].is_told = true;
            let id: Text<'_> = self.calls[at].id.as_ref().into();
            tell(Event::ToolCall { choice, call: number, id, name: told.name, signature: told.signature });
        }
        if !told.arguments.is_empty() && self.calls[at].is_told {
            tell(Event::Arguments { choice, call: number, json: told.arguments });
        }
    }

    /// Which call a delta belongs to. Some providers give no index, some give every call the same: a new identifier
    /// begins a new call, an empty one continues.
    fn begun_call(&mut self, told: &CallDelta<'_>) -> usize {
        let index = told.index.unwrap_or_else(|| match told.id.is_empty() && told.name.is_empty() {
            true => self.calls.last().map_or(0, |call| call.index),
            false => self.calls.len() as u64,
        });
        let known = self.calls.place(index);
        let continues = |at: &usize| {
            let call = &self.calls[*at];
            // An identifier may come after the name.
            let is_late = call.id.is_empty() && told.name.is_empty();
            told.id.is_empty() || *call.id == *told.id || !call.is_told || is_late
        };
        if let Some(at) = known.filter(continues) {
            if !told.id.is_empty() && self.calls[at].id.is_empty() {
                self.calls[at].id = told.id.as_ref().into();
            }
            return at;
        }
        self.calls.push(index, Call { index, id: told.id.as_ref().into(), is_told: false })
    }

    fn stop(&mut self, told: &ChoiceDelta<'_>, tell: Tell<'_>) {
        let Some(mut stop) = stop::read(told.reason, told.stop_sequence) else { return };
        if std::mem::replace(&mut self.has_stopped, true) {
            return;
        }
        self.end_part(tell);
        if let Some(sound) = self.sound.take().filter(|sound| !sound.data.is_empty()) {
            let media = Media {
                kind: MediaKind::Audio,
                source: MediaSource::Base64(sound.data.into()),
                media_type: None,
                name: (!sound.id.is_empty()).then(|| sound.id.into()),
                context: None,
                detail: None,
                citations: None,
            };
            tell(Event::Media { choice: self.index, media: Box::new(media) });
        }
        if stop.reason == StopReason::End && self.calls.iter().any(|call| call.is_told) {
            stop.reason = StopReason::ToolCalls;
        }
        tell(Event::Stop { choice: self.index, stop });
    }

    /// Ends reasoning that is being told: its mark says where it belongs.
    fn end_part(&mut self, tell: Tell<'_>) {
        if let Some(signature) = self.mark.take() {
            tell(Event::Signature { choice: self.index, signature });
            tell(Event::PartEnd { choice: self.index });
        }
    }
}

/// One element of a delta's `tool_calls`.
#[derive(Default)]
struct CallDelta<'a> {
    index: Option<u64>,
    id: Text<'a>,
    name: Text<'a>,
    arguments: Text<'a>,
    signature: Option<Signature<'a>>,
}
