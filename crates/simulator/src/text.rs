//! What the simulator says, and how it counts tokens: both depend on nothing but the request and the seed.
//!
//! **Answers.** One token of an answer is one piece of its text: a word with the space before it, cut after
//! twelve bytes. Streamed, each piece is one event, so that a stream's events, its text and its reported usage
//! can be held against each other.
//!
//! **Prompts.** A message costs four tokens and one more for every four bytes of its text, rounded up.

/// The token cost of a prompt's message beyond its text.
pub const TOKENS_PER_MESSAGE: u32 = 4;

/// Where the time of sending goes: `@` and 19 digits of Unix nanoseconds.
pub(crate) const CLOCK: &str = "@0000000000000000000";

const LONGEST_PIECE: usize = 12;
const LONGEST_QUOTE: usize = 240;

const CLOSINGS: [&str; 4] = [
    " No model was called; every word of this was made up on the spot.",
    " Give me a provider key and a real model will answer in my place.",
    " I always say the same to the same question, which tests like.",
    " Ask again: the answer will not change, and neither will its price.",
];

const FILLER: [&str; 16] = [
    " water", " rises", " slowly", " at", " the", " gate", " and", " falls", " again", " with", " every", " tide",
    " under", " a", " quiet", " moon",
];

/// Prompt tokens of one text, without [`TOKENS_PER_MESSAGE`].
pub fn count(text: &str) -> u32 {
    u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX)
}

/// A text and where its tokens end.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    ends: Vec<u32>,
}

impl Text {
    /// The greeting that quotes `message`.
    pub fn answer(seed: u64, message: &str) -> Self {
        let quote = shortened(message);
        let closing = CLOSINGS[pick(seed, message, CLOSINGS.len())];
        let opening = "Hello from Tidegate's simulator!";
        let said = if quote.is_empty() { " You said nothing.".to_owned() } else { format!(" You said: \"{quote}\".") };
        Self::cut(format!("{opening}{said}{closing}"))
    }

    /// Text of exactly `tokens` tokens.
    pub fn filler(seed: u64, message: &str, tokens: u32) -> Self {
        let start = pick(seed, message, FILLER.len());
        let words = (0..tokens as usize).map(|index| FILLER[(start + index) % FILLER.len()]);
        let mut text =
            Self { text: String::with_capacity(tokens as usize * 6), ends: Vec::with_capacity(tokens as usize) };
        for (index, word) in words.enumerate() {
            text.text.push_str(if index == 0 { word.trim_start() } else { word });
            text.ends.push(end(&text.text));
        }
        text
    }

    /// Tokens that are each `@` and 19 zeros, to become the time when they are sent.
    pub fn clock(tokens: u32) -> Self {
        let ends = (1..=tokens).map(|index| index * CLOCK.len() as u32).collect();
        Self { text: CLOCK.repeat(tokens as usize), ends }
    }

    /// Any text, cut into tokens.
    pub fn cut(text: String) -> Self {
        let mut ends = Vec::with_capacity(text.len() / 5 + 1);
        let mut start = 0;
        for (at, char) in text.char_indices() {
            let word_begins = char == ' ' && at > start;
            if word_begins || at - start >= LONGEST_PIECE {
                ends.push(u32::try_from(at).unwrap_or(u32::MAX));
                start = at;
            }
        }
        if start < text.len() {
            ends.push(end(&text));
        }
        Self { text, ends }
    }

    /// Keeps the first `tokens` tokens; tells whether that left something out.
    pub fn limit(&mut self, tokens: u32) -> bool {
        let cut = self.tokens() > tokens;
        if cut {
            self.ends.truncate(tokens as usize);
            self.text.truncate(self.ends.last().map_or(0, |&end| end as usize));
        }
        cut
    }

    pub fn tokens(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Token `index`, from 0; empty past the end.
    pub fn piece(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).map_or(self.text.len(), |&end| end as usize) };
        let end = self.ends.get(index).map_or(self.text.len(), |&end| end as usize);
        &self.text[start..end]
    }
}

fn end(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn shortened(message: &str) -> &str {
    let message = message.trim();
    let end = message.char_indices().map(|(at, _)| at).find(|&at| at >= LONGEST_QUOTE).unwrap_or(message.len());
    &message[..end]
}

fn pick(seed: u64, message: &str, choices: usize) -> usize {
    (hash(seed, message.as_bytes()) % choices as u64) as usize
}

/// FNV-1a, from a seed, with a final mix so that its low bits are good.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let folded = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Chance(folded).next()
}

/// SplitMix64: enough chance for jitter and vectors, and the same on every run.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in 0..1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
