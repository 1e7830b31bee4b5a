//! Consumers, and the credentials they are found by.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use config::meta::PluginMeta;
use config::resource::{self, Plugins};
use http::HeaderValue;
use serde_json::Value;

use super::kept::{Kept, Parsed};
use super::{Draft, Planner, items, plugins_of};
use crate::plan::chain::{PluginSet, same_plugins};
use crate::plan::compile::SecretsRevision;
use crate::plan::consumers::{Consumer, ConsumerPlugins, Credential, CredentialIndex};

/// The consumers of one plan.
pub(super) struct Consumers {
    pub by_name: HashMap<Arc<str>, Arc<Consumer>>,
    pub credentials: HashMap<&'static str, CredentialIndex>,
    /// Not the very same ones as in the last plan.
    pub changed: bool,
}

/// What is taken over from the last plan.
#[derive(Default)]
pub(super) struct KnownConsumers {
    parsed: Parsed<ParsedConsumer>,
    consumers: Kept<Arc<str>, (Arc<ParsedConsumer>, Arc<Consumer>)>,
    /// Those of one consumer or credential object, by plugin.
    credentials: Kept<Arc<str>, Vec<(&'static str, KnownCredential)>>,
}

struct KnownCredential {
    source: Value,
    secrets_revision: SecretsRevision,
    credential: Arc<Credential>,
}

/// Whether a consumer is the one of the last plan.
struct Taken(bool);

struct ParsedConsumer {
    config: resource::Consumer,
    /// Without the plugins that authenticate: those are credentials here.
    plugins: Plugins,
}

impl KnownConsumers {
    pub fn begin(&mut self) {
        self.parsed.begin();
        self.consumers.begin();
        self.credentials.begin();
    }

    pub fn finish(&mut self) {
        self.parsed.finish();
        self.consumers.finish();
        self.credentials.finish();
    }
}

impl Planner {
    pub(super) fn compile_consumers(&mut self, draft: &Draft<'_>) -> Consumers {
        let known = self.consumers.consumers.len();
        let by_name = HashMap::with_capacity(known);
        let mut consumers = Consumers { by_name, credentials: HashMap::new(), changed: false };
        // Keys are in order: a consumer comes before its credentials.
        for (key, value) in items(draft.snapshot, "/apisix/consumers/") {
            let mut path = key.split('/').skip(3);
            match (path.next(), path.next(), path.next(), path.next()) {
                (Some(_), None, ..) => {
                    let Some((consumer, Taken(taken))) = self.compile_consumer(draft, key, value) else { continue };
                    consumers.changed |= !taken;
                    self.index_credentials(key, value, &consumer, None, &mut consumers.credentials);
                    consumers.by_name.insert(consumer.username.clone(), consumer);
                }
                (Some(username), Some("credentials"), Some(id), None) => {
                    let Some(consumer) = consumers.by_name.get(username) else { continue };
                    self.index_credentials(key, value, consumer, Some(id), &mut consumers.credentials);
                }
                _ => {}
            }
        }
        consumers.changed |= consumers.by_name.len() != known;
        consumers
    }

    fn compile_consumer(
        &mut self,
        draft: &Draft<'_>,
        key: &Arc<str>,
        value: &Arc<Value>,
    ) -> Option<(Arc<Consumer>, Taken)> {
        let registry = self.compiler.registry().clone();
        let parse = |value: &Value| {
            let config = resource::Consumer::from_value(value)?;
            // Whether the plugin is enabled does not matter: it may be, later.
            let stays = |name: &str| registry.catalog().shipped(name).is_none_or(|info| !info.authenticates);
            let plugins = config.plugins.iter().filter(|(name, _)| stays(name));
            let plugins = plugins.map(|(name, plugin)| (name.clone(), plugin.clone())).collect();
            Ok::<_, config::resource::ConfigError>(ParsedConsumer { config, plugins })
        };
        let parsed = match self.consumers.parsed.of(key, value, parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.complain("the consumer", key, value, &error);
                return None;
            }
        };
        let own = self.plugin_set(key, &parsed.plugins)?;
        let group = parsed.config.group_id.as_ref().map(|id| draft.groups.get(id).cloned().flatten());
        let group_missing = group.as_ref().is_some_and(Option::is_none);
        let mut plugins = group.flatten().unwrap_or_default();
        plugins.extend(own);
        if let Some((source, consumer)) = self.consumers.consumers.renew(key)
            && Arc::ptr_eq(source, &parsed)
            && consumer.group_missing == group_missing
            && same_plugins(&consumer.plugins.0, &plugins)
        {
            return Some((consumer.clone(), Taken(true)));
        }
        let consumer = Arc::new(consumer_of(&parsed.config, plugins, group_missing)?);
        self.consumers.consumers.put(key.clone(), (parsed, consumer.clone()));
        Some((consumer, Taken(false)))
    }

    /// Adds what `value`, a consumer or a credential object under `key`, holds for authentication plugins.
    fn index_credentials(
        &mut self,
        key: &Arc<str>,
        value: &Value,
        consumer: &Arc<Consumer>,
        id: Option<&str>,
        indexes: &mut HashMap<&'static str, CredentialIndex>,
    ) {
        let registry = self.compiler.registry().clone();
        let Some(plugins) = plugins_of(value) else { return };
        for (name, source) in plugins {
            let Some(def) = registry.get(name).filter(|def| def.info.authenticates) else { continue };
            let Some(field) = def.info.unique_field.filter(|_| !PluginMeta::of(source).disable) else { continue };
            let known = self.consumers.credentials.get(key).into_iter().flatten();
            let known = known.filter(|(of, known)| *of == def.info.name && self.is_current(known, source, consumer));
            let credential = match known.map(|(_, known)| known.credential.clone()).next() {
                Some(credential) => credential,
                None => {
                    let config = match self.compiler.credential(def, source) {
                        Ok(config) => config,
                        Err(reason) => {
                            let error = format!("the {name} of {}: {reason}", consumer.username);
                            self.complain("a credential", &format!("{key} {name}"), source, &error);
                            continue;
                        }
                    };
                    let (consumer, id) = (consumer.clone(), id.map(Arc::from));
                    Arc::new(Credential { consumer, id, config, compiled: OnceLock::new() })
                }
            };
            if let Some(key) = credential.config.get(field).and_then(Value::as_str) {
                indexes.entry(def.info.name).or_default().insert(key, credential.clone());
            }
            self.keep_credential(key, def.info.name, source, credential);
        }
        if let Some(kept) = self.consumers.credentials.renew(key) {
            kept.retain(|(of, _)| plugins.contains_key(*of));
        }
    }

    fn keep_credential(&mut self, key: &Arc<str>, plugin: &'static str, source: &Value, credential: Arc<Credential>) {
        let secrets_revision = self.compiler.secrets_revision();
        let kept = match self.consumers.credentials.renew(key) {
            Some(kept) if kept.iter().any(|(_, known)| Arc::ptr_eq(&known.credential, &credential)) => return,
            Some(kept) => kept,
            None => self.consumers.credentials.put(key.clone(), Vec::new()),
        };
        kept.retain(|(of, _)| *of != plugin);
        kept.push((plugin, KnownCredential { source: source.clone(), secrets_revision, credential }));
    }

    fn is_current(&self, known: &KnownCredential, source: &Value, consumer: &Arc<Consumer>) -> bool {
        known.secrets_revision == self.compiler.secrets_revision()
            && Arc::ptr_eq(&known.credential.consumer, consumer)
            && known.source == *source
    }
}

/// `None` if the name cannot stand in a header.
fn consumer_of(config: &resource::Consumer, plugins: PluginSet, group_missing: bool) -> Option<Consumer> {
    let custom_id = config.labels.get("custom_id").and_then(|id| HeaderValue::from_str(id).ok());
    Some(Consumer {
        username_header: HeaderValue::from_str(&config.username).ok()?,
        username: config.username.as_str().into(),
        group_missing,
        group_id: config.group_id.as_deref().map(Arc::from),
        labels: config.labels.clone(),
        custom_id,
        plugins: ConsumerPlugins(plugins),
    })
}
