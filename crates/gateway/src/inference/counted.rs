//! Token counts for clients that ask for nothing else, where the provider has no endpoint for it: by our own tokenizer,
//! in the client's dialect, and marked as estimated.

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use llm::{BodyScan, Dialect, Protocol};

use super::retelling::JSON;
use crate::answer::Answer;

/// Tells that the gateway has counted.
const ESTIMATED: HeaderName = HeaderName::from_static("x-tidegate-estimated");

/// The count of a request's tokens as `protocol` tells it.
pub(super) fn count(protocol: Protocol, scan: &BodyScan) -> Answer {
    let tokens = llm::estimate_request(protocol, scan);
    let field = match protocol.family() {
        Dialect::Gemini => "totalTokens",
        Dialect::BedrockConverse => "inputTokens",
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Cohere => "input_tokens",
    };
    Answer::text(StatusCode::OK, format!("{{\"{field}\":{tokens}}}"))
        .with_content_type(JSON)
        .with_header(ESTIMATED, HeaderValue::from_static("true"))
}
