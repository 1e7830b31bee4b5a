//! JSON and SSE on the wire, for all dialects: reading the loose shapes of message content, writing events.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Appends `value` as JSON.
pub(crate) fn put_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("what the simulator writes has string keys, and a Vec takes any bytes");
}

pub(crate) fn to_json(value: &(impl Serialize + ?Sized)) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    put_json(&mut out, value);
    out.into()
}

/// `data: JSON` and a blank line.
pub(crate) fn data_event(value: &Value) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    put_json(&mut out, value);
    out.extend_from_slice(b"\n\n");
    out
}

/// `event: NAME`, `data: JSON` and a blank line.
pub(crate) fn named_event(name: &str, value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&data_event(value));
    out
}

/// The text in a message's content, which is a string or an array of parts.
pub(crate) fn content_text(content: Option<&RawValue>) -> String {
    let Some(json) = content.map(RawValue::get) else {
        return String::new();
    };
    if json.starts_with('"') {
        return serde_json::from_str(json).unwrap_or_default();
    }
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let parts: Vec<Part> = serde_json::from_str(json).unwrap_or_default();
    parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n")
}
