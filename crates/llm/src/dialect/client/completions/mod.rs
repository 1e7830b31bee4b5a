//! OpenAI's older `/v1/completions`: one prompt is the only turn of a conversation, the answer's text is `text`.
//!
//! Settings, finish reasons, usage and the envelope of chunks are OpenAI Chat's, and so is their code. Invariant: what
//! a conversation has no place for (`suffix`, `echo`, `best_of`) is named as lost; an answer's thoughts are, too.

mod logprobs;
mod request;
mod response;
mod stream;

pub(super) use request::read_request;
pub(super) use response::write_response;
pub(super) use stream::Writer;

/// What the answer says it is, whole or in pieces.
const OBJECT: &str = "text_completion";
