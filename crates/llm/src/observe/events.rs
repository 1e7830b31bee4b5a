//! Observing by a dialect's own reader: for dialects that are rare enough not to have an observer of their own, and for
//! streams that are translated anyway.

use std::fmt;

use super::Facts;
use crate::dialect::{EventReader, ProviderDialect};
use crate::framing::{Deframer, FrameError, Seam};
use crate::model::Event;
use crate::protocol::Protocol;
use crate::usage::Usage;

/// Reads one stream.
pub(super) struct Events {
    deframer: Deframer,
    reader: Box<dyn EventReader>,
}

impl fmt::Debug for Events {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Events").field("deframer", &self.deframer).finish_non_exhaustive()
    }
}

impl Events {
    pub(super) fn of(provider: ProviderDialect) -> Self {
        let mut reader = provider.stream_reader();
        reader.forgo_citations();
        Self { deframer: Deframer::new(provider.codec().framing), reader }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// Once the stream cannot be followed.
    pub(super) fn push(&mut self, protocol: Protocol, facts: &mut Facts, chunk: &[u8]) -> Result<(), FrameError> {
        let Self { deframer, reader } = self;
        deframer.push(chunk, |frame| reader.read(frame, &mut |event| note(protocol, facts, &event)))
    }

    pub(super) fn seam(&self) -> Seam {
        self.deframer.seam()
    }

    pub(super) fn may_end(&self) -> bool {
        self.deframer.may_end() && self.reader.may_end()
    }
}

/// Takes in one event.
pub(super) fn note(protocol: Protocol, facts: &mut Facts, event: &Event<'_>) {
    match event {
        Event::Start(start) => {
            if facts.model.is_none() {
                facts.model = start.model.as_deref().filter(|model| !model.is_empty()).map(Into::into);
            }
        }
        Event::Text { text, .. } => facts.add_plain_text(text.as_bytes()),
        Event::Reasoning { text, .. } | Event::Refusal { text, .. } => facts.saw_first_token |= !text.is_empty(),
        Event::ToolCall { .. } => {
            facts.has_tool_calls = true;
            facts.saw_first_token = true;
        }
        Event::Media { .. } => facts.saw_first_token = true,
        Event::Stop { stop, .. } => facts.set_finish_reason(&stop.native),
        Event::Usage(counts) => {
            if let Some(provider) = protocol.provider_dialect() {
                let usage = Usage::of(provider.relative(), counts);
                facts.usage.get_or_insert_default().merge(&usage);
            }
        }
        Event::Error(error) => {
            facts.error.get_or_insert_with(|| error.message.clone().into_owned());
        }
        Event::End => facts.finished = true,
        Event::Signature { .. }
        | Event::EncryptedReasoning { .. }
        | Event::Arguments { .. }
        | Event::Citation { .. }
        | Event::Logprobs { .. }
        | Event::PartEnd { .. }
        | Event::Opaque { .. } => {}
    }
}
