//! A route as the data plane uses it: everything resolved, nothing left to merge.

use std::collections::HashMap;
use std::sync::Arc;

use config::resource::{Labels, Timeout};
use http::StatusCode;
use parking_lot::RwLock;

use super::chain::{Chain, PluginSet, same_plugins};
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
    with_consumer: RwLock<HashMap<Arc<str>, Joined>>,
}

/// The chain of a route and a consumer.
struct Joined {
    consumer: Arc<Consumer>,
    chain: Arc<Chain>,
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
    /// `true` if requests go to the very same place.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (UpstreamChoice::Ready(a), UpstreamChoice::Ready(b)) => Arc::ptr_eq(a, b),
            (UpstreamChoice::Missing, UpstreamChoice::Missing) | (UpstreamChoice::None, UpstreamChoice::None) => true,
            (UpstreamChoice::Ready(_) | UpstreamChoice::Missing | UpstreamChoice::None, _) => false,
        }
    }

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

    /// `true` if these parts would make the very same route.
    pub(super) fn is_made_of(
        &self,
        upstream: &UpstreamChoice,
        broken: Option<StatusCode>,
        plugins: &PluginSet,
    ) -> bool {
        self.upstream.is(upstream) && self.broken == broken && same_plugins(&self.plugins, plugins)
    }

    /// Lets go of the chains of consumers, some of which may be gone.
    pub(super) fn forget_consumers(&self) {
        self.with_consumer.write().clear();
    }

    /// The chain with `consumer`'s plugins over the route's, merged once per pair while neither changes. `None` if the
    /// consumer brings none.
    pub fn chain_for(&self, consumer: &Arc<Consumer>) -> Option<Arc<Chain>> {
        if consumer.plugins.0.is_empty() {
            return None;
        }
        if let Some(joined) = self.with_consumer.read().get(&consumer.username)
            && Arc::ptr_eq(&joined.consumer, consumer)
        {
            return Some(joined.chain.clone());
        }
        let mut merged = self.plugins.clone();
        merged.extend(consumer.plugins.0.iter().map(|(name, entry)| (*name, entry.clone())));
        let chain = Arc::new(Chain::new(&merged));
        let joined = Joined { consumer: consumer.clone(), chain: chain.clone() };
        self.with_consumer.write().insert(consumer.username.clone(), joined);
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
