//! A route as the data plane uses it: everything resolved, nothing left to merge.

use std::collections::HashMap;
use std::sync::Arc;

use config::resource::{Labels, Timeout};
use http::StatusCode;
use parking_lot::RwLock;

use super::chain::{Chain, PluginSet};
use super::consumers::Consumer;
use super::local::RouteRef;
use super::upstream::Upstream;
use crate::router::PatternId;

/// A compiled route, with its service and plugin config merged in.
pub struct Route {
    pub id: Arc<str>,
    pub name: Option<Arc<str>>,
    pub labels: Labels,
    pub service_id: Option<Arc<str>>,
    pub service_name: Option<Arc<str>>,
    pub chain: Arc<Chain>,
    pub upstream: UpstreamChoice,
    /// Overrides the upstream's timeouts.
    pub timeout: Option<Timeout>,
    pub enable_websocket: bool,
    /// Set if something the route names does not exist: what every request then gets.
    pub broken: Option<StatusCode>,
    plugins: PluginSet,
    with_consumer: RwLock<HashMap<Arc<str>, Arc<Chain>>>,
}

/// Where a route's requests go.
pub enum UpstreamChoice {
    Ready(Arc<Upstream>),
    /// The route names an upstream that does not exist.
    Missing,
    /// Neither route nor service has one.
    None,
}

impl UpstreamChoice {
    /// The same choice for another route of the service.
    pub fn again(&self) -> Self {
        match self {
            UpstreamChoice::Ready(upstream) => UpstreamChoice::Ready(upstream.clone()),
            UpstreamChoice::Missing => UpstreamChoice::Missing,
            UpstreamChoice::None => UpstreamChoice::None,
        }
    }
}

/// What of a route is decided by the time its chain is built.
pub struct RouteParts {
    pub id: Arc<str>,
    pub name: Option<Arc<str>>,
    pub labels: Labels,
    pub service_id: Option<Arc<str>>,
    pub service_name: Option<Arc<str>>,
    pub upstream: UpstreamChoice,
    pub timeout: Option<Timeout>,
    pub enable_websocket: bool,
    pub broken: Option<StatusCode>,
    pub plugins: PluginSet,
}

impl Route {
    /// Puts the chain in order.
    pub fn new(parts: RouteParts) -> Self {
        Self {
            id: parts.id,
            name: parts.name,
            labels: parts.labels,
            service_id: parts.service_id,
            service_name: parts.service_name,
            chain: Arc::new(Chain::new(&parts.plugins)),
            upstream: parts.upstream,
            timeout: parts.timeout,
            enable_websocket: parts.enable_websocket,
            broken: parts.broken,
            plugins: parts.plugins,
            with_consumer: RwLock::default(),
        }
    }

    /// The chain with `consumer`'s plugins over the route's, merged once per pair and plan. `None` if the consumer
    /// brings none.
    pub fn chain_for(&self, consumer: &Consumer) -> Option<Arc<Chain>> {
        if consumer.plugins.0.is_empty() {
            return None;
        }
        if let Some(chain) = self.with_consumer.read().get(&consumer.username) {
            return Some(chain.clone());
        }
        let mut merged = self.plugins.clone();
        merged.extend(consumer.plugins.0.iter().map(|(name, entry)| (*name, entry.clone())));
        let chain = Arc::new(Chain::new(&merged));
        self.with_consumer.write().insert(consumer.username.clone(), chain.clone());
        Some(chain)
    }
}

/// A route that a request matched, and how.
#[derive(Clone)]
pub struct RouteMatch {
    pub route: RouteRef,
    pub(crate) pattern_id: PatternId,
    /// The host pattern that matched; `None` for routes without hosts.
    pub host: Option<Arc<str>>,
}
