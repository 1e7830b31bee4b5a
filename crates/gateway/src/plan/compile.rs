//! Compiling plugin configurations, and not doing it again for those that did not change.

use std::collections::HashMap;
use std::sync::Arc;

use config::catalog::Side;
use config::expr::Expr;
use config::keyring::Keyring;
use config::meta::PluginMeta;
use config::resource::Plugins;
use config::secret::{Resolver, resolve_all};
use serde_json::Value;

use super::build::kept::Kept;
use super::caught::caught;
use super::chain::{Entry, PluginSet};
use super::complaints::Complaints;
use crate::error_response::ErrorResponse;
use crate::plugin::{CompileContext, PluginDef, Registry};
use crate::services::Services;

/// A plugin configuration that cannot be used. Whoever carries it must not serve as if it were not there.
#[derive(Debug, thiserror::Error)]
#[error("{owner}: plugin {plugin}: {reason}")]
struct PluginFault {
    owner: Arc<str>,
    plugin: String,
    reason: String,
}

/// Why a configuration does not compile.
enum Refusal {
    /// No write with it would have passed: nothing else may serve in its name.
    Wrong(String),
    /// It could not have been known when it was written, such as what a secret says or whether a file can be opened.
    NotNow(String),
}

/// Why a configuration does not compile that would, if its references were the texts that it means.
const BEHIND_REFERENCE: &str = "what a reference to a secret stands for cannot be used";

/// Compiled plugins by the object that carries them, kept from one plan to the next: what did not change keeps
/// its state (counters, log batches, …).
pub(super) struct PluginCompiler {
    registry: Arc<Registry>,
    services: Arc<Services>,
    keyring: Arc<Keyring>,
    known: Kept<Arc<str>, Vec<Compiled>>,
    /// What all configurations depend on beside their own text: metadata and secrets.
    surroundings: Surroundings,
    pub complaints: Complaints,
}

/// Plugin metadata by plugin name, and the secrets that references may name.
#[derive(Default)]
pub(super) struct Surroundings {
    pub metadata: HashMap<String, Arc<Value>>,
    pub secrets: config::secret::Resolvers,
    pub secrets_revision: SecretsRevision,
}

/// Changes when a secret may have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SecretsRevision {
    /// Of the newest `secrets` resource.
    pub stored: u64,
    /// How often files had changed when a plan began.
    pub files: u64,
}

struct Compiled {
    source: Value,
    metadata: Option<Arc<Value>>,
    secrets_revision: SecretsRevision,
    entry: Arc<Entry>,
}

impl PluginCompiler {
    pub fn new(registry: Arc<Registry>, services: Arc<Services>, keyring: Arc<Keyring>) -> Self {
        Self {
            registry,
            services,
            keyring,
            known: Kept::default(),
            surroundings: Surroundings::default(),
            complaints: Complaints::default(),
        }
    }

    /// A new plan begins to be built.
    pub fn begin(&mut self, surroundings: Surroundings) {
        self.known.begin();
        self.complaints.begin();
        self.surroundings = surroundings;
    }

    /// The plan is built: forgets what it did not use.
    pub fn finish(&mut self) {
        self.known.finish();
        self.complaints.finish();
    }

    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub fn secrets(&self) -> &dyn Resolver {
        &self.surroundings.secrets
    }

    /// Changes when a secret may have changed.
    pub fn secrets_revision(&self) -> SecretsRevision {
        self.surroundings.secrets_revision
    }

    /// Decrypts and resolves an authentication plugin's consumer-side configuration.
    ///
    /// # Errors
    /// If a secret is missing, or is what no write of it would have passed with, such as an empty one: the consumer
    /// cannot be found by it then. The reason tells no secret.
    pub fn credential(&self, def: &PluginDef, source: &Value) -> Result<Value, String> {
        let mut config = source.clone();
        self.keyring.decrypt_fields(&mut config, def.info.encrypt_fields);
        self.check_and_fill(def, Side::Consumer, &mut config).map_err(|_| "it does not fit the plugin's schema")?;
        if let Some(unresolved) = resolve_all(&mut config, self.secrets()).first() {
            return Err(format!("{}: {} cannot be resolved", unresolved.pointer, unresolved.reference));
        }
        self.check_and_fill(def, Side::Consumer, &mut config).map_err(|_| BEHIND_REFERENCE)?;
        Ok(config)
    }

    /// Holds `config` against the plugin's schema, if it has one there, and fills in the defaults.
    fn check_and_fill(&self, def: &PluginDef, side: Side, config: &mut Value) -> Result<(), String> {
        match self.registry.catalog().validator(def.info.name, side) {
            Some(validator) => validator.map_err(ToString::to_string)?.check_and_fill(config),
            None => Ok(()),
        }
    }

    /// Compiles the plugins that `owner` carries. Those that `config.yaml` does not list are left out. `None` if one
    /// does not compile and has no earlier form that may serve, or is of a plugin which this build does not have: it
    /// may be the one that keeps strangers out.
    pub fn set(&mut self, owner: &Arc<str>, plugins: &Plugins) -> Option<PluginSet> {
        let registry = self.registry.clone();
        let mut set = PluginSet::new();
        let mut is_whole = true;
        // All are visited, whatever becomes of one: those that did not change keep their state.
        for (name, source) in plugins {
            let compiled = match registry.get(name) {
                Some(def) => self.entry(owner, def, source).map(|entry| Some((def.info.name, entry))),
                None => self.without_plugin(owner, name, source).map(|()| None),
            };
            match compiled {
                Ok(entry) => set.extend(entry),
                Err(fault) => {
                    is_whole = false;
                    if self.is_new(&fault, source) {
                        tracing::error!(error = %fault, "a plugin cannot be used");
                    }
                }
            }
        }
        if let Some(kept) = self.known.renew(owner) {
            kept.retain(|known| set.get(known.entry.name).is_some_and(Option::is_some));
        }
        is_whole.then_some(set)
    }

    fn is_new(&mut self, fault: &PluginFault, source: &Value) -> bool {
        self.complaints.is_new(&format!("{} {}", fault.owner, fault.plugin), source, &fault.reason)
    }

    /// A plugin that is switched off, for the process or here, is left out; one that nobody knows is a fault.
    fn without_plugin(&mut self, owner: &Arc<str>, name: &str, source: &Value) -> Result<(), PluginFault> {
        if self.registry.catalog().shipped(name).is_some() {
            if self.complaints.is_new(&format!("{owner} {name}"), source, "skipped") {
                tracing::warn!(owner = &**owner, plugin = name, "a plugin that `plugins` does not list is skipped");
            }
        } else if !PluginMeta::of(source).disable {
            let reason = "this build does not have it".to_owned();
            return Err(PluginFault { owner: owner.clone(), plugin: name.to_owned(), reason });
        }
        Ok(())
    }

    /// `None` if the plugin is switched off by `_meta.disable`.
    fn entry(&mut self, owner: &Arc<str>, def: &PluginDef, source: &Value) -> Result<Option<Arc<Entry>>, PluginFault> {
        let metadata = self.surroundings.metadata.get(def.info.name);
        let secrets_revision = self.surroundings.secrets_revision;
        let known =
            self.known.renew(owner).and_then(|known| known.iter().find(|known| known.entry.name == def.info.name));
        if let Some(known) = known
            && known.secrets_revision == secrets_revision
            && known.metadata.as_ref() == metadata
            && known.source == *source
        {
            return Ok(Some(known.entry.clone()));
        }
        let meta = PluginMeta::of(source);
        if meta.disable {
            return Ok(None);
        }
        let previous = known.map(|known| known.entry.clone());
        let metadata = metadata.cloned();
        let compiled = caught(|| self.compile(owner, def, source, &meta, metadata.as_deref()));
        match compiled.unwrap_or_else(|panic| Err(Refusal::NotNow(format!("compiling it panicked: {panic}")))) {
            Ok(entry) => {
                let entry = Arc::new(entry);
                self.keep(owner, Compiled { source: source.clone(), metadata, secrets_revision, entry: entry.clone() });
                Ok(Some(entry))
            }
            Err(refusal) => {
                let (reason, previous) = match refusal {
                    Refusal::Wrong(reason) => (reason, None),
                    Refusal::NotNow(reason) => (reason, previous),
                };
                let fault = PluginFault { owner: owner.clone(), plugin: def.info.name.to_owned(), reason };
                let Some(previous) = previous else { return Err(fault) };
                if self.is_new(&fault, source) {
                    tracing::error!(error = %fault, "the plugin's previous configuration stays in force");
                }
                Ok(Some(previous))
            }
        }
    }

    /// The configuration as a write would have it, with its defaults and with secrets decrypted.
    fn checked(&self, def: &PluginDef, source: &Value) -> Result<Value, String> {
        let (_, mut config) = config::meta::split(source)?;
        self.keyring.decrypt_fields(&mut config, def.info.encrypt_fields);
        self.check_and_fill(def, Side::Route, &mut config)?;
        (def.info.check)(&config, Side::Route)?;
        Ok(config)
    }

    /// The plugin's metadata as a write of it is checked: with its defaults, and lenient forms in their proper one.
    fn metadata(&self, def: &PluginDef, source: &Value) -> Result<Value, String> {
        let mut metadata = source.clone();
        self.check_and_fill(def, Side::Metadata, &mut metadata)
            .map(|()| metadata)
            .map_err(|error| format!("the plugin's metadata: {error}"))
    }

    fn keep(&mut self, owner: &Arc<str>, compiled: Compiled) {
        let kept = match self.known.renew(owner) {
            Some(kept) => kept,
            None => self.known.put(owner.clone(), Vec::new()),
        };
        kept.retain(|known| known.entry.name != compiled.entry.name);
        kept.push(compiled);
    }

    fn compile(
        &mut self,
        owner: &Arc<str>,
        def: &PluginDef,
        source: &Value,
        meta: &PluginMeta,
        metadata: Option<&Value>,
    ) -> Result<Entry, Refusal> {
        let mut config = self.checked(def, source).map_err(Refusal::Wrong)?;
        let filter = meta.filter.as_ref().map(Expr::parse).transpose();
        let filter = filter.map_err(|error| Refusal::Wrong(error.to_string()))?;
        let written = config.clone();
        let mut error_response = meta.error_response.clone();
        for value in [Some(&mut config), error_response.as_mut()].into_iter().flatten() {
            for unresolved in resolve_all(value, self.secrets()) {
                let (plugin, at, reference) = (def.info.name, unresolved.pointer, unresolved.reference);
                if self.complaints.is_new(&format!("{owner} {plugin} {at}"), source, &reference) {
                    tracing::error!(owner = &**owner, plugin, at, reference, "a secret cannot be resolved");
                }
            }
        }
        let error_response = error_response.as_ref().map(ErrorResponse::new);
        let metadata = metadata.map(|metadata| self.metadata(def, metadata)).transpose().map_err(Refusal::NotNow)?;
        let context = CompileContext {
            owner,
            services: &self.services,
            metadata: metadata.as_ref(),
            error_response: error_response.as_ref(),
        };
        let plugin = compiled(&written, &config, |config| (def.compile)(config, &context));
        Ok(Entry {
            name: def.info.name,
            plugin: plugin.map_err(Refusal::NotNow)?,
            priority: meta.priority.unwrap_or(i64::from(def.info.priority)),
            filter,
            error_response,
            authenticates: def.info.authenticates,
            prefer_route: def.prefer_route,
        })
    }
}

/// What `compile` makes of a configuration: `resolved` is `written` with secrets in the place of references. A reason
/// why that fails may repeat what it was given, so it is the one that `written` fails for, if that does.
pub(super) fn compiled<T>(
    written: &Value,
    resolved: &Value,
    compile: impl Fn(&Value) -> Result<T, String>,
) -> Result<T, String> {
    compile(resolved).map_err(|reason| match written == resolved {
        true => reason,
        false => compile(written).err().unwrap_or_else(|| BEHIND_REFERENCE.to_owned()),
    })
}
