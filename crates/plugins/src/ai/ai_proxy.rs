//! `ai-proxy`: sends LLM requests to a provider, in the dialect they came in or, where the provider speaks another, in
//! its own. The request is admitted (content type, body, protocol) in `access`; the gateway's dispatch then calls the
//! provider.

mod auth;
mod config;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ::config::catalog::Side;
use ::config::resource::KeepalivePool;
use gateway::exchange::{Dispatch, Exchange};
use gateway::inference::{Admission, Backend, BackendConfig, Place, admit};
use gateway::plugin::{CompileContext, Phases, Plugin, PluginDef, Step, Verdict};
use gateway::tls::client::Verify;
use llm::{LossPolicy, ShapeConfig, ShapeRules};
use serde_json::Value;

use self::config::{Config, OnLoss};
use super::provider_name::{ProviderName, check_address};
use crate::definition::{self, Declare as _};

pub(crate) fn definition() -> PluginDef {
    let mut definition = definition::plugin::<Config>("ai-proxy", 1040, compile).checked(check);
    definition.info.encrypt_fields = auth::SECRETS;
    definition
}

/// What the schema cannot say.
fn check(config: &Value, _: Side) -> Result<(), String> {
    let config: Config = definition::read(config)?;
    let ProviderName(provider) = config.provider;
    let endpoint = config.r#override.as_ref().and_then(|overrides| overrides.endpoint.as_deref());
    let place = place(&config);
    match provider.name {
        "vertex-ai" if endpoint.is_none() && (place.project.is_none() || place.region.is_none()) => {
            let message = "vertex-ai requires either provider_conf (project_id + region) or override.endpoint";
            return Err(message.to_owned());
        }
        name @ ("bedrock" | "bedrock-invoke") if place.region.is_none() => {
            return Err(format!("{name} requires provider_conf.region"));
        }
        _ => {}
    }
    config.auth.check(provider)?;
    config.auth.compile(provider, place.region.as_deref())?;
    check_address(provider, endpoint, &place)
}

struct AiProxy {
    backend: Arc<Backend>,
    admission: Admission,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    let ProviderName(provider) = config.provider;
    let overrides = config.r#override.as_ref();
    let rules = ShapeRules::compile(
        provider,
        &ShapeConfig {
            options: config.options.as_ref(),
            max_tokens: overrides.and_then(|overrides| overrides.llm_options.as_ref()?.max_tokens),
            request_body: overrides.and_then(|overrides| overrides.request_body.as_ref()).map(|bodies| &bodies.0),
            force: overrides.is_some_and(|overrides| overrides.request_body_force_override),
        },
    );
    let place = place(&config);
    let backend = Backend::compile(
        BackendConfig {
            name: &format!("ai-proxy-{}", provider.name),
            provider,
            endpoint: overrides.and_then(|overrides| overrides.endpoint.as_deref()),
            auth: config.auth.compile(provider, place.region.as_deref())?,
            rules,
            timeout: Duration::from_millis(config.timeout),
            keepalive: keepalive(&config),
            verify: if config.ssl_verify { Verify::Yes } else { Verify::No },
            max_stream_duration: config.max_stream_duration_ms.map(Duration::from_millis),
            max_response_bytes: config.max_response_bytes,
            error_response: context.error_response.cloned(),
            log_summary: config.logging.summaries,
            log_payload: config.logging.payloads,
            losses: losses(&config),
            place,
        },
        context.services,
    )
    .map_err(|error| error.to_string())?;
    let settings = &context.services.settings;
    Ok(Arc::new(AiProxy {
        backend: Arc::new(backend),
        admission: Admission {
            max_body_bytes: config.max_req_body_size,
            max_json_depth: settings.tidegate.max_json_depth,
            body_timeout: settings.nginx_config.http.client_body_timeout,
        },
    }))
}

fn place(config: &Config) -> Place {
    let Some(known) = &config.provider_conf else { return Place::default() };
    Place { project: known.project_id.clone(), region: known.region.clone(), api_version: known.api_version.clone() }
}

fn losses(config: &Config) -> LossPolicy {
    match config.translation.on_loss {
        OnLoss::Drop => LossPolicy::Drop,
        OnLoss::Refuse => LossPolicy::Refuse,
    }
}

/// Without keep-alive a connection serves one request.
fn keepalive(config: &Config) -> KeepalivePool {
    KeepalivePool {
        size: config.keepalive_pool,
        idle_timeout: Duration::from_millis(config.keepalive_timeout),
        requests: if config.keepalive { u64::MAX } else { 1 },
    }
}

impl Plugin for AiProxy {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Wait(Box::pin(async move {
            match admit(exchange, self.admission).await {
                Ok(()) => {
                    exchange.dispatch = Dispatch::Llm(self.backend.clone());
                    Verdict::Next
                }
                Err(answer) => Verdict::Answer(answer),
            }
        }))
    }
}
