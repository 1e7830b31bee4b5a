//! Amazon Bedrock's `invoke` and `invoke-with-response-stream`: a model family's own bodies, whose streams come as
//! base64 within the frames of an AWS event stream.
//!
//! The families that are read have bodies of a dialect, so that their codec is that dialect's with other frames around
//! its events. Invariant: a stream ends with the counts that Bedrock adds to its last event. What providers answer to
//! Anthropic's bodies is read by [`native`](crate::dialect::native).

mod family;
mod write;

pub use family::InvokeFamily;

pub(super) use write::Writer;

/// The member that Bedrock adds to the last event.
pub(in crate::dialect) const METRICS: &str = "amazon-bedrock-invocationMetrics";
