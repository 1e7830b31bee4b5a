//! Routes, with what they take from services and plugin configs, and the router over them.

use std::sync::Arc;

use config::expr::Expr;
use config::resource;
use config::settings::RouterKind;
use http::StatusCode;
use ipnet::IpNet;
use serde_json::Value;

use super::{Draft, Planner, config_id, items};
use crate::plan::chain::PluginSet;
use crate::plan::route::{Route, RouteParts, UpstreamChoice};
use crate::router::{MethodSet, RouteEntry, Router, RouterBuilder, RouterMode};
use crate::variables::reads::BodyReads;

/// What a route says by itself.
pub(super) struct ParsedRoute {
    config: resource::Route,
    methods: MethodSet,
    remote_addrs: Vec<IpNet>,
    vars: Option<Expr>,
}

/// A route of an earlier plan, and what it was made of.
pub(super) struct KnownRoute {
    parsed: Arc<ParsedRoute>,
    service: Option<Arc<resource::Service>>,
    route: Arc<Route>,
}

impl ParsedRoute {
    fn of(value: &Value) -> Result<Self, String> {
        let config = resource::Route::from_value(value).map_err(|error| error.to_string())?;
        let methods = MethodSet::parse(config.methods.iter().map(String::as_str))
            .map_err(|method| format!("{method} is not a method"))?;
        let remote_addrs = config.remote_addrs.iter().map(|text| ip_net(text)).collect::<Result<_, _>>()?;
        let vars = config.vars.as_ref().map(Expr::parse).transpose().map_err(|error| error.to_string())?;
        Ok(Self { config, methods, remote_addrs, vars })
    }
}

impl Planner {
    pub(super) fn compile_routes(&mut self, draft: &mut Draft<'_>) -> (Vec<Arc<Route>>, Router) {
        let mut routes = Vec::new();
        let mut builder = RouterBuilder::new(match self.services.settings.apisix.router.http {
            RouterKind::HostUri => RouterMode::HostUri,
            RouterKind::Uri => RouterMode::Uri,
            RouterKind::UriWithParameter => RouterMode::UriWithParameter,
        });
        for (order, (key, value)) in items(draft.snapshot, "/apisix/routes/").enumerate() {
            let parsed = match self.parsed_routes.of(key, value, ParsedRoute::of) {
                Ok(parsed) if parsed.config.enabled => parsed,
                Ok(_) => continue,
                Err(error) => {
                    self.complain("the route", key, value, &error);
                    continue;
                }
            };
            let entry = route_entry(draft, &parsed, routes.len(), order);
            if let Err(error) = entry.check() {
                self.complain("the route", key, value, &error);
                continue;
            }
            let reads = entry.vars.as_ref().map(BodyReads::of).unwrap_or_default();
            draft.reads_bodies = draft.reads_bodies.max(reads);
            builder = builder.add(entry);
            routes.push(self.compile_route(draft, key, value, parsed));
        }
        (routes, builder.build().expect("every entry was checked"))
    }

    fn compile_route(
        &mut self,
        draft: &mut Draft<'_>,
        key: &Arc<str>,
        value: &Arc<Value>,
        parsed: Arc<ParsedRoute>,
    ) -> Arc<Route> {
        let config = &parsed.config;
        let mut broken = None;
        let own_upstream = self.choose_upstream(draft, key, config.upstream_id.as_deref(), value);
        let mut plugins = PluginSet::new();
        let mut overlay = |set: Option<PluginSet>| match set {
            Some(set) => plugins.extend(set),
            None => broken = Some(StatusCode::SERVICE_UNAVAILABLE),
        };
        let service = config.service_id.as_ref().map(|id| (id, draft.services.get(id)));
        if let Some((_, Some(service))) = &service {
            overlay(service.plugins.clone());
        }
        if let Some(id) = &config.plugin_config_id {
            overlay(draft.plugin_configs.get(id).cloned().flatten());
        }
        overlay(self.plugin_set(key, &config.plugins));
        if matches!(service, Some((_, None))) {
            broken = Some(StatusCode::NOT_FOUND);
        }
        let service = service.and_then(|(id, service)| service.map(|service| (id, service)));
        let upstream = match (own_upstream, &service) {
            (UpstreamChoice::None, Some((_, service))) => service.upstream.again(),
            (own, _) => own,
        };
        let service_config = service.map(|(_, service)| &service.config);
        if let Some(known) = self.routes.renew(key)
            && Arc::ptr_eq(&known.parsed, &parsed)
            && known.service.as_ref().map(Arc::as_ptr) == service_config.map(Arc::as_ptr)
            && known.route.is_made_of(&upstream, broken, &plugins)
        {
            if draft.consumers_changed {
                known.route.forget_consumers();
            }
            return known.route.clone();
        }
        let route = Arc::new(Route::new(RouteParts {
            id: config_id(key).into(),
            name: config.name.as_deref().map(Arc::from),
            labels: config.labels.clone(),
            service_name: service.and_then(|(_, service)| service.config.name.as_deref().map(Arc::from)),
            enable_websocket: config
                .enable_websocket
                .or(service.and_then(|(_, service)| service.config.enable_websocket))
                .unwrap_or(false),
            service_id: service.map(|(id, _)| id.as_str().into()),
            upstream,
            timeout: config.timeout,
            broken,
            plugins,
        }));
        let service = service_config.cloned();
        self.routes.put(key.clone(), KnownRoute { parsed, service, route: route.clone() });
        route
    }
}

fn route_entry(draft: &Draft<'_>, parsed: &ParsedRoute, target: usize, order: usize) -> RouteEntry {
    let config = &parsed.config;
    let service = config.service_id.as_ref().and_then(|id| draft.services.get(id));
    let hosts = match service {
        Some(service) if config.hosts.is_empty() => service.config.hosts.clone(),
        _ => config.hosts.clone(),
    };
    RouteEntry {
        target,
        uris: config.uris.clone(),
        hosts,
        methods: parsed.methods,
        remote_addrs: parsed.remote_addrs.clone(),
        vars: parsed.vars.clone(),
        priority: config.priority,
        order,
    }
}

fn ip_net(text: &str) -> Result<IpNet, String> {
    let parsed = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    parsed.map_err(|_| format!("{text} is not an IP address or CIDR block"))
}
