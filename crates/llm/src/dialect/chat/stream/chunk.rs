//! The envelope that all chunks of one stream share.
//!
//! Invariant: what is appended from outside is always one whole `data:` event.

use crate::dialect::Reply;
use crate::json::{ArrayWriter, ObjectWriter, keep_on_one_line};
use crate::model::StreamStart;

/// What every chunk repeats.
#[derive(Debug)]
pub(in crate::dialect) struct Envelope {
    /// From `data:` up to and without the choices.
    head: Vec<u8>,
    /// OpenAI says `usage: null` until it tells the counts.
    tail: &'static [u8],
}

impl Envelope {
    /// The envelope of chunks that say they are an `object`.
    pub(in crate::dialect) fn new(object: &str, start: &StreamStart<'_>, reply: &Reply) -> Self {
        let mut head = b"data: ".to_vec();
        let mut chunk = ObjectWriter::new(&mut head);
        let id = if start.id.is_empty() { &reply.id } else { start.id.as_ref() };
        chunk.string("id", id);
        chunk.string("object", object);
        chunk.number("created", start.created.unwrap_or(reply.created));
        chunk.string("model", start.model.as_deref().unwrap_or(&reply.model));
        chunk.maybe_string("service_tier", start.service_tier.as_deref());
        drop(chunk);
        // The object stays open.
        head.pop();
        let tail: &[u8] = if reply.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" };
        Self { head, tail }
    }

    /// Appends a chunk of one choice whose `delta` is filled by `fill`.
    pub(super) fn delta(&self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.choice(choice, out, |object| {
            fill(&mut object.object("delta"));
            object.null("logprobs");
            object.null("finish_reason");
        });
    }

    /// Appends a chunk of one choice whose members are written by `fill`.
    pub(in crate::dialect) fn choice(&self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.open_choice(choice, out, fill);
        out.extend_from_slice(self.tail);
    }

    /// As [`Envelope::choice`], with `usage` beside the choice, filled by `count`.
    pub(super) fn counted_choice(
        &self,
        choice: u32,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut ObjectWriter<'_>),
        count: impl FnOnce(&mut ObjectWriter<'_>),
    ) {
        self.open_choice(choice, out, fill);
        out.extend_from_slice(b",\"usage\":");
        count(&mut ObjectWriter::new(out));
        out.extend_from_slice(b"}\n\n");
    }

    /// Appends a chunk that is still open behind its only choice.
    fn open_choice(&self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        out.extend_from_slice(&self.head);
        let told = out.len();
        out.extend_from_slice(b",\"choices\":");
        let mut choices = ArrayWriter::new(out);
        let mut object = choices.object();
        object.number("index", u64::from(choice));
        fill(&mut object);
        drop(object);
        drop(choices);
        keep_on_one_line(&mut out[told..]);
    }

    /// Appends a chunk of no choice that holds `usage`, filled by `fill`.
    pub(in crate::dialect) fn usage(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        fill(&mut ObjectWriter::new(out));
        out.extend_from_slice(b"}\n\n");
    }
}
