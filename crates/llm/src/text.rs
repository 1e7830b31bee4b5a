//! What a request tells about itself beyond its model: who the end user is and how many tools it offers.
//!
//! Read from the body that is sent upstream, for log fields and metrics.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::endpoint::endpoint;
use crate::json::Raw;
use crate::protocol::Protocol;
use crate::scan::BodyScan;

/// The client's identifier of its own user; `None` if the body names none or `protocol` has no such field.
pub fn end_user_id(protocol: Protocol, scan: &BodyScan) -> Option<Cow<'_, str>> {
    endpoint(protocol).end_user.iter().find_map(|path| {
        let (first, rest) = path.split_first()?;
        scan.get(first)?.at(rest)?.text()
    })
}

/// How many tools the request offers: the length of the top-level `tools` array.
pub fn tool_count(scan: &BodyScan) -> usize {
    scan.get("tools").map_or(0, |tools| tools.elements().count())
}

/// The prompt's text, part by part, in the order of the body: every string that the model reads as words.
/// Images, audio, ids and other strings that are not words are left out. Tool definitions count as they stand.
pub fn for_each_prompt_text<'a>(protocol: Protocol, scan: &'a BodyScan, mut visit: impl FnMut(Cow<'a, str>)) {
    for name in endpoint(protocol).prompt_fields {
        match scan.get(name) {
            Some(tools) if *name == "tools" => visit(String::from_utf8_lossy(tools.bytes)),
            Some(input) if protocol == Protocol::BedrockCountTokens => visit_counted(input, &mut visit),
            Some(value) => visit_words(value, &mut visit),
            None => {}
        }
    }
}

/// How deep a body in base64 may nest that is still read.
const MAX_CODED_DEPTH: usize = 64;

/// Members whose strings are data or names, not words.
const NOT_WORDS: [&[u8]; 23] = [
    b"type",
    b"role",
    b"id",
    b"call_id",
    b"tool_call_id",
    b"tool_use_id",
    b"toolUseId",
    b"url",
    b"image_url",
    b"uri",
    b"fileUri",
    b"data",
    b"bytes",
    b"file_data",
    b"file_id",
    b"media_type",
    b"mimeType",
    b"format",
    b"signature",
    b"thoughtSignature",
    b"thought_signature",
    b"encrypted_content",
    b"redactedContent",
];

fn visit_words<'a>(value: Raw<'a>, visit: &mut dyn FnMut(Cow<'a, str>)) {
    if let Some(text) = value.text() {
        visit(text);
        return;
    }
    for element in value.elements() {
        visit_words(element, visit);
    }
    for (key, member) in value.members() {
        if !NOT_WORDS.contains(&key) {
            visit_words(member, visit);
        }
    }
}

/// What Bedrock is to count: a Converse body, or one of `invoke` in base64.
fn visit_counted<'a>(input: Raw<'a>, visit: &mut dyn FnMut(Cow<'a, str>)) {
    match input.get("invokeModel") {
        Some(invoked) => visit_coded_words(invoked, visit),
        None => visit_words(input, visit),
    }
}

/// The words of a body whose JSON is in base64.
fn visit_coded_words<'a>(invoked: Raw<'_>, visit: &mut dyn FnMut(Cow<'a, str>)) {
    let coded = invoked.get("body").and_then(Raw::text);
    let Some(body) = coded.and_then(|coded| BASE64_STANDARD.decode(coded.as_bytes()).ok()) else { return };
    if let Ok(body) = BodyScan::parse(&body.into(), MAX_CODED_DEPTH) {
        visit_words(body.raw(), &mut |words| visit(Cow::Owned(words.into_owned())));
    }
}
