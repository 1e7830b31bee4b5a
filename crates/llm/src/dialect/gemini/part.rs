//! One part of a turn or of an answer, read. What a part is, the member it holds tells.
//!
//! Invariant: one part of JSON becomes one part of the model; a part with no known data stays whole, as
//! [`PartBody::Opaque`]. Called by the readers of requests, answers and streams.

use crate::json::{Kind, Raw};
use crate::model::{Extras, Json, Part, PartBody, Reasoning, Text, ToolCall, ToolResult};

use super::{media, signature};

/// Reads a part.
pub(super) fn read(part: Raw<'_>) -> Part<'_> {
    if let Some(text) = part.text() {
        return Part::text(text);
    }
    let mut extras = Extras::default();
    let (mut text, mut proof, mut data) = (None, None, None);
    let mut is_thought = false;
    for (key, value) in part.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"text" => text = value.text(),
            b"thought" => is_thought = value.is_true(),
            b"thoughtSignature" | b"thought_signature" => proof = value.text(),
            b"inlineData" | b"inline_data" => data = Some(PartBody::Media(Box::new(media::read_inline(value)))),
            b"fileData" | b"file_data" => data = Some(PartBody::Media(Box::new(media::read_file(value)))),
            b"functionCall" | b"function_call" => data = Some(PartBody::ToolCall(read_call(value))),
            b"functionResponse" | b"function_response" => data = Some(read_result(value, &mut extras)),
            _ => extras.keep(key, value),
        }
    }
    let only_extras = data.is_none() && text.is_none() && proof.is_none();
    let body = match data {
        Some(PartBody::ToolCall(call)) => {
            PartBody::ToolCall(ToolCall { signature: proof.map(signature::read), ..call })
        }
        Some(data) => {
            if let Some(proof) = proof {
                let json = serde_json::Value::from(proof.as_ref()).to_string().into_bytes();
                extras.0.push(("thoughtSignature".into(), Json::owned(json)));
            }
            data
        }
        None if only_extras => return PartBody::Opaque(part.into()).into(),
        // Server tools sign what they did as well; the part must go back as it is.
        None if text.is_none() && !extras.is_empty() => return PartBody::Opaque(part.into()).into(),
        None if is_thought => thought(text, proof),
        None => PartBody::Text {
            text: text.unwrap_or_default(),
            citations: Vec::new(),
            signature: proof.map(signature::read),
        },
    };
    Part { body, cache: None, extras }
}

/// The value's elements; a single part may stand without its array.
pub(super) fn elements(value: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let single = (value.kind != Kind::Array).then_some(value);
    single.into_iter().chain(value.elements()).filter(|element| !element.is_null())
}

/// A foreign proof without a text is what only its provider can read: nothing else is written so.
fn thought<'a>(text: Option<Text<'a>>, proof: Option<Text<'a>>) -> PartBody<'a> {
    let proof = proof.map(signature::read);
    let is_encrypted =
        text.is_none() && proof.as_ref().is_some_and(|proof| proof.native(crate::Dialect::Gemini).is_none());
    let (signature, encrypted) = if is_encrypted { (None, proof) } else { (proof, None) };
    // What Gemini shows of its thoughts is a summary.
    PartBody::Reasoning(Reasoning { id: None, text: text.unwrap_or_default(), is_summary: true, signature, encrypted })
}

fn read_call<'a>(call: Raw<'a>) -> ToolCall<'a> {
    let mut read = ToolCall { id: Text::default(), name: Text::default(), arguments: Text::default(), signature: None };
    for (key, value) in call.members() {
        match key {
            b"id" => read.id = value.text().unwrap_or_default(),
            b"name" => read.name = value.text().unwrap_or_default(),
            b"args" if value.is_object() => read.arguments = String::from_utf8_lossy(value.bytes),
            _ => {}
        }
    }
    read
}

fn read_result<'a>(result: Raw<'a>, extras: &mut Extras<'a>) -> PartBody<'a> {
    let mut read =
        ToolResult { call_id: Text::default(), name: None, content: Vec::new(), json: None, is_error: false };
    for (key, value) in result.members().filter(|(_, value)| !value.is_null()) {
        match key {
            b"id" => read.call_id = value.text().unwrap_or_default(),
            b"name" => read.name = value.text(),
            b"response" => read_outcome(value, &mut read),
            b"parts" => read.content.extend(elements(value).map(self::read)),
            _ => extras.keep(key, value),
        }
    }
    PartBody::ToolResult(read)
}

/// By Google's convention `output` holds what a function gave and `error` what went wrong; any other object is the
/// result as a whole.
fn read_outcome<'a>(response: Raw<'a>, result: &mut ToolResult<'a>) {
    let mut members = response.members();
    let (first, second) = (members.next(), members.next());
    let only = first.filter(|_| second.is_none());
    result.is_error = only.is_some_and(|(key, _)| key == b"error");
    match only.and_then(|(key, value)| matches!(key, b"output" | b"error").then(|| value.text()).flatten()) {
        Some(text) => result.content.insert(0, Part::text(text)),
        None => result.json = Some(response.into()),
    }
}
