//! What validation must know about plugins without knowing any plugin: their schemas, which fields are
//! secret, and one hook for checks that a schema cannot say. The `plugins` crate fills the catalog once at
//! start-up; the Admin API, `tidegate check` and the data plane all read the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use crate::meta;
use crate::schema::{SchemaError, Validator};

/// Which of a plugin's schemas a configuration is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// On a route, service, plugin config, consumer group or global rule (and on consumers, for
    /// plugins that do not authenticate).
    Route,
    /// The credential of an authentication plugin, on a consumer or a credential.
    Consumer,
    /// `/plugin_metadata/{name}`.
    Metadata,
}

/// A schema that is made anew each time: it is rarely asked for, and takes more memory than what is compiled from it.
#[derive(Clone)]
pub struct SchemaSource(Arc<dyn Fn() -> Value + Send + Sync>);

impl SchemaSource {
    /// The schema that `make` makes, the same one each time.
    pub fn new(make: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Makes the schema.
    pub fn make(&self) -> Value {
        (self.0)()
    }
}

impl From<Value> for SchemaSource {
    fn from(schema: Value) -> Self {
        Self::new(move || schema.clone())
    }
}

impl fmt::Debug for SchemaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SchemaSource").finish_non_exhaustive()
    }
}

/// What a plugin tells about itself. The schemas come from its own Rust types.
#[derive(Debug, Clone)]
pub struct PluginInfo {
    pub name: &'static str,
    /// Higher runs earlier within a phase.
    pub priority: i32,
    /// APISIX's version number of the plugin's configuration, mostly 0.1.
    pub version: f64,
    /// `true` for plugins that find the consumer (APISIX: `type = "auth"`).
    pub authenticates: bool,
    pub schema: SchemaSource,
    pub consumer_schema: Option<SchemaSource>,
    pub metadata_schema: Option<SchemaSource>,
    /// Dotted paths of fields stored encrypted; arrays and maps on the way are walked through.
    pub encrypt_fields: &'static [&'static str],
    /// The consumer-side field by which a consumer is found; unique over all consumers and credentials.
    pub unique_field: Option<&'static str>,
    /// The field that names a group: configurations on any objects that name the same one share state, and must be
    /// the same.
    pub group_field: Option<&'static str>,
    /// A field that the configuration may leave to the plugin's metadata, but one of the two must have.
    pub shared_field: Option<&'static str>,
    /// What the schema cannot say. Runs after the schema passed and defaults were filled.
    /// The error is shown after `failed to check the configuration of plugin NAME err: `.
    pub check: fn(&Value, Side) -> Result<(), String>,
}

/// A plugin's schemas, each compiled when it is first asked for.
#[derive(Debug, Default)]
struct Validators {
    route: OnceLock<Result<Validator, SchemaError>>,
    consumer: OnceLock<Result<Validator, SchemaError>>,
    metadata: OnceLock<Result<Validator, SchemaError>>,
}

impl PluginInfo {
    /// The schema of one side, without `_meta`; `None` if the plugin takes no configuration there.
    pub fn schema_of(&self, side: Side) -> Option<&SchemaSource> {
        match side {
            Side::Route => Some(&self.schema),
            Side::Consumer => self.consumer_schema.as_ref(),
            Side::Metadata => self.metadata_schema.as_ref(),
        }
    }

    /// The schema on routes as the Admin API shows it: with what every plugin accepts besides.
    pub fn shown_schema(&self) -> Value {
        let mut schema = self.schema.make();
        meta::inject(&mut schema);
        schema
    }
}

/// Every plugin of this build, which of them are enabled, and names that APISIX knows and we do not yet. Which are
/// enabled can change while the process runs; all who hold the catalog then see it.
#[derive(Debug, Default)]
pub struct Catalog {
    plugins: BTreeMap<&'static str, Arc<PluginInfo>>,
    validators: BTreeMap<&'static str, Arc<Validators>>,
    disabled: RwLock<BTreeSet<&'static str>>,
    unsupported: BTreeSet<&'static str>,
}

impl Catalog {
    /// A catalog of `plugins`; `unsupported` are APISIX plugin names to refuse with a clear text.
    pub fn new(plugins: impl IntoIterator<Item = PluginInfo>, unsupported: &[&'static str]) -> Self {
        let plugins: BTreeMap<_, _> = plugins.into_iter().map(|info| (info.name, Arc::new(info))).collect();
        Self {
            validators: plugins.keys().map(|name| (*name, Arc::default())).collect(),
            plugins,
            disabled: RwLock::default(),
            unsupported: unsupported.iter().copied().collect(),
        }
    }

    /// Enables the plugins that `config.yaml` lists under `plugins`, and no others; all if it lists none.
    pub fn enable(&self, names: Option<&[String]>) {
        let listed = |name: &str| names.is_none_or(|names| names.iter().any(|listed| listed == name));
        let disabled = self.plugins.keys().copied().filter(|name| !listed(name)).collect();
        *self.disabled.write().unwrap_or_else(PoisonError::into_inner) = disabled;
    }

    /// Whether the plugin may be used; also `true` for names that are of no plugin.
    fn is_enabled(&self, name: &str) -> bool {
        !self.disabled.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// An enabled plugin.
    pub fn get(&self, name: &str) -> Option<&Arc<PluginInfo>> {
        self.plugins.get(name).filter(|_| self.is_enabled(name))
    }

    /// A plugin of this build, enabled or not (plugin metadata accepts any).
    pub fn shipped(&self, name: &str) -> Option<&Arc<PluginInfo>> {
        self.plugins.get(name)
    }

    /// `true` if APISIX has this plugin and this build does not.
    pub fn is_unsupported(&self, name: &str) -> bool {
        self.unsupported.contains(name)
    }

    /// What is wrong with a list of plugins to enable: a sentence about each name that is none of this build's.
    pub fn strangers(&self, names: &[String]) -> Vec<String> {
        let sentence = |name: &String| match self.is_unsupported(name) {
            true => format!("plugins: plugin {name} is not supported by this version of Tidegate"),
            false => format!("plugins: unknown plugin [{name}]"),
        };
        names.iter().filter(|name| self.shipped(name).is_none()).map(sentence).collect()
    }

    /// Enabled plugins, highest priority first (ties by name).
    pub fn by_priority(&self) -> Vec<&Arc<PluginInfo>> {
        let mut all: Vec<_> = self.plugins.values().filter(|info| self.is_enabled(info.name)).collect();
        all.sort_by_key(|info| (std::cmp::Reverse(info.priority), info.name));
        all
    }

    /// The compiled schema of one side of a plugin; `None` if it has none there.
    ///
    /// # Errors
    /// If the schema of the plugin itself is wrong, which a test of the plugin should have shown.
    pub fn validator(&self, name: &str, side: Side) -> Option<Result<&Validator, &SchemaError>> {
        let schema = self.plugins.get(name)?.schema_of(side)?;
        let validators = self.validators.get(name)?;
        let cell = match side {
            Side::Route => &validators.route,
            Side::Consumer => &validators.consumer,
            Side::Metadata => &validators.metadata,
        };
        Some(cell.get_or_init(|| Validator::compile(&schema.make())).as_ref())
    }
}
