//! A streamed answer, written: text as it comes, each choice's finish reason in a chunk of its own, usage last and only
//! if it was asked for, then `[DONE]`.
//!
//! Invariant: nothing follows `[DONE]` or an error.

use super::{OBJECT, logprobs};
use crate::dialect::chat::{self, Envelope};
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::write_stream_error;
use crate::model::{Event, Json, Stop, StreamStart, TokenCounts};
use crate::numbered::Numbered;

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialect::client) struct Writer {
    envelope: Envelope,
    reply: Reply,
    choices: Numbered<Choice>,
    counts: Option<TokenCounts>,
    has_failed: bool,
}

/// What has been written of a choice.
#[derive(Debug)]
struct Choice {
    index: u32,
    /// Characters of the tokens whose log probabilities were told.
    offset: u64,
    /// Told at the end: some providers go on after it.
    stop: Option<Stop<'static>>,
}

/// What one chunk says of a choice.
#[derive(Default)]
struct Piece<'p> {
    text: &'p str,
    logprobs: Option<&'p Json<'p>>,
    finish_reason: Option<&'p str>,
}

impl Writer {
    pub(in crate::dialect::client) fn new(reply: Reply) -> Self {
        let envelope = Envelope::new(OBJECT, &StreamStart::default(), &reply);
        Self { envelope, reply, choices: Numbered::default(), counts: None, has_failed: false }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        self.choices.get_or_push_with(index, || Choice { index, offset: 0, stop: None })
    }

    fn piece(&mut self, index: u32, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let mut offset = self.choice(index).offset;
        self.envelope.choice(index, out, |object| {
            object.string("text", piece.text);
            logprobs::write(piece.logprobs, &mut offset, object);
            match piece.finish_reason {
                Some(reason) => object.string("finish_reason", reason),
                None => object.null("finish_reason"),
            }
        });
        self.choice(index).offset = offset;
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.envelope = Envelope::new(OBJECT, start, &self.reply),
            Event::Text { choice, text } | Event::Refusal { choice, text } => {
                self.piece(*choice, &Piece { text, ..Piece::default() }, out);
            }
            Event::Logprobs { choice, logprobs } => {
                self.piece(*choice, &Piece { logprobs: Some(logprobs), ..Piece::default() }, out);
            }
            Event::Stop { choice, stop } => self.choice(*choice).stop = Some(stop.clone().into_owned()),
            Event::Usage(counts) => self.counts.get_or_insert_default().merge(counts),
            Event::Error(error) => {
                self.has_failed = true;
                write_stream_error(Dialect::OpenAiChat, error, out);
            }
            Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. }
            | Event::Media { .. }
            | Event::PartEnd { .. }
            | Event::Opaque { .. }
            | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        self.choice(0);
        let stops: Vec<_> = self.choices.iter_mut().map(|choice| (choice.index, choice.stop.take())).collect();
        for (index, stop) in stops {
            let finish_reason = Some(stop.as_ref().map_or("stop", chat::stop_word));
            self.piece(index, &Piece { finish_reason, ..Piece::default() }, out);
        }
        if let Some(counts) = self.counts.filter(|_| self.reply.include_usage) {
            self.envelope.usage(out, |object| chat::write_usage(&counts, object));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
