//! From a snapshot of resources to a plan. Whatever did not change since the last plan is taken over as it is. A
//! resource that cannot be compiled never takes others down: it is logged, and what depends on it fails closed.

mod certificates;
mod consumers;
pub(super) mod kept;
mod routes;
mod upstreams;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use config::keyring::Keyring;
use config::resource::{self, Plugins};
use config::secret::{Files, Resolvers};
use serde_json::Value;
use store::{Item, Snapshot};

use super::Plan;
use super::chain::{Chain, Entry, PluginSet};
use super::compile::{PluginCompiler, SecretsRevision, Surroundings};
use super::consumers::CredentialIndex;
use super::route::UpstreamChoice;
use super::secret_files::SecretFiles;
use super::upstream::Upstream;
use crate::answer::{SERVER, SERVER_WITHOUT_VERSION};
use crate::health;
use crate::plugin::Registry;
use crate::services::Services;
use crate::tls::client::Verify;
use crate::tls::server::Offer;
use crate::variables::reads::BodyReads;
use certificates::Loaded;
use consumers::KnownConsumers;
use kept::{Kept, Parsed};
use routes::{KnownRoute, ParsedRoute};
use upstreams::KnownUpstream;

/// Builds plans, one after the other.
pub struct Planner {
    compiler: PluginCompiler,
    /// Runs with the global rules.
    standing: PluginSet,
    services: Arc<Services>,
    keyring: Arc<Keyring>,
    health: Arc<health::Registry>,
    offer: Offer,
    upstreams: Kept<Arc<str>, KnownUpstream>,
    consumers: KnownConsumers,
    certificates: Parsed<Option<Loaded>>,
    /// The secrets that `certificates` were made with.
    secrets_revision: SecretsRevision,
    secret_files: Arc<SecretFiles>,
    parsed_services: Parsed<resource::Service>,
    parsed_routes: Parsed<ParsedRoute>,
    routes: Kept<Arc<str>, KnownRoute>,
}

/// What the parts of one plan are collected in.
struct Draft<'s> {
    snapshot: &'s Snapshot,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    services: HashMap<String, Service>,
    plugin_configs: HashMap<String, Option<PluginSet>>,
    groups: HashMap<String, Option<PluginSet>>,
    reads_bodies: BodyReads,
    consumers_changed: bool,
}

struct Service {
    config: Arc<resource::Service>,
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
        let secret_files = Arc::new(SecretFiles::new(services.settings.tidegate.secrets_dir.clone()));
        Self {
            standing: standing(&registry, &services),
            compiler: PluginCompiler::new(registry, services.clone(), keyring.clone()),
            health: Arc::new(health::Registry::new(Some(prober(&services)))),
            offer: Offer::of(&services.settings.apisix),
            services,
            keyring,
            upstreams: Kept::default(),
            consumers: KnownConsumers::default(),
            certificates: Parsed::default(),
            secrets_revision: SecretsRevision::default(),
            secret_files,
            parsed_services: Parsed::default(),
            parsed_routes: Parsed::default(),
            routes: Kept::default(),
        }
    }

    /// The health of checked upstreams, for the Control API.
    pub fn health(&self) -> &Arc<health::Registry> {
        &self.health
    }

    /// Compiles `snapshot`.
    pub fn build(&mut self, snapshot: &Snapshot) -> Plan {
        self.begin(snapshot);
        let mut draft = Draft {
            snapshot,
            upstreams: HashMap::with_capacity(self.upstreams.len()),
            services: HashMap::new(),
            plugin_configs: HashMap::new(),
            groups: HashMap::new(),
            reads_bodies: BodyReads::Nothing,
            consumers_changed: false,
        };
        self.compile_upstreams(&mut draft);
        self.compile_services(&mut draft);
        draft.plugin_configs = self.compile_plugin_sets(snapshot, "/apisix/plugin_configs/");
        draft.groups = self.compile_plugin_sets(snapshot, "/apisix/consumer_groups/");
        let consumers = self.compile_consumers(&draft);
        draft.consumers_changed = consumers.changed;
        let (routes, router) = self.compile_routes(&mut draft);
        let global = self.compile_global_rules(snapshot);
        let plan = Plan {
            revision: snapshot.revision,
            router,
            routes,
            global: Arc::new(Chain::new(&global.plugins)),
            broken: global.broken,
            empty: Arc::new(Chain::new(&PluginSet::new())),
            consumers: consumers.by_name,
            credentials: consumers.credentials,
            no_credentials: CredentialIndex::default(),
            upstreams: draft.upstreams,
            certificates: self.compile_certificates(snapshot),
            reads_bodies: draft.reads_bodies,
            server: match self.services.settings.apisix.enable_server_tokens {
                true => SERVER,
                false => SERVER_WITHOUT_VERSION,
            },
        };
        self.finish();
        plan
    }

    /// A plan begins to be built. The last one may have been given up half way.
    fn begin(&mut self, snapshot: &Snapshot) {
        let surroundings = self.surroundings(snapshot);
        self.compiler.begin(surroundings);
        self.upstreams.begin();
        self.consumers.begin();
        self.certificates.begin();
        if std::mem::replace(&mut self.secrets_revision, self.compiler.secrets_revision()) != self.secrets_revision {
            self.certificates.forget_all();
        }
        self.parsed_services.begin();
        self.parsed_routes.begin();
        self.routes.begin();
    }

    fn surroundings(&self, snapshot: &Snapshot) -> Surroundings {
        let metadata = snapshot.under("/apisix/plugin_metadata/");
        let stored = snapshot.under("/apisix/secrets/").map(|item| item.modified_index).max().unwrap_or(0);
        let files = self.compiler.secrets_revision().files + u64::from(self.secret_files.renew());
        let secret_files = self.secret_files.clone();
        Surroundings {
            metadata: metadata.map(|item| (config_id(&item.key), item.value.clone())).collect(),
            secrets: Resolvers::of_process().with(Files::new(move |name: &str| secret_files.text(name))),
            secrets_revision: SecretsRevision { stored, files },
        }
    }

    /// The plan is built: forgets what it did not use.
    fn finish(&mut self) {
        self.compiler.finish();
        self.upstreams.finish();
        self.consumers.finish();
        self.certificates.finish();
        self.parsed_services.finish();
        self.parsed_routes.finish();
        self.routes.finish();
        let upstreams = &self.upstreams;
        self.health.retain(|key| upstreams.get(key).is_some_and(|known| known.is_checked()));
    }

    fn compile_services(&mut self, draft: &mut Draft<'_>) {
        for (key, value) in items(draft.snapshot, "/apisix/services/") {
            match self.parsed_services.of(key, value, resource::Service::from_value) {
                Ok(config) => {
                    let plugins = self.plugin_set(key, &config.plugins);
                    let upstream = self.choose_upstream(draft, key, config.upstream_id.as_deref(), value);
                    draft.services.insert(config_id(key), Service { config, plugins, upstream });
                }
                Err(error) => self.complain("the service", key, value, &error),
            }
        }
    }

    /// `None` if a plugin cannot be used.
    fn plugin_set(&mut self, owner: &Arc<str>, plugins: &Plugins) -> Option<PluginSet> {
        self.compiler.set(owner, plugins)
    }

    /// Logs that `what`, stored under `key` as `value`, cannot be used, unless the last plan has already said so.
    fn complain(&mut self, what: &str, key: &str, value: &Value, error: &dyn Display) {
        let error = error.to_string();
        if self.compiler.complaints.is_new(key, value, &error) {
            tracing::error!(key, error, "{what} cannot be used");
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
                self.complain("no request is served: a global rule", key, value, &"a plugin of it cannot be used");
                rules.broken = true;
                continue;
            };
            // A copy that is switched off does not count as a second one.
            for (name, entry) in set.into_iter().filter(|(_, entry)| entry.is_some()) {
                if rules.plugins.insert(name, entry).is_some() {
                    let error = format!("{name} stands in another one, too, and is used from neither, as in APISIX");
                    self.complain("a plugin of a global rule", key, value, &error);
                    twice.push(name);
                }
            }
        }
        twice.into_iter().for_each(|name| drop(rules.plugins.remove(name)));
        rules.plugins.extend(self.standing.iter().map(|(name, entry)| (*name, entry.clone())));
        rules
    }

    /// What a reference stands for; any other text as it is.
    fn secret_text(&self, text: &str) -> String {
        match config::secret::resolve_text(text, self.compiler.secrets()) {
            Ok(Some(secret)) => secret,
            Ok(None) | Err(_) => text.to_owned(),
        }
    }
}

/// What sees every request. What fails is left out: it concerns the operator and no client.
fn standing(registry: &Registry, services: &Services) -> PluginSet {
    let mut set = PluginSet::new();
    for def in registry.standing() {
        match (def.compile)(services) {
            Ok(plugin) => {
                set.extend(plugin.map(|plugin| (def.name, Some(Arc::new(Entry::standing(def.name, plugin))))))
            }
            Err(error) => tracing::error!(name = def.name, error, "it is configured and cannot run"),
        }
    }
    set
}

fn prober(services: &Services) -> health::Prober {
    let tls = health::ProbeTls {
        verifying: services.tls.unprepared(Verify::Yes).clone(),
        trusting: services.tls.unprepared(Verify::No).clone(),
    };
    health::Prober::new(services.side.clone(), tls)
}

/// A collection's items: the key and the value, in key order.
fn items<'s>(snapshot: &'s Snapshot, folder: &'s str) -> impl Iterator<Item = (&'s Arc<str>, &'s Arc<Value>)> {
    snapshot.under(folder).map(|item: &Arc<Item>| (&item.key, &item.value))
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
