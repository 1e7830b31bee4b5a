//! `prometheus`: counts requests, their latency, their bytes and, for LLM requests, their tokens, by route, service,
//! consumer and node. The metrics' text is served elsewhere; here is only what a request adds to it.
//!
//! Which labels a metric has, and where their values come from, are the tables in [`labels`]; what is observed is
//! [`series`]. A request looks its handles up once in a cache of its thread and then only adds.

mod labels;
mod rows;
mod series;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use config::catalog::Side;
use gateway::answer::Answer;
use gateway::exchange::{Dispatch, Exchange};
use gateway::metrics::{Gauge, HandleCache, Held};
use gateway::plugin::{CompileContext, Needs, Phases, Plugin, PluginDef};
use gateway::services::Services;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::definition::{self, Declare as _};
use labels::{Facts, ModelNames};
use series::{RequestHandles, Series};

const NAME: &str = "prometheus";

/// How routes and services are called in labels.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// By name, where they have one, instead of by id.
    pub prefer_name: bool,
}

/// What is left out of the labels.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// By metric: the labels whose values are left empty.
    pub disabled_labels: BTreeMap<String, Vec<String>>,
}

pub(crate) fn definition() -> PluginDef {
    let definition = definition::plugin::<Config>(NAME, 500, compile).with_metadata::<Metadata>().checked(check);
    PluginDef { prefer_route: true, ..definition }
}

fn check(config: &Value, side: Side) -> Result<(), String> {
    if side != Side::Metadata {
        return Ok(());
    }
    let metadata: Metadata = definition::read(config)?;
    metadata.disabled_labels.iter().try_for_each(|(metric, disabled)| labels::check_disabled(metric, disabled))
}

struct Prometheus {
    services: Arc<Services>,
    series: Series,
    prefer_name: bool,
    /// Tells this configuration's handles from others' in the threads' caches.
    identity: u64,
}

/// Handles that a thread has used.
#[derive(Default)]
struct Known {
    requests: HandleCache<RequestHandles>,
    active: HandleCache<Gauge>,
    models: ModelNames,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let config: Config = definition::read(config)?;
    let metadata = context.metadata.map(definition::read::<Metadata>).transpose()?.unwrap_or_default();
    let settings = &context.services.settings.plugin_attr.prometheus;
    Ok(Arc::new(Prometheus {
        series: Series::register(&context.services.metrics, settings, &metadata.disabled_labels),
        services: context.services.clone(),
        prefer_name: config.prefer_name,
        identity: NEXT.fetch_add(1, Ordering::Relaxed),
    }))
}

impl Plugin for Prometheus {
    fn phases(&self) -> Phases {
        Phases::BEFORE_PROXY.and(Phases::LOG)
    }

    fn needs(&self) -> Needs {
        Needs::of_variables(self.series.variables())
    }

    fn before_proxy(&self, exchange: &mut Exchange) -> Option<Answer> {
        let active = self.count_active(exchange)?;
        exchange.count_call(active);
        None
    }

    fn log(&self, exchange: &Exchange) {
        with_known(|known| {
            let mut facts = Facts::of(exchange, self.prefer_name, self.series.extra_values(exchange));
            facts.limit_models(&mut known.models);
            let metrics = &*self.services.metrics;
            let bind = || self.series.bind_request(&facts);
            let handles = known.requests.get(metrics, self.identity, facts.all(), bind)?;
            self.series.observe_http(handles, &facts, exchange);
            // What was refused before any provider was called has no tokens, and no name to show them under.
            if let Some(call) = exchange.llm.as_ref().filter(|call| !call.instance.is_empty())
                && let Some(handles) = handles.llm.get_or_init(|| self.series.bind_llm(&facts))
            {
                self.series.observe_llm(handles, &facts, call, exchange.response.status);
            }
            Some(())
        });
    }
}

/// The thread's cache; `None` if the thread is ending and has none any more: the log phase must never panic.
fn with_known<R>(work: impl FnOnce(&mut Known) -> Option<R>) -> Option<R> {
    KNOWN.try_with(|known| known.try_borrow_mut().ok().and_then(|mut known| work(&mut known))).ok().flatten()
}

impl Prometheus {
    fn count_active(&self, exchange: &Exchange) -> Option<Held> {
        let Dispatch::Llm(backend) = &exchange.dispatch else { return None };
        let mut facts = Facts::of(exchange, self.prefer_name, self.series.extra_values(exchange));
        facts.set_provider(&backend.name, backend.fixed_model.as_deref());
        with_known(|known| {
            facts.limit_models(&mut known.models);
            let bind = || self.series.bind_active(&facts);
            known.active.get(&self.services.metrics, self.identity, facts.all(), bind).map(Gauge::hold)
        })
    }
}
