//! Chunks on their way to the client: their framing, and what every one of them repeats.
//!
//! Invariant: every chunk is a whole `GenerateContentResponse`; in the array form all of them and the brackets are one
//! JSON text.

use crate::dialect::gemini::usage;
use crate::dialect::{Dialect, Reply, StreamForm};
use crate::errors::{ApiError, write_error};
use crate::json::{ArrayWriter, ObjectWriter, keep_on_one_line};
use crate::model::{StreamStart, TokenCounts};

#[derive(Debug)]
pub(super) struct Chunks {
    form: StreamForm,
    is_first: bool,
    id: Box<str>,
    model: Box<str>,
    service_tier: Option<Box<str>>,
    usage: Option<TokenCounts>,
}

impl Chunks {
    pub(super) fn new(reply: Reply) -> Self {
        Self {
            form: reply.stream_form,
            is_first: true,
            id: reply.id,
            model: reply.model,
            service_tier: None,
            usage: None,
        }
    }

    pub(super) fn start(&mut self, start: &StreamStart<'_>) {
        if !start.id.is_empty() {
            self.id = start.id.as_ref().into();
        }
        if let Some(model) = &start.model {
            self.model = model.as_ref().into();
        }
        self.service_tier = start.service_tier.as_deref().map(Into::into);
    }

    pub(super) fn count(&mut self, counts: &TokenCounts) {
        self.usage.get_or_insert_default().merge(counts);
    }

    /// Writes a chunk whose candidates `fill` writes.
    pub(super) fn send(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        self.open(out);
        let written = out.len();
        let mut chunk = ObjectWriter::new(out);
        fill(&mut chunk.array("candidates"));
        if let Some(counts) = &self.usage {
            let mut metadata = chunk.object("usageMetadata");
            usage::write(&mut metadata, counts, None);
            metadata.maybe_string("serviceTier", self.service_tier.as_deref().map(usage::tier));
        }
        chunk.string("modelVersion", &self.model);
        chunk.string("responseId", &self.id);
        drop(chunk);
        keep_on_one_line(&mut out[written..]);
        self.close(out);
    }

    /// Writes what tells the client that the answer failed, and the framing's end.
    pub(super) fn fail(&mut self, out: &mut Vec<u8>, error: &ApiError<'_>) {
        self.open(out);
        out.extend_from_slice(&write_error(Dialect::Gemini, error).body);
        self.close(out);
        self.end(out);
    }

    /// Writes the framing's end: server-sent events have none.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match self.form {
            StreamForm::Sse => {}
            StreamForm::JsonArray => out.push(b']'),
        }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        out.extend_from_slice(match (self.form, is_first) {
            (StreamForm::Sse, _) => b"data: ",
            (StreamForm::JsonArray, true) => b"[",
            (StreamForm::JsonArray, false) => b",\r\n",
        });
    }

    fn close(&self, out: &mut Vec<u8>) {
        match self.form {
            StreamForm::Sse => out.extend_from_slice(b"\r\n\r\n"),
            StreamForm::JsonArray => {}
        }
    }
}
