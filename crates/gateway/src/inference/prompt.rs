//! What is kept of a request while its answer streams.
//!
//! A slow stream is held open by the thousand, so its request must not be: the body is let go when the first bytes
//! of the answer have come, since no other provider will be asked from then on. What may still be wanted is the
//! prompt's token count, and only if the provider reports none. A short body is therefore copied into an allocation
//! of its own (what the connection read is one block, kept whole by any slice of it); of a long one a sample of its
//! words and their total length are taken, which costs one pass over it and counts in proportion.

use llm::{BodyScan, Protocol};

/// Bodies up to this many bytes are kept as they are.
const SHORT_BODY_BYTES: usize = 8 * 1024;

/// Words kept of a longer body, in bytes: enough for an estimate within some percent.
const SAMPLE_BYTES: usize = 4 * 1024;

/// What is known of the prompt.
#[derive(Debug)]
pub(super) enum Prompt {
    /// The client's body, scanned.
    Whole(BodyScan),
    Sample(Sample),
    /// Nothing: the body passes unread.
    Unread,
}

/// The beginning of a long prompt.
#[derive(Debug)]
pub(super) struct Sample {
    words: Box<str>,
    /// Of all the prompt's words.
    total_bytes: u64,
}

impl Prompt {
    /// Lets go of what no estimate needs.
    pub fn shrink(&mut self, protocol: Protocol) {
        let Prompt::Whole(scan) = self else { return };
        if scan.body().len() <= SHORT_BODY_BYTES {
            scan.detach();
        } else {
            *self = Prompt::Sample(Sample::of(protocol, scan));
        }
    }

    /// Tokens in the prompt, by our own count.
    pub fn tokens(&self, protocol: Protocol) -> u64 {
        match self {
            Prompt::Whole(scan) => llm::estimate_request(protocol, scan),
            Prompt::Unread => 0,
            Prompt::Sample(sample) => in_proportion(&sample.words, sample.total_bytes),
        }
    }
}

impl Sample {
    fn of(protocol: Protocol, scan: &BodyScan) -> Self {
        let mut words = String::with_capacity(SAMPLE_BYTES);
        let mut total_bytes = 0;
        llm::for_each_prompt_text(protocol, scan, |text| {
            total_bytes += text.len() as u64;
            let room = SAMPLE_BYTES.saturating_sub(words.len());
            words.push_str(&text[..text.floor_char_boundary(room)]);
        });
        Self { words: words.into(), total_bytes }
    }
}

/// Tokens of a text of `total_bytes` that begins with `words`.
pub(super) fn in_proportion(words: &str, total_bytes: u64) -> u64 {
    let counted = llm::estimate_text(words);
    match words.len() as u64 {
        0 => 0,
        bytes if bytes >= total_bytes => counted,
        bytes => (counted as f64 * total_bytes as f64 / bytes as f64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn prompt(words: usize) -> Prompt {
        let text = "The quick brown fox jumps. ".repeat(words);
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let scan = BodyScan::parse(&Bytes::from(body.to_string()), 16).expect("JSON");
        Prompt::Whole(scan)
    }

    #[test]
    fn a_prompt_that_was_let_go_counts_nearly_what_it_counted() {
        for words in [1, 100, 1_000, 10_000] {
            let mut prompt = prompt(words);
            let before = prompt.tokens(Protocol::OpenAiChat) as f64;
            prompt.shrink(Protocol::OpenAiChat);
            let after = prompt.tokens(Protocol::OpenAiChat) as f64;
            assert!((after - before).abs() <= before * 0.03, "{words}: {before} became {after}");
        }
    }

    #[test]
    fn a_short_body_no_longer_holds_what_the_connection_read() {
        let Prompt::Whole(scan) = prompt(1) else { panic!("not shrunk yet") };
        let shared = scan.body().clone();
        let mut kept = Prompt::Whole(scan);
        kept.shrink(Protocol::OpenAiChat);
        assert!(shared.is_unique(), "nobody else holds it any more");
    }

    #[test]
    fn a_long_body_is_kept_as_a_sample() {
        let mut prompt = prompt(10_000);
        prompt.shrink(Protocol::OpenAiChat);
        let Prompt::Sample(sample) = prompt else { panic!("kept whole") };
        assert!(sample.words.len() <= SAMPLE_BYTES, "{}", sample.words.len());
    }
}
