//! Strict state machines of the dialects' streams: what an SDK of each demands of the bytes it reads.

pub mod anthropic;
pub mod bedrock;
pub mod chat;
pub mod cohere;
pub mod gemini;
pub mod invoke;
pub mod mistral;
pub mod responses;
