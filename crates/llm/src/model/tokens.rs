//! Token counts with one arithmetic, so that any dialect's sums can be made of any other's.
//!
//! Providers differ in what a count includes: OpenAI counts cached input within the prompt, Anthropic beside it; Gemini
//! and xAI count reasoning beside the output. Invariant: here every count includes its details.

/// Larger numbers are not exact in JavaScript, and nonsense.
const MOST: u64 = 1 << 53;

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// The whole input: what was read from and written to the cache is part of it.
    pub input: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the provider's cache.
    pub cache_write: u64,
    /// Of what was written, what is kept for an hour (Anthropic's `ephemeral_1h_input_tokens`).
    pub cache_write_1h: u64,
    /// Input that was sound.
    pub audio_input: u64,
    /// Input that tools of the provider brought in (Gemini's `toolUsePromptTokenCount`).
    pub tool_input: u64,
    /// The whole output: reasoning is part of it.
    pub output: u64,
    /// Output that is reasoning.
    pub reasoning: u64,
    /// Output that is sound.
    pub audio_output: u64,
}

impl TokenCounts {
    /// Input and output.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Input that was neither read from nor written to the cache.
    pub fn uncached_input(&self) -> u64 {
        self.input.saturating_sub(self.cache_read).saturating_sub(self.cache_write)
    }

    /// Output that is not reasoning.
    pub fn visible_output(&self) -> u64 {
        self.output.saturating_sub(self.reasoning)
    }

    /// The same counts with no detail larger than what it is a part of, so that every dialect's sums hold.
    ///
    /// OpenRouter lists tokens of Gemini's as both read from and written to the cache.
    #[must_use]
    pub fn bounded(&self) -> Self {
        let (input, output) = (self.input.min(MOST), self.output.min(MOST));
        let cache_read = self.cache_read.min(input);
        let cache_write = self.cache_write.min(input - cache_read);
        let reasoning = self.reasoning.min(output);
        Self {
            input,
            cache_read,
            cache_write,
            cache_write_1h: self.cache_write_1h.min(cache_write),
            audio_input: self.audio_input.min(input),
            tool_input: self.tool_input.min(input),
            output,
            reasoning,
            audio_output: self.audio_output.min(output - reasoning),
        }
    }

    /// Takes in a later report of the same stream. Reports are cumulative: a positive count replaces, a zero erases
    /// nothing.
    pub fn merge(&mut self, later: &Self) {
        let pairs = [
            (&mut self.input, later.input),
            (&mut self.cache_read, later.cache_read),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_1h, later.cache_write_1h),
            (&mut self.audio_input, later.audio_input),
            (&mut self.tool_input, later.tool_input),
            (&mut self.output, later.output),
            (&mut self.reasoning, later.reasoning),
            (&mut self.audio_output, later.audio_output),
        ];
        for (known, new) in pairs {
            if new > 0 {
                *known = new;
            }
        }
    }
}
