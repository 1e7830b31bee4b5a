//! Consumers, and the credentials they are found by.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use config::resource::{self, Plugins};
use http::HeaderValue;
use serde_json::Value;

use super::parsed::Parsed;
use super::{Draft, Planner, items, plugins_of};
use crate::plan::chain::{PluginSet, same_plugins};
use crate::plan::consumers::{Consumer, ConsumerPlugins, Credential, CredentialIndex};

/// The consumers of one plan.
#[derive(Default)]
pub(super) struct Consumers {
    pub by_name: HashMap<Arc<str>, Arc<Consumer>>,
    pub credentials: HashMap<&'static str, CredentialIndex>,
}

/// What is taken over from the last plan.
#[derive(Default)]
pub(super) struct KnownConsumers {
    parsed: Parsed<ParsedConsumer>,
    last: Generation,
    next: Generation,
}

#[derive(Default)]
struct Generation {
    consumers: HashMap<Arc<str>, (Arc<ParsedConsumer>, Arc<Consumer>)>,
    credentials: HashMap<(Arc<str>, &'static str), KnownCredential>,
}

struct KnownCredential {
    source: Value,
    secrets_revision: u64,
    credential: Arc<Credential>,
}

struct ParsedConsumer {
    config: resource::Consumer,
    /// Without the plugins that authenticate: those are credentials here.
    plugins: Plugins,
}

impl KnownConsumers {
    pub fn begin(&mut self) {
        self.parsed.begin();
        self.last.consumers.extend(self.next.consumers.drain());
        self.last.credentials.extend(self.next.credentials.drain());
    }

    pub fn finish(&mut self) {
        self.parsed.finish();
        self.last = std::mem::take(&mut self.next);
    }
}

impl Planner {
    pub(super) fn compile_consumers(&mut self, draft: &Draft<'_>) -> Consumers {
        let mut consumers = Consumers::default();
        // Keys are in order: a consumer comes before its credentials.
        for (key, value) in items(draft.snapshot, "/apisix/consumers/") {
            let mut path = key.split('/').skip(3);
            match (path.next(), path.next(), path.next(), path.next()) {
                (Some(_), None, ..) => {
                    let Some(consumer) = self.compile_consumer(draft, key, value) else { continue };
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
        consumers
    }

    fn compile_consumer(&mut self, draft: &Draft<'_>, key: &Arc<str>, value: &Arc<Value>) -> Option<Arc<Consumer>> {
        let registry = self.compiler.registry().clone();
        let parse = |value: &Value| {
            let config = resource::Consumer::from_value(value)?;
            let stays = |name: &str| registry.get(name).is_none_or(|def| !def.info.authenticates);
            let plugins = config.plugins.iter().filter(|(name, _)| stays(name));
            let plugins = plugins.map(|(name, plugin)| (name.clone(), plugin.clone())).collect();
            Ok::<_, config::resource::ConfigError>(ParsedConsumer { config, plugins })
        };
        let parsed = match self.consumers.parsed.of(key, value, parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                tracing::error!(key = &**key, %error, "the consumer cannot be used");
                return None;
            }
        };
        let own = self.plugin_set(key, &parsed.plugins)?;
        let group = parsed.config.group_id.as_ref().map(|id| draft.groups.get(id).cloned().flatten());
        let group_missing = group.as_ref().is_some_and(Option::is_none);
        let mut plugins = group.flatten().unwrap_or_default();
        plugins.extend(own);
        let consumer = match self.consumers.last.consumers.remove(key) {
            Some((source, consumer))
                if Arc::ptr_eq(&source, &parsed)
                    && consumer.group_missing == group_missing
                    && same_plugins(&consumer.plugins.0, &plugins) =>
            {
                consumer
            }
            _ => Arc::new(consumer_of(&parsed.config, plugins, group_missing)?),
        };
        self.consumers.next.consumers.insert(key.clone(), (parsed, consumer.clone()));
        Some(consumer)
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
        for (name, source) in plugins_of(value).into_iter().flatten() {
            let Some(def) = registry.get(name).filter(|def| def.info.authenticates) else { continue };
            let Some(field) = def.info.unique_field else { continue };
            let known_as = (key.clone(), def.info.name);
            let known = match self.consumers.last.credentials.remove(&known_as) {
                Some(known) if self.is_current(&known, source, consumer) => known,
                _ => {
                    let Some(config) = self.compiler.credential(def, source) else {
                        tracing::error!(consumer = &*consumer.username, plugin = name, "a credential cannot be used");
                        continue;
                    };
                    let (consumer, id) = (consumer.clone(), id.map(Arc::from));
                    let credential = Arc::new(Credential { consumer, id, config, compiled: OnceLock::new() });
                    let secrets_revision = self.compiler.secrets_revision();
                    KnownCredential { source: source.clone(), secrets_revision, credential }
                }
            };
            if let Some(key) = known.credential.config.get(field).and_then(Value::as_str) {
                indexes.entry(def.info.name).or_default().insert(key, known.credential.clone());
            }
            self.consumers.next.credentials.insert(known_as, known);
        }
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
