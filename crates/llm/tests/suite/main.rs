//! What the crate promises, told through its public face. Recorded exchanges are read from
//! `$TIDEGATE_FIXTURES/wire`; without that variable the tests which need them say so and pass.

#![allow(clippy::unwrap_used)]

mod anthropic_clients;
mod broken_streams;
mod call_identity;
mod client_completions;
mod client_invoke;
mod conversations;
mod detection;
mod dialect_anthropic_answers;
mod dialect_anthropic_recorded;
mod dialect_anthropic_requests;
mod dialect_bedrock;
mod dialect_bedrock_recorded;
mod dialect_chat;
mod dialect_chat_recordings;
mod dialect_cohere;
mod dialect_errors;
mod dialect_gemini_answers;
mod dialect_gemini_recordings;
mod dialect_gemini_requests;
mod dialect_gemini_streams;
mod dialect_responses;
mod dialect_responses_streams;
mod embeddings;
mod event_streams;
mod features;
mod framing;
mod given_up;
mod golden;
mod grammar;
mod leaves;
mod mixed_calls;
mod native;
mod native_dashscope;
mod native_features;
mod native_invoke;
mod native_ollama;
mod next_turns;
mod nothing_lost;
mod odd_answers;
mod pairs;
mod provider_errors;
mod provider_manners;
mod rate_limits;
mod recorded_answers;
mod recorded_streams;
mod recordings;
mod request_facts;
mod rerank;
mod scaling;
mod scanning;
mod shaping;
mod speed;
mod stream_ends;
