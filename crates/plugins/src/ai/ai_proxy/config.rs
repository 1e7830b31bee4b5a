//! The configuration of `ai-proxy`, in APISIX's names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::auth::Auth;
use crate::ai::provider_name::ProviderName;

/// Which provider, with which credentials, and what is done to requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Config {
    /// The provider's name; decides address, paths and peculiarities.
    pub provider: ProviderName,
    /// Credentials; may be empty.
    pub auth: Auth,
    /// Where the provider's resources are, for clouds that want to know.
    pub provider_conf: Option<ProviderConf>,
    /// Set in every request body, over what the client sent.
    #[schemars(with = "Option<Options>")]
    pub options: Option<Map<String, Value>>,
    pub r#override: Option<Override>,
    /// Tidegate's own.
    #[serde(default)]
    pub translation: TranslationConfig,
    #[serde(default)]
    pub logging: Logging,
    /// Milliseconds, for connecting, sending and each read on its own.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout: u64,
    /// Longest request body, in bytes.
    #[serde(default = "max_req_body_size")]
    #[schemars(range(min = 1))]
    pub max_req_body_size: u64,
    /// Milliseconds from the call's begin after which a stream is broken off.
    #[schemars(range(min = 1))]
    pub max_stream_duration_ms: Option<u64>,
    /// Longest answer, in bytes.
    #[schemars(range(min = 1))]
    pub max_response_bytes: Option<u64>,
    /// Keep connections for later requests.
    #[serde(default = "yes")]
    pub keepalive: bool,
    /// Milliseconds an idle connection is kept.
    #[serde(default = "keepalive_timeout")]
    #[schemars(range(min = 1000))]
    pub keepalive_timeout: u64,
    /// Idle connections kept per worker.
    #[serde(default = "keepalive_pool")]
    #[schemars(range(min = 1))]
    pub keepalive_pool: u32,
    /// Taken for compatibility: every chunk is sent on when it arrives.
    #[serde(default = "flush_interval")]
    #[schemars(range(min = 0))]
    #[allow(dead_code, reason = "shown in the schema, without effect")]
    pub streaming_flush_interval_ms: u64,
    /// Check the provider's certificate.
    #[serde(default = "yes")]
    pub ssl_verify: bool,
}

/// What is done about what the provider's dialect has no words for, where it is another than the client's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnLoss {
    /// Leave it out and name it in `x-tidegate-dropped`.
    #[default]
    Drop,
    /// Refuse the request with 400.
    Refuse,
}

/// How requests and answers are translated where client and provider speak different dialects.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct TranslationConfig {
    pub on_loss: OnLoss,
}

/// Where the provider's resources are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ProviderConf {
    /// GCP project.
    pub project_id: Option<String>,
    /// GCP or AWS region.
    #[schemars(length(min = 1))]
    pub region: Option<String>,
    /// Tidegate's own: Azure's `api-version`. The deployment is then the model's name.
    #[schemars(length(min = 1))]
    pub api_version: Option<String>,
}

/// Body fields to set. Only the schema's view: any other field may stand beside `model`.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes a free-form object to the schema")]
struct Options {
    /// The model that every request is given.
    model: Option<String>,
}

/// Deviations from the provider's defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Override {
    /// `scheme://host[:port][/path][?query]`; a path serves every protocol.
    #[schemars(length(min = 1))]
    pub endpoint: Option<String>,
    pub llm_options: Option<LlmOptions>,
    /// By protocol: an object merged into the body.
    pub request_body: Option<RequestBodies>,
    /// In a conflict, `request_body` wins over the client.
    #[serde(default)]
    pub request_body_force_override: bool,
}

/// Options that every provider has, under its own names.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LlmOptions {
    /// Longest answer, in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
}

/// Objects to merge, by protocol name.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestBodies(pub Map<String, Value>);

/// The keys that [`RequestBodies`] may have.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code, reason = "describes a map of known keys to the schema")]
struct RequestBodyKeys {
    anthropic_messages: Option<BTreeMap<String, Value>>,
    bedrock_converse: Option<BTreeMap<String, Value>>,
    openai_chat: Option<BTreeMap<String, Value>>,
    openai_embeddings: Option<BTreeMap<String, Value>>,
    openai_responses: Option<BTreeMap<String, Value>>,
    passthrough: Option<BTreeMap<String, Value>>,
}

impl JsonSchema for RequestBodies {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        RequestBodyKeys::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RequestBodyKeys::json_schema(generator)
    }
}

/// What loggers may show of requests.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Logging {
    /// Model, tokens, times.
    pub summaries: bool,
    /// Prompts and answers.
    pub payloads: bool,
}

fn timeout() -> u64 {
    30_000
}

fn max_req_body_size() -> u64 {
    64 << 20
}

fn keepalive_timeout() -> u64 {
    60_000
}

fn keepalive_pool() -> u32 {
    30
}

fn flush_interval() -> u64 {
    10
}

fn yes() -> bool {
    true
}
