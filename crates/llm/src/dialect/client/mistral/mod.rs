//! Mistral's Chat: OpenAI's, as Mistral's own SDKs speak it.
//!
//! They cannot be told from other clients by path and body, so their `User-Agent` tells. They ask in words of their own
//! ([`OWN_FIELDS`]), refuse a piece of a call without a name, are told counts at the end of each stream unasked, and
//! find thoughts and refusals nowhere but in the content. Invariant: all else is OpenAI Chat's, and so is its code.

mod request;
mod response;
mod stream;

pub(super) use request::read_request;
pub(super) use response::write_response;
pub(super) use stream::Writer;

/// What Mistral alone knows of a request and of its messages.
pub(super) const OWN_FIELDS: &[&str] = &["guardrails", "prefix", "prompt_mode", "safe_prompt"];

/// `user_agent` is that of one of Mistral's SDKs: `mistral-client-python/2.1.0`, `mistral-client-typescript/1.10.0`.
pub(super) fn is_agent(user_agent: &[u8]) -> bool {
    user_agent.starts_with(b"mistral-client-")
}
