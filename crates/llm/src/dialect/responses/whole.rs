//! The response object, as it stands in a body and in the first and last events of a stream.
//!
//! Invariant: every member that OpenAI's SDKs require is there. What only echoes the request is written as the default
//! that OpenAI itself tells, unless the answer says otherwise.

use super::stop::Status;
use super::{content, usage};
use crate::json::{ObjectWriter, write_string};
use crate::model::{Extras, TokenCounts};

/// Members that echo the request, or that nobody told.
const DEFAULTS: [(&str, &str); 20] = [
    ("background", "false"),
    ("completed_at", "null"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("store", "false"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// A response object.
pub(super) struct Whole<'w> {
    pub id: &'w str,
    pub model: &'w str,
    /// Seconds since 1970.
    pub created: u64,
    pub status: Status<'w>,
    /// The items, a JSON array.
    pub output: &'w [u8],
    pub usage: Option<&'w TokenCounts>,
    pub service_tier: Option<&'w str>,
    /// What the answer says beyond the model, if it is of this dialect.
    pub extras: Option<&'w Extras<'w>>,
}

impl Whole<'_> {
    /// Appends the object.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.string("id", self.id);
        if !self.tells("object") {
            object.string("object", "response");
        }
        object.number("created_at", self.created);
        object.string("status", self.status.name);
        object.string("model", self.model);
        if !self.tells("error") {
            self.write_error(&mut object);
        }
        if !self.tells("incomplete_details") {
            match self.status.incomplete {
                Some(reason) => object.object("incomplete_details").string("reason", reason),
                None => object.null("incomplete_details"),
            }
        }
        object.raw("output", self.output);
        match self.usage {
            Some(counts) => usage::write(object.key("usage"), counts, self.extras),
            None => object.null("usage"),
        }
        object.maybe_string("service_tier", self.service_tier);
        for (name, value) in DEFAULTS.iter().filter(|(name, _)| !self.tells(name)) {
            object.raw(name, value.as_bytes());
        }
        for (name, value) in self.extras.into_iter().flat_map(Extras::iter) {
            if !name.starts_with("usage.") {
                object.raw(name, value.bytes());
            }
        }
    }

    fn tells(&self, name: &str) -> bool {
        self.extras.is_some_and(|extras| extras.get(name).is_some())
    }

    fn write_error(&self, object: &mut ObjectWriter<'_>) {
        if self.status.name != "failed" {
            return object.null("error");
        }
        let mut error = object.object("error");
        error.string("code", "server_error");
        error.string("message", "The model's answer could not be completed.");
    }
}

/// Made-up names for the items of an answer.
#[derive(Debug, Default)]
pub(super) struct ItemNames {
    /// Letters and digits of the answer's own name.
    seed: String,
}

impl ItemNames {
    /// Names for the items of the answer called `id`.
    pub(super) fn of(id: &str) -> Self {
        Self { seed: id.chars().filter(char::is_ascii_alphanumeric).take(40).collect() }
    }

    /// The name of the item at `index`; `prefix` is what OpenAI's names of its kind begin with.
    pub(super) fn name(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}{index}", self.seed)
    }
}

/// Writes a message of the assistant; `content` is a JSON array.
pub(super) fn write_message(item: &mut ObjectWriter<'_>, id: &str, status: &str, content: &[u8]) {
    item.string("id", id);
    item.string("type", "message");
    item.string("status", status);
    item.string("role", "assistant");
    item.raw("content", content);
}

/// Writes an image as what OpenAI's own tool for images has made; `data` is base64.
pub(super) fn write_image(item: &mut ObjectWriter<'_>, data: &str, media_type: Option<&str>) {
    item.string("type", "image_generation_call");
    item.string("result", data);
    item.maybe_string("output_format", media_type.and_then(|kind| kind.strip_prefix("image/")));
}

/// A part of a message, as its bytes.
pub(super) fn text_part(text: &str, annotations: &[u8], logprobs: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    content::OutputText { text, annotations, logprobs }.write(&mut ObjectWriter::new(&mut out));
    out
}

/// A refusal within a message, as its bytes.
pub(super) fn refusal_part(refusal: &str) -> Vec<u8> {
    let mut out = Vec::new();
    content::write_refusal(&mut ObjectWriter::new(&mut out), refusal);
    out
}

/// A piece of reasoning, as its bytes; `kind` is `summary_text` or `reasoning_text`.
pub(super) fn thought_part(kind: &str, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    object.string("type", kind);
    write_string(object.key("text"), text);
    drop(object);
    out
}
