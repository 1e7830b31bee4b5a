//! What a request or an answer may hold that not every dialect has words for, and the record of what was left out.
//!
//! The names are what users read in `x-tidegate-dropped` and in `docs/dialects.md`. Invariant: a writer leaves nothing
//! out without telling [`Losses`], and its dialect's list ([`Dialect::carries`](crate::Dialect::carries)) says
//! which features it never loses.

use std::fmt;

use super::Extras;

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// Something a dialect may have no words for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Feature {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Feature {
            /// Every feature, in the order of the documentation's tables.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)+];

            /// The name that users read.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Feature::$variant => $name,)+
                }
            }

            /// What the name means, for users.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Feature::$variant => concat!($($doc),+),)+
                }
            }
        }
    };
}

features! {
    /// Instructions between other turns stay where they are; elsewhere they move to the front.
    SystemPosition => "system_position",
    /// Names that tell speakers of one role apart.
    TurnName => "name",
    /// Images as bytes.
    Image => "image",
    /// Media that are named by URL.
    MediaUrl => "media_url",
    /// Media that are named by an identifier of the provider's file store.
    MediaFile => "media_file",
    /// How closely an image is looked at.
    ImageDetail => "image_detail",
    /// PDF and text documents.
    Document => "document",
    /// Sound in the request.
    Audio => "audio",
    /// Video in the request.
    Video => "video",
    /// Media in a tool's result.
    ToolResultMedia => "tool_result_media",
    /// The mark that a tool has failed.
    ToolResultError => "tool_result_error",
    /// Tools that the provider runs, and what they did.
    ServerTools => "server_tools",
    /// Arguments must follow a tool's schema exactly.
    StrictTools => "strict",
    /// Whether tools must or must not be called; Converse has no word for the latter where the history has calls.
    ToolChoice => "tool_choice",
    /// The model must call this very tool.
    ToolChoiceFunction => "tool_choice_function",
    /// Only some of the tools may be called.
    AllowedTools => "allowed_tools",
    /// Whether several tools may be called at once.
    ParallelToolCalls => "parallel_tool_calls",
    /// The answer is some JSON object.
    JsonObject => "json_object",
    /// The answer follows a JSON Schema; Claude before 4.1 knows none.
    JsonSchema => "json_schema",
    /// A limit of output tokens.
    MaxTokens => "max_tokens",
    /// Texts that end the answer.
    StopSequences => "stop_sequences",
    /// Temperatures above 1, which elsewhere become 1; and any beside thinking.
    HighTemperature => "temperature",
    /// Nucleus sampling; Claude from 4.1 on takes none beside a temperature.
    TopP => "top_p",
    /// Sampling from the k likeliest tokens.
    TopK => "top_k",
    /// A seed for sampling.
    Seed => "seed",
    /// Penalty by frequency.
    FrequencyPenalty => "frequency_penalty",
    /// Penalty by presence.
    PresencePenalty => "presence_penalty",
    /// A bias per token.
    LogitBias => "logit_bias",
    /// Log probabilities of the answer's tokens.
    Logprobs => "logprobs",
    /// Several answers to one request.
    Choices => "n",
    /// How hard the model thinks.
    ReasoningEffort => "reasoning_effort",
    /// The text of the model's thoughts.
    Reasoning => "reasoning",
    /// Signatures and encrypted thoughts, for the next turn.
    ReasoningSignature => "reasoning_signature",
    /// An identifier of the client's user.
    EndUser => "user",
    /// Labels that the provider stores with the request.
    Metadata => "metadata",
    /// The tier that serves the request.
    ServiceTier => "service_tier",
    /// Marks up to which the prompt is cached.
    CacheControl => "cache_control",
    /// A name under which earlier prompts are found again.
    PromptCacheKey => "prompt_cache_key",
    /// How wordy the answer is.
    Verbosity => "verbosity",
    /// A refusal in a field of its own; elsewhere it is text.
    Refusal => "refusal",
    /// Sources of the answer.
    Citations => "citations",
    /// Images and sound in the answer.
    MediaOutput => "media_output",
}

impl fmt::Display for Feature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// No more names of fields than this are kept, for the client chooses them; the rest is not told.
const MOST_FIELDS: usize = 32;

/// What a writer had no words for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    features: u64,
    fields: Vec<Box<str>>,
}

impl Losses {
    /// Notes that `feature` is left out.
    pub fn lose(&mut self, feature: Feature) {
        self.features |= 1 << feature as u64;
    }

    /// Notes that `feature` is left out, if `value` is there.
    pub fn lose_some<T>(&mut self, feature: Feature, value: Option<&T>) {
        if value.is_some() {
            self.lose(feature);
        }
    }

    /// Notes that a field which only the source dialect knows is left out.
    pub fn lose_field(&mut self, name: &str) {
        let printable = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        let name = if printable { name } else { "?" };
        if self.fields.len() < MOST_FIELDS && !self.fields.iter().any(|known| known.as_ref() == name) {
            self.fields.push(name.into());
        }
    }

    /// Notes that the field `name` is left out, unless its `value` could be read.
    pub fn lose_unless_read<T>(&mut self, name: &str, value: Option<&T>) {
        if value.is_none() {
            self.lose_field(name);
        }
    }

    /// Notes that all of `extras` is left out.
    pub fn lose_extras(&mut self, extras: &Extras<'_>) {
        extras.iter().for_each(|(name, _)| self.lose_field(name));
    }

    /// Nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.features == 0 && self.fields.is_empty()
    }

    /// The features that were left out.
    pub fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        Feature::ALL.iter().copied().filter(|feature| self.features & (1 << *feature as u64) != 0)
    }

    /// `true` if `feature` was left out.
    pub fn lost(&self, feature: Feature) -> bool {
        self.features & (1 << feature as u64) != 0
    }

    /// The names of the fields that were left out without being a feature.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(AsRef::as_ref)
    }

    /// Takes in what another step lost.
    pub fn add(&mut self, other: &Losses) {
        self.features |= other.features;
        other.fields().for_each(|name| self.lose_field(name));
    }
}

/// As the header shows it: `seed, logit_bias, field:store`.
impl fmt::Display for Losses {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for feature in self.features() {
            write!(out, "{separator}{feature}")?;
            separator = ", ";
        }
        for field in self.fields() {
            write!(out, "{separator}field:{field}")?;
            separator = ", ";
        }
        Ok(())
    }
}
