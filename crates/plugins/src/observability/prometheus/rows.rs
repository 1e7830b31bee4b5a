//! The metrics of this plugin, a row each: what they are registered by, and what metadata about them is held against.
//! Names and help texts are APISIX's where it has the metric.

use super::labels::{self, Labels};

/// A metric.
#[derive(Debug)]
pub(super) struct Row {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: Labels,
}

const fn row(name: &'static str, help: &'static str, labels: Labels) -> Row {
    Row { name, help, labels }
}

pub(super) static HTTP_STATUS: Row = row("http_status", "HTTP status codes per service in APISIX", labels::HTTP_STATUS);
pub(super) static HTTP_LATENCY: Row =
    row("http_latency", "HTTP request latency in milliseconds per service in APISIX", labels::HTTP_TYPED);
pub(super) static BANDWIDTH: Row =
    row("bandwidth", "Total bandwidth in bytes consumed per service in APISIX", labels::HTTP_TYPED);
pub(super) static LLM_LATENCY: Row = row("llm_latency", "LLM request latency in milliseconds", labels::LLM_LATENCY);
pub(super) static PROMPT_TOKENS: Row = row("llm_prompt_tokens", "LLM service consumed prompt tokens", labels::LLM);
pub(super) static COMPLETION_TOKENS: Row =
    row("llm_completion_tokens", "LLM service consumed completion tokens", labels::LLM);
pub(super) static PROMPT_TOKENS_DIST: Row = row("llm_prompt_tokens_dist", "LLM prompt tokens per request", labels::LLM);
pub(super) static COMPLETION_TOKENS_DIST: Row =
    row("llm_completion_tokens_dist", "LLM completion tokens per request", labels::LLM);
pub(super) static ACTIVE: Row =
    row("llm_active_connections", "Number of active connections to LLM service", labels::LLM_ACTIVE);
pub(super) static ESTIMATED: Row = row(
    "llm_usage_estimated_total",
    "LLM requests whose tokens were estimated, because the provider did not report them",
    labels::LLM,
);
pub(super) static SPEED: Row =
    row("llm_tokens_per_second", "Completion tokens per second after the first token", labels::LLM);
pub(super) static INCOMPLETE: Row = row(
    "incomplete_responses_total",
    "Responses that did not reach the client whole, by what they ended as",
    labels::INCOMPLETE,
);

static ALL: [&Row; 12] = [
    &HTTP_STATUS,
    &HTTP_LATENCY,
    &BANDWIDTH,
    &LLM_LATENCY,
    &PROMPT_TOKENS,
    &COMPLETION_TOKENS,
    &PROMPT_TOKENS_DIST,
    &COMPLETION_TOKENS_DIST,
    &ACTIVE,
    &ESTIMATED,
    &SPEED,
    &INCOMPLETE,
];

/// The row of the metric `name`.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    ALL.into_iter().find(|row| row.name == name)
}
