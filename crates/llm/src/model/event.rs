//! What a streamed answer tells, piece by piece.

use super::{Citation, Json, Media, Signature, Stop, Text, TokenCounts};
use crate::errors::ApiError;

/// One piece of news. A reader gives them in the order in which the provider told them.
///
/// Pieces of one part follow each other; a part ends where another kind of piece of the same choice follows, where
/// another call starts, or at [`Event::PartEnd`]. Only arguments of several calls may be mixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Once, before everything but [`Event::Error`].
    Start(StreamStart<'a>),
    Text {
        choice: u32,
        text: Text<'a>,
    },
    /// A piece of reasoning.
    Reasoning {
        choice: u32,
        text: Text<'a>,
        is_summary: bool,
    },
    /// Signs the part that is being told: reasoning or, at Gemini, text. A part of its own if there is none.
    Signature {
        choice: u32,
        signature: Signature<'a>,
    },
    /// Reasoning that only the provider can read; a whole part.
    EncryptedReasoning {
        choice: u32,
        id: Option<Text<'a>>,
        data: Signature<'a>,
    },
    Refusal {
        choice: u32,
        text: Text<'a>,
    },
    /// A call begins. `call` numbers the calls of a choice from 0.
    ToolCall {
        choice: u32,
        call: u32,
        /// Empty where the dialect gives none.
        id: Text<'a>,
        name: Text<'a>,
        signature: Option<Signature<'a>>,
    },
    /// A piece of a call's arguments.
    Arguments {
        choice: u32,
        call: u32,
        json: Text<'a>,
    },
    Citation {
        choice: u32,
        citation: Box<Citation<'a>>,
    },
    /// A picture or a recording; a whole part.
    Media {
        choice: u32,
        media: Box<Media<'a>>,
    },
    /// OpenAI's `logprobs` object of the pieces just told.
    Logprobs {
        choice: u32,
        logprobs: Json<'a>,
    },
    /// The part that is being told is complete.
    PartEnd {
        choice: u32,
    },
    /// Something only its own dialect knows, as a whole: not carried to another.
    Opaque {
        choice: u32,
        json: Json<'a>,
    },
    Stop {
        choice: u32,
        stop: Stop<'a>,
    },
    /// All counts so far, cumulative.
    Usage(TokenCounts),
    /// The provider has given up.
    Error(ApiError<'a>),
    /// The dialect's end marker. Never told by dialects that end with their connection.
    End,
}

/// What the beginning of a stream tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamStart<'a> {
    pub id: Text<'a>,
    pub model: Option<Text<'a>>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    pub service_tier: Option<Text<'a>>,
}
