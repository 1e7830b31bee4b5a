//! `ai-request-rewrite`: has a model rewrite the request's body, as its prompt tells, before the body goes on. The
//! call carries the plugin's own credentials and nothing of the client's but the body; the answer's text becomes the
//! body, whatever it is. Runs in `access`, before the plugins that read the body.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::catalog::Side;
use config::resource::KeepalivePool;
use gateway::answer::Answer;
use gateway::content_coding::Encoding;
use gateway::exchange::Exchange;
use gateway::headers;
use gateway::inference::{Backend, BackendConfig, Place, ProviderAuth};
use gateway::plugin::{CompileContext, Phases, Plugin, PluginDef, Step, Verdict};
use gateway::tls::client::Verify;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use llm::model::{Part, Request, Role, Turn};
use llm::{Dialect, Kind, LossPolicy, Raw, ShapeConfig, ShapeRules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::provider_name::{ProviderName, check_address};
use crate::definition::{self, Declare as _};
use crate::header_change::settable;

/// Idle connections to the model are kept so long.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Which model rewrites, and how it is told to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Config {
    /// The model's instructions; the body follows as the user's words.
    prompt: String,
    /// The provider's name; decides address, paths and peculiarities.
    provider: ProviderName,
    /// Credentials; may be empty.
    auth: Auth,
    /// Set in the model's request, such as `model` and `temperature`.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    options: Option<Map<String, Value>>,
    r#override: Option<Override>,
    /// Milliseconds, for connecting, sending and each read on its own.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 60_000))]
    timeout: u64,
    /// Keep connections for later requests.
    #[serde(default = "yes")]
    keepalive: bool,
    /// Idle connections kept per worker.
    #[serde(default = "keepalive_pool")]
    #[schemars(range(min = 1))]
    keepalive_pool: u32,
    /// Check the provider's certificate.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// Longest request body, in bytes.
    #[serde(default = "max_req_body_size")]
    #[schemars(range(min = 1))]
    max_req_body_size: u64,
}

/// How the gateway identifies itself to the provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Auth {
    /// Headers.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    header: BTreeMap<String, String>,
    /// Query arguments.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    query: BTreeMap<String, String>,
}

/// Deviations from the provider's defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Override {
    /// `scheme://host[:port][/path][?query]`.
    #[schemars(length(min = 1))]
    endpoint: Option<String>,
}

fn timeout() -> u64 {
    30_000
}

fn keepalive_pool() -> u32 {
    30
}

fn max_req_body_size() -> u64 {
    64 << 20
}

fn yes() -> bool {
    true
}

pub(crate) fn definition() -> PluginDef {
    let mut definition = definition::plugin::<Config>("ai-request-rewrite", 1073, compile).checked(check);
    definition.info.encrypt_fields = &["auth.header", "auth.query"];
    definition
}

/// What the schema cannot say.
fn check(config: &Value, _: Side) -> Result<(), String> {
    let config: Config = definition::read(config)?;
    let ProviderName(provider) = config.provider;
    let has_address = provider.host.is_some_and(|host| !host.contains('{'));
    if !has_address && config.endpoint().is_none() {
        return Err(format!("override.endpoint is required for {} provider", provider.name));
    }
    config.auth.headers()?;
    check_address(provider, config.endpoint(), &Place::default())
}

impl Config {
    fn endpoint(&self) -> Option<&str> {
        self.r#override.as_ref()?.endpoint.as_deref()
    }
}

impl Auth {
    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let header = |(name, value): (&String, &String)| {
            let known = settable(name).map_err(|reason| format!("auth.header: {reason}"))?;
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| format!("auth.header.{name}: the value holds characters that no header can carry"))?;
            value.set_sensitive(true);
            Ok((known, value))
        };
        self.header.iter().map(header).collect()
    }
}

struct AiRequestRewrite {
    backend: Backend,
    prompt: String,
    max_body_bytes: u64,
    body_timeout: Duration,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    let ProviderName(provider) = config.provider;
    let shape = ShapeConfig { options: config.options.as_ref(), ..ShapeConfig::default() };
    let backend = Backend::compile(
        BackendConfig {
            name: &format!("ai-request-rewrite-{}", provider.name),
            provider,
            endpoint: config.endpoint(),
            auth: ProviderAuth {
                headers: config.auth.headers()?,
                query: config.auth.query.clone().into_iter().collect(),
                credentials: None,
            },
            rules: ShapeRules::compile(provider, &shape),
            timeout: Duration::from_millis(config.timeout),
            keepalive: KeepalivePool {
                size: config.keepalive_pool,
                idle_timeout: KEEPALIVE_TIMEOUT,
                requests: if config.keepalive { u64::MAX } else { 1 },
            },
            verify: if config.ssl_verify { Verify::Yes } else { Verify::No },
            max_stream_duration: None,
            max_response_bytes: None,
            error_response: None,
            log_summary: false,
            log_payload: false,
            losses: LossPolicy::Drop,
            place: Place::default(),
        },
        context.services,
    )
    .map_err(|error| error.to_string())?;
    Ok(Arc::new(AiRequestRewrite {
        backend,
        prompt: config.prompt,
        max_body_bytes: config.max_req_body_size,
        body_timeout: context.services.settings.nginx_config.http.client_body_timeout,
    }))
}

impl AiRequestRewrite {
    async fn rewrite_body(&self, exchange: &mut Exchange) -> Result<(), Answer> {
        let body = exchange.body.read(self.max_body_bytes, self.body_timeout).await;
        let body = body.map_err(|error| refused(&error))?;
        if body.is_empty() {
            return Err(Answer::page(StatusCode::BAD_REQUEST));
        }
        let body = self.decoded(&exchange.request.headers, body)?;
        let mut request = Request::new(Dialect::OpenAiChat);
        // As APISIX says it.
        request.extras.keep(b"stream", Raw { bytes: b"false", kind: Kind::Bool });
        request.turns = vec![
            Turn::new(Role::System, vec![Part::text(self.prompt.as_str())]),
            Turn::new(Role::User, vec![Part::text(body)]),
        ];
        let failed = |reason: &dyn std::fmt::Display| {
            tracing::warn!(%reason, "ai-request-rewrite got no text");
            Answer::page(StatusCode::INTERNAL_SERVER_ERROR)
        };
        let said = exchange.caller().ask(&self.backend, &request).await.map_err(|error| failed(&error))?;
        let text = said.text.ok_or_else(|| failed(&"the model's answer has none"))?;
        exchange.body.replace(text.into());
        headers::remove(&mut exchange.request.headers, &CONTENT_ENCODING);
        // What was read of the client's own body holds no more.
        exchange.llm = None;
        Ok(())
    }

    /// The body as text, which is all that a model can be shown.
    fn decoded(&self, headers: &HeaderMap, body: Bytes) -> Result<String, Answer> {
        let decoded = match Encoding::of(headers) {
            Encoding::Plain => body,
            Encoding::Coded(coding) => coding.decode(&body, self.max_body_bytes).map_err(|error| refused(&error))?,
            Encoding::Unknown => return Err(Answer::page(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        };
        String::from_utf8(decoded.into()).map_err(|error| refused(&error.utf8_error()))
    }
}

/// The client's body cannot be shown to a model.
fn refused(reason: &dyn std::fmt::Display) -> Answer {
    tracing::warn!(%reason, "ai-request-rewrite cannot read the request's body");
    Answer::page(StatusCode::BAD_REQUEST)
}

impl Plugin for AiRequestRewrite {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Wait(Box::pin(async move {
            match self.rewrite_body(exchange).await {
                Ok(()) => Verdict::Next,
                Err(answer) => Verdict::Answer(answer),
            }
        }))
    }
}
