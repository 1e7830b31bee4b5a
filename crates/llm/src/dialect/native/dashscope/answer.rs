//! Answers, whole and streamed: an event of a stream has the form of a whole answer.
//!
//! Invariant: choices are read as Chat's, whole and in pieces; nothing that only DashScope knows is kept.

use crate::dialect::{Dialect, EventReader, Frame, ReadError, chat};
use crate::errors::read_error;
use crate::json::{Kind, Raw};
use crate::model::{Event, Extras, PartBody, Response, Text, TokenCounts};

/// The envelope's members.
#[derive(Default)]
struct Envelope<'a> {
    id: Text<'a>,
    choices: Option<Raw<'a>>,
    /// The answer in the older form, in which some models still answer.
    text: Option<Raw<'a>>,
    reason: Option<Raw<'a>>,
    usage: Option<TokenCounts>,
    message: Option<Text<'a>>,
}

impl<'a> Envelope<'a> {
    fn read(raw: Raw<'a>) -> Self {
        let mut envelope = Self::default();
        for (key, value) in raw.members() {
            match key {
                b"request_id" => envelope.id = value.text().unwrap_or_default(),
                b"usage" if value.is_object() => envelope.usage = Some(read_usage(value)),
                b"message" => envelope.message = value.text(),
                b"output" => {
                    for (key, value) in value.members() {
                        match key {
                            b"choices" if value.kind == Kind::Array => envelope.choices = Some(value),
                            b"text" if value.kind == Kind::String => envelope.text = Some(value),
                            b"finish_reason" => envelope.reason = Some(value),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        envelope
    }
}

fn read_usage(usage: Raw<'_>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    let detail = |details: Raw<'_>, name: &str| details.first(name).and_then(Raw::count).unwrap_or(0);
    for (key, value) in usage.members() {
        match key {
            b"input_tokens" => counts.input = value.count().unwrap_or(0),
            b"output_tokens" => counts.output = value.count().unwrap_or(0),
            b"audio_tokens" => counts.audio_input = value.count().unwrap_or(0),
            b"cached_tokens" => counts.cache_read = counts.cache_read.max(value.count().unwrap_or(0)),
            b"prompt_tokens_details" => {
                counts.cache_read = counts.cache_read.max(detail(value, "cached_tokens"));
            }
            b"output_tokens_details" => counts.reasoning = detail(value, "reasoning_tokens"),
            _ => {}
        }
    }
    counts
}

/// Reads a whole answer.
///
/// # Errors
/// If it is an error, or has no choices.
pub(super) fn read(body: Raw<'_>) -> Result<Response<'_>, ReadError> {
    let envelope = Envelope::read(body);
    let choices = match (envelope.choices, envelope.text) {
        (Some(choices), _) => choices.elements().map(chat::read_choice).collect(),
        (None, Some(text)) => vec![chat::read_text_choice(text, envelope.reason)],
        (None, None) => {
            return Err(ReadError::new(envelope.message.unwrap_or("no choices in response".into())));
        }
    };
    let mut response =
        Response { id: envelope.id, choices, usage: envelope.usage, ..Response::new(Dialect::OpenAiChat) };
    for choice in &mut response.choices {
        choice.extras = Extras::default();
        choice.parts.retain(|part| !matches!(part.body, PartBody::Opaque(_)));
        choice.parts.iter_mut().for_each(|part| part.extras = Extras::default());
    }
    Ok(response)
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    choices: chat::Reader,
}

impl EventReader for Reader {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(raw) = Raw::checked(frame.data).and_then(Raw::object) else { return };
        let envelope = Envelope::read(raw);
        if frame.name == b"error" {
            return tell(Event::Error(read_error(Dialect::OpenAiChat, status_of(raw), None, frame.data)));
        }
        match (envelope.choices, envelope.text) {
            (Some(choices), _) => self.choices.read_messages(envelope.id, choices, tell),
            (None, Some(text)) => self.choices.read_text(envelope.id, text, envelope.reason, tell),
            (None, None) => {}
        }
        if let Some(counts) = envelope.usage {
            tell(Event::Usage(counts));
        }
    }

    fn may_end(&self) -> bool {
        self.choices.may_end()
    }
}

/// The status that an error in a stream would have had; 0 if its code does not tell.
fn status_of(error: Raw<'_>) -> u16 {
    let code = error.first("code").and_then(Raw::text);
    if code.is_some_and(|code| code.starts_with("InvalidParameter")) { 400 } else { 0 }
}
