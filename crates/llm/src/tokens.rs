//! Token counts where the provider reports none: a stream that broke off, a server that never says.
//!
//! The o200k vocabulary stands in for every model; other vocabularies differ by some percent, so a count from here
//! is always marked as estimated. Invariant: the vocabulary (tens of MB) is loaded by the first count, not before.

use crate::json::{Kind, Raw};
use crate::protocol::Protocol;
use crate::scan::BodyScan;
use crate::text::for_each_prompt_text;

/// Longer texts are counted up to here and the rest in proportion, so that one request cannot hold a worker long.
const MAX_COUNTED_BYTES: usize = 256 * 1024;

/// Role and separators of one chat message.
const TOKENS_PER_MESSAGE: u64 = 4;

/// Tokens in `text`.
pub fn estimate_text(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let mut cut = text.len().min(MAX_COUNTED_BYTES);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let counted = bpe_openai::o200k_base().count(&text[..cut]) as u64;
    if cut == text.len() { counted } else { (counted as f64 * text.len() as f64 / cut as f64) as u64 }
}

/// Tokens in what the model reads of a request.
pub fn estimate_request(protocol: Protocol, scan: &BodyScan) -> u64 {
    let mut words = String::new();
    for_each_prompt_text(protocol, scan, |text| {
        words.push_str(&text);
        words.push('\n');
    });
    // An embedding request may bring its input as tokens.
    let tokens = match protocol {
        Protocol::OpenAiEmbeddings => scan.get("input").map_or(0, count_numbers),
        _ => 0,
    };
    let messages = scan.get("messages").map_or(0, |list| list.elements().count() as u64);
    estimate_text(words.trim_end()) + tokens + messages * TOKENS_PER_MESSAGE
}

/// The numbers in a list, or in the lists in it.
fn count_numbers(value: Raw<'_>) -> u64 {
    match value.kind {
        Kind::Number => 1,
        _ => value.elements().map(count_numbers).sum(),
    }
}
