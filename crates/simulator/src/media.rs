//! Pictures, spoken text, and recordings that are written down, as OpenAI's API does it. The same request has the same
//! answer; nothing in it is art.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dialect::Refusal;
use crate::dialect::models;
use crate::dialect::wire::{named_event, to_json};
use crate::form::Form;
use crate::service::{EVENT_STREAM, Exchange, Outcome, TEXT};
use crate::text::{Chance, count, hash};

/// A picture of one point.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";

const MPEG: HeaderValue = HeaderValue::from_static("audio/mpeg");
const BYTES_PER_TOKEN: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Pictures,
    Speech,
    Transcription,
}

#[derive(Deserialize)]
struct Asked {
    model: Option<String>,
    prompt: Option<String>,
    input: Option<String>,
    n: Option<usize>,
}

pub(crate) fn answer(media: Media, exchange: &Exchange, seed: u64) -> Result<Outcome, Refusal> {
    match media {
        Media::Pictures => pictures(exchange).map(Outcome::json),
        Media::Speech => speech(exchange, seed),
        Media::Transcription => transcription(exchange),
    }
}

/// Made from JSON, or changed from those in a form.
fn pictures(exchange: &Exchange) -> Result<Bytes, Refusal> {
    let (asked, given) = match Form::read(&exchange.head.headers, &exchange.body) {
        Ok(form) => {
            let text = |name| form.text(name).map(str::to_owned);
            let n = form.text("n").and_then(|n| n.parse().ok());
            (Asked { model: text("model"), prompt: text("prompt"), input: None, n }, form.file()?.content.len())
        }
        Err(_) => (asked(&exchange.body)?, 0),
    };
    known(asked.model.as_deref())?;
    let number = asked.n.unwrap_or(1);
    let pictures: Vec<Value> = (0..number).map(|_| json!({"b64_json": STANDARD.encode(PICTURE)})).collect();
    let text = count(asked.prompt.as_deref().unwrap_or_default()) as usize;
    let mut answer = json!({"created": 1_700_000_000, "data": pictures});
    answer["usage"] = usage("input_tokens_details", [("text_tokens", text), ("image_tokens", given)], 100 * number);
    Ok(to_json(&answer))
}

/// Bytes of all kinds, more for a longer text.
fn speech(exchange: &Exchange, seed: u64) -> Result<Outcome, Refusal> {
    let asked = asked(&exchange.body)?;
    known(asked.model.as_deref())?;
    let input = asked.input.ok_or_else(|| Refusal::missing("input"))?;
    let mut chance = Chance(hash(seed, input.as_bytes()));
    let sound = (0..input.len() * BYTES_PER_TOKEN / 8).flat_map(|_| chance.next().to_le_bytes());
    Ok(Outcome::whole(MPEG, b"ID3".iter().copied().chain(sound).collect()))
}

/// Says how long the recording was.
fn transcription(exchange: &Exchange) -> Result<Outcome, Refusal> {
    let form = Form::read(&exchange.head.headers, &exchange.body)?;
    known(form.text("model"))?;
    let length = form.file()?.content.len();
    let text = format!("A recording of {length} bytes.");
    let heard = [("text_tokens", 0), ("audio_tokens", length.div_ceil(BYTES_PER_TOKEN))];
    let usage = usage("input_token_details", heard, count(&text) as usize);
    if form.text("stream") == Some("true") {
        let kinds = ["transcript.text.delta", "transcript.text.done"];
        let delta = json!({"type": kinds[0], "delta": text});
        let done = json!({"type": kinds[1], "text": text, "usage": usage});
        return Ok(Outcome::whole(
            EVENT_STREAM,
            [named_event(kinds[0], &delta), named_event(kinds[1], &done)].concat().into(),
        ));
    }
    Ok(match form.text("response_format") {
        Some("text") => Outcome::whole(TEXT, format!("{text}\n").into()),
        _ => Outcome::json(to_json(&json!({"text": text, "usage": usage}))),
    })
}

fn asked(body: &[u8]) -> Result<Asked, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))
}

fn known(model: Option<&str>) -> Result<(), Refusal> {
    models::known(model.ok_or_else(|| Refusal::missing("model"))?)
}

fn usage(details: &str, input: [(&str, usize); 2], output: usize) -> Value {
    let sum = input[0].1 + input[1].1;
    let mut usage =
        json!({"type": "tokens", "input_tokens": sum, "output_tokens": output, "total_tokens": sum + output});
    usage[details] = input.into_iter().map(|(kind, tokens)| (kind.to_owned(), json!(tokens))).collect();
    usage
}
