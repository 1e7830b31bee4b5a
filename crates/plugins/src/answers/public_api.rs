//! `public-api`: publishes what the gateway itself has to say on a route of the user's choice, with whatever
//! plugins that route has in front of it. Today that is the metrics, if they have no listener of their own.

use std::sync::Arc;

use gateway::answer::Answer;
use gateway::exchange::Exchange;
use gateway::plugin::{CompileContext, Phases, Plugin, PluginDef, Step};
use gateway::services::Services;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::definition;

/// What is published.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Config {
    /// The internal path, such as `/apisix/prometheus/metrics`; the request's own path if absent.
    #[serde(default)]
    pub uri: Option<String>,
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin::<Config>("public-api", 501, compile)
}

struct PublicApi {
    uri: Option<Box<str>>,
    services: Arc<Services>,
}

/// What can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Metrics,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    Ok(Arc::new(PublicApi { uri: config.uri.map(Into::into), services: context.services.clone() }))
}

impl Plugin for PublicApi {
    fn phases(&self) -> Phases {
        Phases::ACCESS
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let uri = self.uri.as_deref().unwrap_or_else(|| exchange.request.path());
        let attributes = &self.services.settings.plugin_attr.prometheus;
        let metrics_at = (!attributes.enable_export_server).then_some(attributes.export_uri.as_str());
        Step::Answer(match api(uri, metrics_at) {
            Some(Api::Metrics) => Answer::text(StatusCode::OK, self.services.metrics.render()),
            None => Answer::page(StatusCode::NOT_FOUND),
        })
    }
}

/// What stands at `uri`, where the metrics stand at `metrics_at`.
fn api(uri: &str, metrics_at: Option<&str>) -> Option<Api> {
    (metrics_at == Some(uri)).then_some(Api::Metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_published_only_where_they_have_no_listener() {
        let uri = "/apisix/prometheus/metrics";
        assert_eq!(api(uri, Some(uri)), Some(Api::Metrics));
        assert_eq!(api(uri, None), None);
        assert_eq!(api("/apisix/status", Some(uri)), None);
    }
}
