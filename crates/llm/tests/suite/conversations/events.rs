//! The events in which an answer could have been streamed.

use tidegate_llm::model::{Choice, Event, PartBody, Response, StreamStart};

/// Tells `answer` in pieces of about `size` characters.
pub fn of(answer: &Response<'static>, size: usize, tell: &mut dyn FnMut(Event<'_>)) {
    tell(Event::Start(StreamStart {
        id: answer.id.clone(),
        model: answer.model.clone(),
        created: answer.created,
        service_tier: None,
    }));
    answer.choices.iter().for_each(|choice| of_choice(choice, size, tell));
    if let Some(usage) = answer.usage {
        tell(Event::Usage(usage));
    }
}

fn of_choice(told: &Choice<'static>, size: usize, tell: &mut dyn FnMut(Event<'_>)) {
    let choice = told.index;
    let mut call = 0;
    for part in &told.parts {
        match &part.body {
            PartBody::Text { text, .. } => {
                pieces(text, size).for_each(|text| tell(Event::Text { choice, text: text.into() }));
            }
            PartBody::Refusal(text) => {
                pieces(text, size).for_each(|text| tell(Event::Refusal { choice, text: text.into() }));
            }
            PartBody::Reasoning(thought) => {
                let is_summary = thought.is_summary;
                pieces(&thought.text, size)
                    .for_each(|text| tell(Event::Reasoning { choice, text: text.into(), is_summary }));
                if let Some(signature) = thought.signature.clone() {
                    tell(Event::Signature { choice, signature });
                }
            }
            PartBody::ToolCall(made) => {
                let (id, name, signature) = (made.id.clone(), made.name.clone(), made.signature.clone());
                tell(Event::ToolCall { choice, call, id, name, signature });
                pieces(&made.arguments, size)
                    .for_each(|json| tell(Event::Arguments { choice, call, json: json.into() }));
                call += 1;
            }
            PartBody::Media(_) | PartBody::ToolResult(_) | PartBody::Opaque(_) => {}
        }
        tell(Event::PartEnd { choice });
    }
    if let Some(stop) = told.stop.clone() {
        tell(Event::Stop { choice, stop });
    }
}

/// `text` in pieces of `size` characters.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (piece, later) = rest.split_at(end);
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}
