//! A provider that is not there: it speaks the dialects of OpenAI, Anthropic, Gemini, Bedrock and Cohere with scripted
//! latency, faults and usage.
//!
//! Three users: `tidegate simulate` runs it alone, the gateway serves it as a provider when no key is configured, and
//! the tests and benchmarks put it behind the gateway to play every good and bad upstream.
//!
//! # What it answers
//!
//! | Path | Answer |
//! |---|---|
//! | `…/chat/completions` | OpenAI Chat, whole or streamed, with tools, `n`, `stream_options.include_usage` |
//! | `…/responses` | OpenAI Responses, whole or streamed |
//! | `…/completions` | OpenAI's older completions, whole or streamed |
//! | `…/moderations` | OpenAI moderations, which find nothing |
//! | `…/embeddings` | OpenAI embeddings, as floats or base64 |
//! | `…:embedContent`, `…:batchEmbedContents`, `…:predict` | embeddings of Gemini and Vertex AI |
//! | `…/v2/embed`, `…/api/embed`, `…/text-embedding` | embeddings of Cohere, Ollama and DashScope |
//! | `…/invoke` | Bedrock's embeddings (Titan, Cohere, Nova) and rankings (Cohere, Amazon) |
//! | `…/rerank`, `…/text-rerank` | rankings of Cohere and most others, of DashScope |
//! | `…/models`, `…/models/{id}` | the model `simulated`, and any that is asked for: as OpenAI and Mistral tell of it, with the header `anthropic-version` as Anthropic, with `x-goog-api-client` or below `/v1beta` as Gemini |
//! | `…/messages` | Anthropic Messages, whole or streamed, with tools and thinking |
//! | `…/messages/count_tokens` | Anthropic token count |
//! | `…:generateContent`, `…:streamGenerateContent` | Gemini, whole or as server-sent events, with tools |
//! | `…/converse`, `…/converse-stream` | Bedrock Converse, whole or as AWS's event stream, with tools |
//! | `…/invoke`, `…/invoke-with-response-stream` | Bedrock: the bodies of Claude and Nova, whole or as AWS's event stream, with tools |
//! | `…/v2/chat` | Cohere, whole or streamed, with tools |
//! | `…/images/generations`, `…/images/edits`, `…/images/variations` | OpenAI pictures, of one point each |
//! | `…/audio/speech`, `…/audio/transcriptions`, `…/audio/translations` | bytes that no player plays; how long a recording was, as JSON, text or stream |
//! | `…/v1/files…`, `…/v1/batches…`, `…/v1/messages/batches…` | files and batches of OpenAI and Anthropic, kept in memory |
//! | `…/realtime` | a WebSocket that sends back each message |
//! | `/echo…` | what arrived, as JSON: method, path, query, headers, body |
//! | `/bytes/{n}`, `/status/{code}` | n bytes; an empty answer with that status |
//! | `/slow?ms=…`, `/stream?n=…&interval_ms=…` | a late answer; n chunks with pauses |
//! | `/ws` | a WebSocket that sends back each message |
//! | `/`, `/health`, `/healthz` | `ok` |
//! | `/__simulator/health`, `/__simulator/requests`, `/__simulator/reset`, `/__simulator/script` | control |
//!
//! # What it says
//!
//! The text depends only on the seed and the last user message, see [`text`]. A request is told how to behave by the
//! header `x-simulate` or by a script file, see [`directives`] and [`script`].
//!
//! # Invariant
//!
//! The dialects of OpenAI's conversations and of Anthropic share no code with the gateway, so that a mistake there
//! cannot hide behind the same mistake here. The others are written by the `llm` crate; recorded exchanges and
//! SDKs are what checks them.

mod answer;
mod body;
mod connection;
pub mod control;
mod dialect;
pub mod directives;
mod form;
mod journal;
mod media;
mod options;
mod probes;
mod respond;
pub mod script;
mod server;
mod service;
mod shelf;
pub mod text;
mod websocket;

pub use options::Options;
pub use server::{Running, serve, spawn};
