//! A stream's chunks, read.
//!
//! Invariant: the stream has no end marker; it may end once every candidate that began has told why it finished, or
//! the prompt was blocked. A chunk that is no well-formed JSON tells nothing, so whatever is told
//! of one can be written again.

use std::collections::BTreeMap;

use crate::dialect::cited::CitedText;
use crate::dialect::gemini::grounding::{self, Pointer};
use crate::dialect::gemini::response::{Candidate, visible_text};
use crate::dialect::gemini::{logprobs, part, stop, usage};
use crate::dialect::{Dialect, EventReader, Frame};
use crate::errors::read_error;
use crate::json::Raw;
use crate::model::{Event, Part, PartBody, Signature, StreamStart, ToolCall};

#[derive(Debug, Default)]
pub(in crate::dialect::gemini) struct Reader {
    has_started: bool,
    is_blocked: bool,
    forgoes_citations: bool,
    choices: BTreeMap<u32, Progress>,
}

/// What is known of a candidate so far.
#[derive(Debug, Default)]
struct Progress {
    calls: u32,
    has_stopped: bool,
    /// All its visible text, which citations point into.
    text: CitedText,
    /// Citations told so far: some providers repeat them in every chunk.
    citations: usize,
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(chunk) = Raw::checked(frame.data).and_then(Raw::object) else { return };
        let mut start = StreamStart::default();
        let (mut candidates, mut report, mut blocked) = (None, None, None);
        for (key, value) in chunk.members().filter(|(_, value)| !value.is_null()) {
            match key {
                b"candidates" => candidates = Some(value),
                b"usageMetadata" => report = Some(usage::read(value)),
                b"promptFeedback" => blocked = stop::read_block(value),
                b"responseId" => start.id = value.text().unwrap_or_default(),
                b"modelVersion" => start.model = value.text(),
                b"error" => return tell(Event::Error(read_error(Dialect::Gemini, 0, None, frame.data))),
                _ => {}
            }
        }
        if !std::mem::replace(&mut self.has_started, true) {
            start.service_tier = report.as_mut().and_then(|report| report.service_tier.take());
            tell(Event::Start(start));
        }
        // First of all, so that a writer can tell the counts of a chunk with the chunk.
        if let Some(report) = report {
            tell(Event::Usage(report.counts));
        }
        for (candidate, at) in candidates.into_iter().flat_map(part::elements).zip(0..) {
            self.candidate(Candidate::read(candidate), at, tell);
        }
        if let Some(stop) = blocked {
            self.is_blocked = true;
            tell(Event::Stop { choice: 0, stop });
        }
    }

    fn may_end(&self) -> bool {
        let has_stopped = !self.choices.is_empty() && self.choices.values().all(|progress| progress.has_stopped);
        self.is_blocked || has_stopped
    }

    fn forgo_citations(&mut self) {
        self.forgoes_citations = true;
    }
}

impl Reader {
    fn candidate(&mut self, candidate: Candidate<'_>, at: u32, tell: &mut dyn FnMut(Event<'_>)) {
        let choice = candidate.index.unwrap_or(at);
        let progress = self.choices.entry(choice).or_default();
        for part in candidate.parts {
            if !self.forgoes_citations {
                progress.text.push(visible_text(&part).unwrap_or_default());
            }
            tell_part(choice, part, &mut progress.calls, tell);
        }
        if let Some(told) = candidate.logprobs {
            tell(Event::Logprobs { choice, logprobs: logprobs::read(told) });
        }
        let may_cite = !self.forgoes_citations && progress.citations < grounding::MOST;
        if may_cite && (candidate.grounding.is_some() || candidate.citations.is_some()) {
            let text = progress.text.get();
            // The parts of a stream are pieces: they point into all of them.
            let texts = [Some(text.unwrap_or_default())];
            for Pointer { mut citation, .. } in grounding::read(candidate.grounding, candidate.citations, &texts) {
                citation.span = citation.span.filter(|_| text.is_some());
                progress.citations += 1;
                tell(Event::Citation { choice, citation: Box::new(citation) });
            }
        }
        if let Some(stop) = candidate.finish_reason.and_then(|reason| stop::read(reason, progress.calls > 0)) {
            progress.has_stopped = true;
            tell(Event::Stop { choice, stop });
        }
    }
}

fn tell_part<'a>(choice: u32, part: Part<'a>, calls: &mut u32, tell: &mut dyn FnMut(Event<'_>)) {
    match part.body {
        PartBody::Text { text, signature, .. } => {
            if !text.is_empty() {
                tell(Event::Text { choice, text });
            }
            tell_signature(choice, signature, tell);
        }
        PartBody::Reasoning(reasoning) => {
            if !reasoning.text.is_empty() || reasoning.signature.is_some() {
                tell(Event::Reasoning { choice, text: reasoning.text, is_summary: reasoning.is_summary });
            }
            tell_signature(choice, reasoning.signature, tell);
            if let Some(data) = reasoning.encrypted {
                tell(Event::EncryptedReasoning { choice, id: None, data });
            }
        }
        PartBody::ToolCall(ToolCall { id, name, arguments, signature }) => {
            let call = *calls;
            *calls += 1;
            tell(Event::ToolCall { choice, call, id, name, signature });
            if !arguments.is_empty() {
                tell(Event::Arguments { choice, call, json: arguments });
            }
            // Calls come whole.
            tell(Event::PartEnd { choice });
        }
        PartBody::Media(media) => tell(Event::Media { choice, media }),
        PartBody::Opaque(json) => tell(Event::Opaque { choice, json }),
        // No answer holds one.
        PartBody::ToolResult(_) | PartBody::Refusal(_) => {}
    }
}

/// A signature is the last of its part.
fn tell_signature(choice: u32, signature: Option<Signature<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(signature) = signature {
        tell(Event::Signature { choice, signature });
        tell(Event::PartEnd { choice });
    }
}
