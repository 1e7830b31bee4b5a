//! From a snapshot of resources to a plan. Whatever did not change since the last plan is taken over as it is. A
//! resource that cannot be compiled never takes others down: it is logged, and what depends on it fails closed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use config::keyring::Keyring;
use config::resource::{self, PassHost, Plugins};
use config::secret::Secret;
use config::settings::RouterKind;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use store::{Item, Snapshot};

use super::Plan;
use super::chain::{Chain, PluginSet};
use super::compile::{PluginCompiler, Surroundings};
use super::consumers::{Consumer, ConsumerPlugins, Credential, CredentialIndex};
use super::reads::reads_body;
use super::route::{Route, RouteParts, UpstreamChoice};
use super::upstream::{Upstream, UpstreamParts};
use crate::health;
use crate::plugin::Registry;
use crate::router::{MethodSet, RouteEntry, RouterBuilder, RouterMode};
use crate::services::Services;
use crate::tls::client::Verify;
use crate::tls::server::Certificates;

/// Builds plans, one after the other.
pub struct Planner {
    compiler: PluginCompiler,
    services: Arc<Services>,
    keyring: Arc<Keyring>,
    health: Arc<health::Registry>,
    upstreams: HashMap<Arc<str>, (Value, Arc<Upstream>)>,
}

/// What the parts of one plan are collected in.
struct Draft<'s> {
    snapshot: &'s Snapshot,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    services: HashMap<String, Service>,
    plugin_configs: HashMap<String, Option<PluginSet>>,
    groups: HashMap<String, Option<PluginSet>>,
    sources: HashMap<Arc<str>, (Value, Arc<Upstream>)>,
    reads_bodies: bool,
}

struct Service {
    config: resource::Service,
    /// `None`: a plugin of it does not compile.
    plugins: Option<PluginSet>,
    upstream: UpstreamChoice,
}

/// The plugins of all global rules.
#[derive(Default)]
struct GlobalRules {
    plugins: PluginSet,
    /// A plugin of some rule does not compile.
    broken: bool,
}

impl Planner {
    pub fn new(registry: Arc<Registry>, services: Arc<Services>, keyring: Arc<Keyring>) -> Self {
        Self {
            compiler: PluginCompiler::new(registry, services.clone(), keyring.clone()),
            health: Arc::new(health::Registry::new(Some(prober(&services)))),
            services,
            keyring,
            upstreams: HashMap::new(),
        }
    }

    /// The health of checked upstreams, for the Control API.
    pub fn health(&self) -> &Arc<health::Registry> {
        &self.health
    }

    /// Compiles `snapshot`.
    pub fn build(&mut self, snapshot: &Snapshot) -> Plan {
        self.compiler.begin(surroundings(snapshot));
        let mut draft = Draft {
            snapshot,
            upstreams: HashMap::new(),
            services: HashMap::new(),
            plugin_configs: HashMap::new(),
            groups: HashMap::new(),
            sources: HashMap::new(),
            reads_bodies: false,
        };
        self.compile_upstreams(&mut draft);
        self.compile_services(&mut draft);
        draft.plugin_configs = self.compile_plugin_sets(snapshot, "/apisix/plugin_configs/");
        draft.groups = self.compile_plugin_sets(snapshot, "/apisix/consumer_groups/");
        let (consumers, credentials) = self.compile_consumers(&draft);
        let (routes, router) = self.compile_routes(&mut draft);
        let global = self.compile_global_rules(snapshot);
        let plan = Plan {
            revision: snapshot.revision,
            router,
            routes,
            global: Arc::new(Chain::new(&global.plugins)),
            broken: global.broken,
            empty: Arc::new(Chain::new(&PluginSet::new())),
            consumers,
            credentials,
            no_credentials: CredentialIndex::default(),
            upstreams: draft.upstreams,
            certificates: self.compile_certificates(snapshot),
            reads_bodies: draft.reads_bodies,
        };
        self.upstreams = draft.sources;
        self.health.retain(|key| self.upstreams.contains_key(key));
        self.compiler.finish();
        plan
    }

    fn compile_upstreams(&mut self, draft: &mut Draft<'_>) {
        for (key, value) in items(draft.snapshot, "/apisix/upstreams/") {
            self.compile_upstream(draft, key, value);
        }
    }

    /// Compiles one upstream, which may stand inside another object. `None` if it cannot be used.
    fn compile_upstream(&mut self, draft: &mut Draft<'_>, key: &Arc<str>, value: &Value) -> Option<Arc<Upstream>> {
        if let Some((source, upstream)) = self.upstreams.get(key)
            && source == value
        {
            draft.upstreams.insert(key.clone(), upstream.clone());
            draft.sources.insert(key.clone(), (value.clone(), upstream.clone()));
            return Some(upstream.clone());
        }
        let config = match resource::Upstream::from_value(value) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(key = &**key, %error, "the upstream cannot be used");
                return None;
            }
        };
        let certificate = self.client_certificate(draft.snapshot, &config);
        let checks = config.checks.as_ref().filter(|_| !self.services.settings.apisix.disable_upstream_healthcheck);
        let parts = UpstreamParts {
            key: key.clone(),
            origins: &self.services.origins,
            tls: &self.services.tls,
            certificate: certificate.as_ref().map(|(cert, key)| (cert.as_str(), key.as_str())),
            health: checks
                .map(|checks| self.health.apply(key, checks, &checked_nodes(&config), rewritten_host(&config))),
            previous: self.upstreams.get(key).map(|(_, upstream)| &**upstream),
        };
        match Upstream::compile(&config, parts) {
            Ok(upstream) => {
                let upstream = Arc::new(upstream);
                draft.upstreams.insert(key.clone(), upstream.clone());
                draft.sources.insert(key.clone(), (value.clone(), upstream.clone()));
                Some(upstream)
            }
            Err(error) => {
                tracing::error!(key = &**key, %error, "the upstream cannot be used");
                None
            }
        }
    }

    /// The certificate that an upstream's nodes ask for, PEM, with its key decrypted.
    fn client_certificate(&self, snapshot: &Snapshot, config: &resource::Upstream) -> Option<(String, String)> {
        let tls = config.tls.as_ref()?;
        if let Some(id) = &tls.client_cert_id {
            let item = snapshot.get(&format!("/apisix/ssls/{id}"))?;
            let ssl = resource::Ssl::from_value(&item.value).ok()?;
            let pair = ssl.pairs.into_iter().next()?;
            return Some((pair.cert, self.keyring.decrypt(pair.key.expose())));
        }
        Some((tls.client_cert.clone()?, self.keyring.decrypt(tls.client_key.as_ref()?.expose())))
    }

    fn compile_services(&mut self, draft: &mut Draft<'_>) {
        for (key, value) in items(draft.snapshot, "/apisix/services/") {
            match resource::Service::from_value(value) {
                Ok(config) => {
                    let plugins = self.plugin_set(key, &config.plugins);
                    let upstream =
                        self.choose_upstream(draft, key, config.upstream_id.as_deref(), value.get("upstream"));
                    draft.services.insert(config_id(key), Service { config, plugins, upstream });
                }
                Err(error) => tracing::error!(key = &**key, %error, "the service cannot be used"),
            }
        }
    }

    /// An upstream by its id, else the one written inline.
    fn choose_upstream(
        &mut self,
        draft: &mut Draft<'_>,
        owner: &Arc<str>,
        id: Option<&str>,
        inline: Option<&Value>,
    ) -> UpstreamChoice {
        let ready = match (id, inline) {
            (Some(id), _) => draft.upstreams.get(format!("/apisix/upstreams/{id}").as_str()).cloned(),
            (None, Some(inline)) => self.compile_upstream(draft, owner, inline),
            (None, None) => return UpstreamChoice::None,
        };
        ready.map_or(UpstreamChoice::Missing, UpstreamChoice::Ready)
    }

    /// `None` if a plugin does not compile.
    fn plugin_set(&mut self, owner: &Arc<str>, plugins: &Plugins) -> Option<PluginSet> {
        match self.compiler.set(owner, plugins) {
            Ok(set) => Some(set),
            Err(fault) => {
                tracing::error!(error = %fault, "a plugin cannot be used");
                None
            }
        }
    }

    fn compile_plugin_sets(&mut self, snapshot: &Snapshot, folder: &str) -> HashMap<String, Option<PluginSet>> {
        let mut sets = HashMap::new();
        for (key, value) in items(snapshot, folder) {
            let set = plugins_of(value).and_then(|plugins| self.plugin_set(key, plugins));
            sets.insert(config_id(key), set);
        }
        sets
    }

    fn compile_global_rules(&mut self, snapshot: &Snapshot) -> GlobalRules {
        let mut rules = GlobalRules::default();
        let mut twice = Vec::new();
        for (key, value) in items(snapshot, "/apisix/global_rules/") {
            let Some(set) = plugins_of(value).and_then(|plugins| self.plugin_set(key, plugins)) else {
                tracing::error!(key = &**key, "no request is served: a global rule cannot be used");
                rules.broken = true;
                continue;
            };
            // A copy that is switched off does not count as a second one.
            for (name, entry) in set.into_iter().filter(|(_, entry)| entry.is_some()) {
                if rules.plugins.insert(name, entry).is_some() {
                    twice.push(name);
                }
            }
        }
        for name in twice {
            tracing::error!(plugin = name, "the plugin stands in two global rules and is used from neither");
            rules.plugins.remove(name);
        }
        rules
    }

    fn compile_certificates(&self, snapshot: &Snapshot) -> Certificates {
        let mut certificates = Certificates::default();
        for (key, value) in items(snapshot, "/apisix/ssls/") {
            let added = resource::Ssl::from_value(value).map_err(|error| error.to_string()).and_then(|mut ssl| {
                for pair in &mut ssl.pairs {
                    pair.key = Secret::new(self.secret_text(&self.keyring.decrypt(pair.key.expose())));
                    pair.cert = self.secret_text(&pair.cert);
                }
                certificates.add(&ssl).map_err(|error| error.to_string())
            });
            if let Err(error) = added {
                tracing::error!(key = &**key, error, "the certificate cannot be used");
            }
        }
        certificates
    }

    /// What a reference stands for; any other text as it is.
    fn secret_text(&self, text: &str) -> String {
        match config::secret::resolve_text(text, self.compiler.secrets()) {
            Ok(Some(secret)) => secret,
            Ok(None) | Err(_) => text.to_owned(),
        }
    }

    #[allow(clippy::type_complexity, reason = "two indexes that are made together")]
    fn compile_consumers(
        &mut self,
        draft: &Draft<'_>,
    ) -> (HashMap<Arc<str>, Arc<Consumer>>, HashMap<&'static str, CredentialIndex>) {
        let mut consumers = HashMap::new();
        let mut credentials: HashMap<&'static str, CredentialIndex> = HashMap::new();
        // Keys are in order: a consumer comes before its credentials.
        for (key, value) in items(draft.snapshot, "/apisix/consumers/") {
            match key.split('/').skip(3).collect::<Vec<_>>()[..] {
                [_] => {
                    let Some(consumer) = self.compile_consumer(draft, key, value) else { continue };
                    self.index_credentials(&consumer, None, value, &mut credentials);
                    consumers.insert(consumer.username.clone(), consumer);
                }
                [username, "credentials", id] => {
                    let Some(consumer) = consumers.get(username).cloned() else { continue };
                    self.index_credentials(&consumer, Some(id.into()), value, &mut credentials);
                }
                _ => {}
            }
        }
        (consumers, credentials)
    }

    fn compile_consumer(&mut self, draft: &Draft<'_>, key: &Arc<str>, value: &Value) -> Option<Arc<Consumer>> {
        let config = match resource::Consumer::from_value(value) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(key = &**key, %error, "the consumer cannot be used");
                return None;
            }
        };
        let own: Plugins = config
            .plugins
            .iter()
            .filter(|(name, _)| self.compiler.registry().get(name).is_none_or(|def| !def.info.authenticates))
            .map(|(name, plugin)| (name.clone(), plugin.clone()))
            .collect();
        let own = self.plugin_set(key, &own)?;
        let group = config.group_id.as_ref().map(|id| draft.groups.get(id).cloned().flatten());
        let mut plugins = group.clone().flatten().unwrap_or_default();
        plugins.extend(own);
        let custom_id = config.labels.get("custom_id").and_then(|id| HeaderValue::from_str(id).ok());
        Some(Arc::new(Consumer {
            username_header: HeaderValue::from_str(&config.username).ok()?,
            username: config.username.into(),
            group_missing: group.is_some_and(|group| group.is_none()),
            group_id: config.group_id.map(Arc::from),
            labels: config.labels,
            custom_id,
            plugins: ConsumerPlugins(plugins),
        }))
    }

    fn index_credentials(
        &self,
        consumer: &Arc<Consumer>,
        id: Option<Arc<str>>,
        value: &Value,
        credentials: &mut HashMap<&'static str, CredentialIndex>,
    ) {
        for (name, source) in plugins_of(value).into_iter().flatten() {
            let Some(def) = self.compiler.registry().get(name).filter(|def| def.info.authenticates) else { continue };
            let Some(field) = def.info.unique_field else { continue };
            let Some(config) = self.compiler.credential(def, source) else {
                tracing::error!(consumer = &*consumer.username, plugin = name, "the credential cannot be used");
                continue;
            };
            let Some(key) = config.get(field).and_then(Value::as_str).map(str::to_owned) else { continue };
            let credential =
                Credential { consumer: consumer.clone(), id: id.clone(), config, compiled: std::sync::OnceLock::new() };
            credentials.entry(def.info.name).or_default().insert(&key, Arc::new(credential));
        }
    }

    fn compile_routes(&mut self, draft: &mut Draft<'_>) -> (Vec<Arc<Route>>, crate::router::Router) {
        let mode = match self.services.settings.apisix.router.http {
            RouterKind::HostUri => RouterMode::HostUri,
            RouterKind::Uri => RouterMode::Uri,
            RouterKind::UriWithParameter => RouterMode::UriWithParameter,
        };
        let mut routes = Vec::new();
        let mut builder = RouterBuilder::new(mode);
        for (order, (key, value)) in items(draft.snapshot, "/apisix/routes/").enumerate() {
            let config = match resource::Route::from_value(value) {
                Ok(config) if config.enabled => config,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(key = &**key, %error, "the route cannot be used");
                    continue;
                }
            };
            match self.route_entry(draft, &config, routes.len(), order) {
                Ok(entry) => {
                    draft.reads_bodies |= entry.vars.as_ref().is_some_and(reads_body);
                    builder = builder.add(entry);
                    routes.push(Arc::new(self.compile_route(draft, key, &config, value.get("upstream"))));
                }
                Err(error) => tracing::error!(key = &**key, error, "the route cannot be used"),
            }
        }
        (routes, builder.build().expect("every entry was checked"))
    }

    fn route_entry(
        &self,
        draft: &Draft<'_>,
        config: &resource::Route,
        target: usize,
        order: usize,
    ) -> Result<RouteEntry, String> {
        let methods = MethodSet::parse(config.methods.iter().map(String::as_str))
            .map_err(|method| format!("{method} is not a method"))?;
        let remote_addrs = config.remote_addrs.iter().map(|text| ip_net(text)).collect::<Result<_, _>>()?;
        let vars =
            config.vars.as_ref().map(config::expr::Expr::parse).transpose().map_err(|error| error.to_string())?;
        let service = config.service_id.as_ref().and_then(|id| draft.services.get(id));
        let hosts = match service {
            Some(service) if config.hosts.is_empty() => service.config.hosts.clone(),
            _ => config.hosts.clone(),
        };
        let entry = RouteEntry {
            target,
            uris: config.uris.clone(),
            hosts,
            methods,
            remote_addrs,
            vars,
            priority: config.priority,
            order,
        };
        entry.check().map_err(|error| error.to_string())?;
        Ok(entry)
    }

    fn compile_route(
        &mut self,
        draft: &mut Draft<'_>,
        key: &Arc<str>,
        config: &resource::Route,
        inline: Option<&Value>,
    ) -> Route {
        let mut broken = None;
        let own_upstream = self.choose_upstream(draft, key, config.upstream_id.as_deref(), inline);
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
        Route::new(RouteParts {
            id: config_id(key).into(),
            name: config.name.as_deref().map(Arc::from),
            labels: config.labels.clone(),
            service_name: service.as_ref().and_then(|(_, service)| service.config.name.as_deref().map(Arc::from)),
            enable_websocket: config
                .enable_websocket
                .or(service.as_ref().and_then(|(_, service)| service.config.enable_websocket))
                .unwrap_or(false),
            service_id: service.map(|(id, _)| id.as_str().into()),
            upstream,
            timeout: config.timeout,
            broken,
            plugins,
        })
    }
}

fn prober(services: &Services) -> health::Prober {
    let tls = health::ProbeTls {
        verifying: services.tls.plain(Verify::Yes).clone(),
        trusting: services.tls.plain(Verify::No).clone(),
    };
    health::Prober::new(services.side.clone(), tls)
}

fn checked_nodes(config: &resource::Upstream) -> Vec<health::CheckedNode> {
    let usual_port = config.scheme.default_port().unwrap_or(80);
    let checked =
        |node: &resource::Node| health::CheckedNode { host: node.host.clone(), port: node.port.unwrap_or(usual_port) };
    config.nodes.iter().map(checked).collect()
}

fn rewritten_host(config: &resource::Upstream) -> Option<&str> {
    config.upstream_host.as_deref().filter(|_| config.pass_host == PassHost::Rewrite)
}

/// A collection's items: the key and the value, in key order.
fn items<'s>(snapshot: &'s Snapshot, folder: &'s str) -> impl Iterator<Item = (&'s Arc<str>, &'s Value)> {
    snapshot.under(folder).map(|item: &Arc<Item>| (&item.key, &*item.value))
}

/// The id of a resource: the last part of its key.
fn config_id(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}

/// The plugins that an object carries, none if it says nothing of them; `None` if what it says is no set of plugins.
fn plugins_of(value: &Value) -> Option<&Plugins> {
    static NONE: LazyLock<Plugins> = LazyLock::new(Plugins::new);
    match value.get("plugins") {
        None | Some(Value::Null) => Some(&NONE),
        // Lua writes an empty object as an empty list.
        Some(Value::Array(list)) if list.is_empty() => Some(&NONE),
        Some(plugins) => plugins.as_object(),
    }
}

fn ip_net(text: &str) -> Result<ipnet::IpNet, String> {
    let parsed = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
    parsed.map_err(|_| format!("{text} is not an IP address or CIDR block"))
}

fn surroundings(snapshot: &Snapshot) -> Surroundings {
    let metadata =
        snapshot.under("/apisix/plugin_metadata/").map(|item| (config_id(&item.key), item.value.clone())).collect();
    let secrets_revision = snapshot.under("/apisix/secrets/").map(|item| item.modified_index).max().unwrap_or(0);
    Surroundings { metadata, secrets: config::secret::Resolvers::of_process(), secrets_revision }
}
