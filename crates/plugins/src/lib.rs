//! Every plugin, one module each, and the one table that registers them.
//!
//! A module reads top to bottom: what the plugin is for, its `Config` (the only source of its JSON schema), the
//! checks that a schema cannot say, what is compiled once, the phases. Modules know the gateway's contract
//! (`gateway::plugin`) and nothing of each other. Called by the binary at start-up.

use gateway::plugin::{PluginDef, Registry};

mod ai;
mod answers;
mod auth;
mod definition;
mod header_change;
pub mod observability;
mod query;
mod security;
mod traffic;
mod transform;

#[cfg(test)]
mod tests;

/// All plugins of this build, of which `enabled` may be used (`plugins` in `config.yaml`; all if `None`).
pub fn registry(enabled: Option<&[String]>) -> Registry {
    Registry::new(definitions(), enabled, NOT_SUPPORTED).with_standing(vec![observability::access_log::standing()])
}

/// The table: a plugin that is not here does not exist. Highest priority first.
fn definitions() -> Vec<PluginDef> {
    vec![
        transform::request_id::definition(),
        answers::mocking::definition(),
        security::cors::definition(),
        security::ip_restriction::definition(),
        auth::jwt_auth::definition(),
        auth::key_auth::definition(),
        auth::consumer_restriction::definition(),
        ai::ai_request_rewrite::definition(),
        ai::ai_proxy::definition(),
        transform::proxy_rewrite::definition(),
        traffic::limit_count::definition(),
        transform::response_rewrite::definition(),
        answers::public_api::definition(),
        observability::prometheus::definition(),
        observability::http_logger::definition(),
        observability::file_logger::definition(),
    ]
}

/// Plugins that APISIX has and this build does not: a configuration that names one is refused with a text that
/// says so, instead of being taken for a misspelling.
const NOT_SUPPORTED: &[&str] = &[
    "acl",
    "ai",
    "ai-aliyun-content-moderation",
    "ai-aws-content-moderation",
    "ai-cache",
    "ai-lakera-guard",
    "ai-prompt-decorator",
    "ai-prompt-guard",
    "ai-prompt-template",
    "ai-proxy-multi",
    "ai-rag",
    "ai-rate-limiting",
    "api-breaker",
    "attach-consumer-label",
    "basic-auth",
    "body-transformer",
    "clickhouse-logger",
    "client-control",
    "csrf",
    "data-mask",
    "datadog",
    "echo",
    "elasticsearch-logger",
    "error-log-logger",
    "exit-transformer",
    "fault-injection",
    "forward-auth",
    "gzip",
    "hmac-auth",
    "kafka-logger",
    "limit-conn",
    "limit-req",
    "loki-logger",
    "mcp-bridge",
    "multi-auth",
    "node-status",
    "opa",
    "openid-connect",
    "opentelemetry",
    "proxy-buffering",
    "proxy-cache",
    "proxy-control",
    "proxy-mirror",
    "real-ip",
    "redirect",
    "referer-restriction",
    "request-validation",
    "server-info",
    "serverless-post-function",
    "serverless-pre-function",
    "skywalking",
    "skywalking-logger",
    "tcp-logger",
    "traffic-label",
    "traffic-split",
    "ua-restriction",
    "uri-blocker",
    "workflow",
    "zipkin",
];
