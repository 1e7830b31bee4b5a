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
    "authz-casbin",
    "authz-casdoor",
    "authz-keycloak",
    "aws-lambda",
    "azure-functions",
    "basic-auth",
    "batch-requests",
    "body-transformer",
    "brotli",
    "cas-auth",
    "chaitin-waf",
    "clickhouse-logger",
    "client-control",
    "csrf",
    "data-mask",
    "datadog",
    "degraphql",
    "dubbo-proxy",
    "echo",
    "elasticsearch-logger",
    "error-log-logger",
    "error-page",
    "etcd-logger",
    "example-plugin",
    "exit-transformer",
    "ext-plugin-post-req",
    "ext-plugin-post-resp",
    "ext-plugin-pre-req",
    "fault-injection",
    "forward-auth",
    "gm",
    "google-cloud-logging",
    "graphql-limit-count",
    "graphql-proxy-cache",
    "grpc-transcode",
    "grpc-web",
    "gzip",
    "hmac-auth",
    "http-dubbo",
    "inspect",
    "jwe-decrypt",
    "kafka-logger",
    "kafka-proxy",
    "lago",
    "ldap-auth",
    "ldap-auth-advanced",
    "limit-conn",
    "limit-req",
    "log-rotate",
    "loggly",
    "loki-logger",
    "mcp-bridge",
    "mqtt-proxy",
    "multi-auth",
    "node-status",
    "ocsp-stapling",
    "opa",
    "openfunction",
    "openid-connect",
    "opentelemetry",
    "openwhisk",
    "proxy-buffering",
    "proxy-cache",
    "proxy-control",
    "proxy-mirror",
    "real-ip",
    "redirect",
    "referer-restriction",
    "request-validation",
    "rocketmq-logger",
    "server-info",
    "serverless-post-function",
    "serverless-pre-function",
    "skywalking",
    "skywalking-logger",
    "sls-logger",
    "splunk-hec-logging",
    "syslog",
    "tcp-logger",
    "tencent-cloud-cls",
    "traffic-label",
    "traffic-split",
    "ua-restriction",
    "udp-logger",
    "uri-blocker",
    "wolf-rbac",
    "workflow",
    "zipkin",
];
