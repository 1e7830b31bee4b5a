//! A streamed answer, written: OpenAI Chat's chunks, with thoughts as parts of the content. Every chunk has a choice,
//! which Mistral's clients rely on: the counts stand beside the last finish reason.

use crate::dialect::{Dialect, EventWriter, Reply, chat};
use crate::model::Event;

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialect::client) struct Writer {
    chat: chat::Writer,
    /// The choice whose thoughts are being told: what proves them follows at once.
    thinking: Option<u32>,
}

impl Writer {
    pub(in crate::dialect::client) fn new(reply: Reply) -> Self {
        Self { chat: chat::Writer::new(reply, chat::CountsAt::LastChoice), thinking: None }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Reasoning { choice, text, .. } => {
                self.thinking = Some(*choice);
                self.chat.parts(*choice, out, |content| chat::write_thinking(text, None, content));
            }
            Event::Signature { choice, signature } if self.thinking == Some(*choice) => {
                let proof = signature.written(Dialect::OpenAiChat);
                self.chat.parts(*choice, out, |content| chat::write_thinking("", Some(&proof), content));
            }
            Event::Refusal { choice, text } => {
                self.thinking = None;
                self.chat.write(&Event::Text { choice: *choice, text: text.clone() }, out);
            }
            // Its SDKs pass by where OpenAI's form has these.
            Event::Signature { .. }
            | Event::EncryptedReasoning { .. }
            | Event::Citation { .. }
            | Event::Media { .. } => {}
            Event::Usage(_) | Event::Logprobs { .. } => self.chat.write(event, out),
            Event::Start(_)
            | Event::Text { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::PartEnd { .. }
            | Event::Opaque { .. }
            | Event::Stop { .. }
            | Event::Error(_)
            | Event::End => {
                self.thinking = None;
                self.chat.write(event, out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.chat.finish(out);
    }
}
