//! How LLM providers and their clients speak, as bytes: what a request asks, what an answer says and what it used, and
//! how each is told in another dialect.
//!
//! - **Tables.** [`Protocol`]s, [`Endpoint`]s and [`Provider`]s are rows. [`detect`] finds a client's endpoint,
//!   [`Provider::course`] how a provider is to be asked.
//! - **Bytes that pass.** A body is scanned once ([`BodyScan`]), changed by splicing into its bytes ([`shape_request`])
//!   and otherwise forwarded as it is; a stream is forwarded chunk by chunk while a side decoder looks for usage, the
//!   first token and the end ([`StreamFilter`], [`StreamObserver`]).
//! - **Bytes that are written anew.** Where client and provider speak different dialects, a request, an answer or a
//!   stream is read into the [`model`] and written from it ([`translate_request`], [`translate_response`],
//!   [`StreamTranslator`]). Embeddings and rankings have a smaller model of their own ([`Map`]).
//! - **Errors** are read by meaning ([`read_error`]) and told in the client's words ([`write_error`]). Tokens are taken
//!   from the provider's [`Usage`], or estimated ([`estimate_text`]).
//!
//! Invariant: no I/O, no clock, no async, no global state but the tokenizer's vocabulary. The data plane and the AI
//! plugins call it; it knows neither.

mod array_framing;
mod dialect;
mod edit;
mod embeddings;
mod endpoint;
mod errors;
mod eventstream;
mod filter;
mod framing;
pub mod json;
mod line_framing;
mod mapping;
pub mod model;
mod numbered;
mod observe;
mod protocol;
mod provider;
mod rerank;
mod response;
mod scan;
mod shape;
mod sse;
mod text;
mod tokens;
mod translate;
mod usage;

pub use array_framing::ArrayError;
pub use dialect::{
    ClientDialect, Dialect, DocumentPart, EventReader, EventWriter, Frame, InvokeFamily, ProviderDialect, Quirks,
    ReadError, Refused, Reply, StreamForm, StreamUsage, ThinkingField, ThoughtField, ToolChoices,
};
pub use edit::Edits;
pub use embeddings::{
    EmbedClient, EmbedError, EmbedInput, EmbedProvider, EmbedRequest, EmbedTask, Embeddings, Encoding, Truncation,
    Vector,
};
pub use endpoint::{
    AnswerKind, BodyKind, BodyRule, Content, Detected, Endpoint, EndpointPath, Framing, IdPlace, ModelAgain,
    NamesModel, Passing, PathForm, RequestPath, StreamFlag, Unlisted, UsageFields, detect, endpoint, endpoints,
    passing,
};
pub use errors::{
    ApiError, ErrorAnswer, ErrorKind, RateLimit, RateLimits, read_error, stream_error_event, tells_error, write_error,
    write_stream_error,
};
pub use eventstream::{EventStreamDecoder, EventStreamError, HeaderValue, Headers, Message, write_message};
pub use filter::{BrokenStream, StreamFilter, UsageChunk};
pub use framing::FrameError;
pub use json::{Elements, Kind, Members, Raw, ScanError};
pub use line_framing::LineError;
pub use mapping::{AnswerHead, Map, MapError, Mapped, Mapping};
pub use observe::{StreamEnd, StreamObserver};
pub use protocol::{Protocol, UnknownProtocol};
pub use provider::{Asked, Capability, Course, KeyPlace, MaxTokensField, Models, Provider, Takes};
pub use rerank::{Ranked, Ranking, RerankProvider, RerankRequest};
pub use response::{ResponseFacts, response_text};
pub use scan::{BodyScan, DEFAULT_MAX_DEPTH};
pub use shape::{ShapeConfig, ShapeRules, Shaped, shape_request, shape_request_for};
pub use sse::{Block, MAX_EVENT_BYTES, SseDecoder, SseError, SseEvent};
pub use text::{end_user_id, for_each_prompt_text, tool_count};
pub use tokens::{estimate_request, estimate_text};
pub use translate::{
    AnswerError, LossPolicy, PathFacts, Renames, StreamTranslator, Target, TranslateError, Translated,
    TranslatedAnswer, TranslatedEnd, translate_request, translate_response,
};
pub use usage::{Usage, raw_usage};
