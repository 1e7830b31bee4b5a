//! The first start: what a newcomer would otherwise have to configure. Keys are made once and shown once; routes
//! to providers are ordinary resources, and stay the user's from the first change on.

pub mod admin_key;
mod consumer;
pub mod instance;
pub mod keyring;
mod providers;
mod record;
mod resources;
mod routes;
mod simulated;
mod targets;

#[cfg(test)]
mod tests;

use config::catalog::Catalog;
use config::keyring::Keyring;
use config::settings::Settings;
use store::{Snapshot, Store};

pub use simulated::Simulated;

use crate::failure::Failure;
use record::Record;
use resources::{Draft, MANAGED_BY, Writer};
use targets::Target;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What making the first resources needs.
pub struct Bootstrap<'a> {
    pub settings: &'a Settings,
    pub store: &'a Store,
    pub catalog: &'a Catalog,
    pub keyring: &'a Keyring,
    pub env: Environment<'a>,
}

/// What there is to tell about the first resources.
#[derive(Debug, Default)]
pub struct FirstResources {
    /// The first consumer's key, if it was made just now.
    pub consumer_key: Option<String>,
    /// Where the routes made here lead; first the one that takes every model.
    pub served: Vec<Served>,
    /// The simulator, if it is served as a provider. It runs while this lives.
    pub simulated: Option<Simulated>,
}

/// A provider that a route made here leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub provider: &'static str,
    /// A model to ask it for.
    pub model: &'static str,
    /// The environment variable that its route needs and that is not set.
    pub missing: Option<&'static str>,
}

impl Bootstrap<'_> {
    /// Makes the first consumer and the first routes if the store is empty. Later it keeps the routes in step with the
    /// environment, as long as nobody has changed one of them.
    ///
    /// # Errors
    /// If the store cannot be written, or the simulator cannot be started.
    pub async fn run(&self) -> Result<FirstResources, Failure> {
        let record = Record::read(self.store);
        if record.is_none() && !self.makes_resources() {
            return Ok(FirstResources::default());
        }
        let mut targets = targets::wanted(self.settings, self.env, record.as_ref());
        let is_untouched = record.as_ref().is_none_or(|record| record.is_untouched(&self.store.snapshot()));
        let simulated = self.start_simulator(&mut targets, is_untouched)?;
        let consumer_key = match record {
            None => self.write_first(&targets).await?,
            Some(record) if is_untouched => {
                self.write_changes(&targets, &record).await?;
                None
            }
            Some(record) => {
                if !record.is_of(&targets) {
                    tracing::warn!("routes made at the first start were changed since; they stay as they are");
                }
                None
            }
        };
        Ok(FirstResources { consumer_key, served: self.served(&targets), simulated })
    }

    /// Whoever writes an admin key into `config.yaml`, or wants none, brings the resources too and wants none beside
    /// them; asking for the simulator is asking for its route. Without authentication no route is made.
    fn makes_resources(&self) -> bool {
        let keys = self.settings.deployment.admin.admin_key.as_deref().unwrap_or_default();
        let generates_key = !keys.is_empty() && keys.iter().all(|key| key.key.is_empty());
        let is_wanted = generates_key || self.settings.tidegate.simulator == Some(true);
        let can_serve = ["ai-proxy", "key-auth"].iter().all(|name| self.catalog.get(name).is_some());
        if is_wanted && !can_serve {
            tracing::warn!("first routes need the plugins ai-proxy and key-auth, which config.yaml does not enable");
        }
        is_wanted && can_serve && is_ours(&self.store.snapshot())
    }

    /// Starts the simulator if a route leads to it, or is going to.
    fn start_simulator(&self, targets: &mut Vec<Target>, is_untouched: bool) -> Result<Option<Simulated>, Failure> {
        let Some(position) = targets.iter().position(|target| target.provider.is_none()) else { return Ok(None) };
        if !is_untouched && !self.has_route(&targets[position]) {
            targets.remove(position);
            return Ok(None);
        }
        let simulated = Simulated::start()?;
        targets[position].endpoint = Some(format!("http://{}", simulated.address()));
        Ok(Some(simulated))
    }

    /// Writes the consumer and the routes together, and gives the consumer's key if it was made now.
    async fn write_first(&self, targets: &[Target]) -> Result<Option<String>, Failure> {
        let consumer = consumer::First::make(self.env)?;
        let routes = self.routes(targets);
        let keys = routes.iter().map(Draft::key).collect();
        let drafts = [consumer.drafts(), routes].concat();
        let revision = self.writer().write(&drafts, &[]).await?;
        Record::new(targets, keys, revision).keep(self.store).await?;
        Ok(consumer.into_generated_key())
    }

    /// Writes the routes anew if they lead elsewhere now.
    async fn write_changes(&self, targets: &[Target], record: &Record) -> Result<(), Failure> {
        if record.is_of(targets) {
            return Ok(());
        }
        let routes = self.routes(targets);
        let keys: Vec<String> = routes.iter().map(Draft::key).collect();
        let obsolete: Vec<String> = record.keys.iter().filter(|key| !keys.contains(key)).cloned().collect();
        let revision = self.writer().write(&routes, &obsolete).await?;
        Record::new(targets, keys, revision).keep(self.store).await
    }

    fn routes(&self, targets: &[Target]) -> Vec<Draft> {
        let is_enabled = |plugin: &str| self.catalog.get(plugin).is_some();
        targets.iter().enumerate().map(|(position, target)| routes::draft(target, position, &is_enabled)).collect()
    }

    fn writer(&self) -> Writer<'_> {
        Writer { store: self.store, catalog: self.catalog, keyring: self.keyring }
    }

    fn has_route(&self, target: &Target) -> bool {
        self.store.snapshot().get(&routes::key(target)).is_some()
    }

    fn served(&self, targets: &[Target]) -> Vec<Served> {
        targets.iter().filter(|target| self.has_route(target)).map(Target::served).collect()
    }
}

/// `true` if the store holds nothing but what a first start wrote that did not come to its end.
fn is_ours(snapshot: &Snapshot) -> bool {
    let label = |value: &serde_json::Value| value.pointer("/labels/managed_by").is_some_and(|by| by == MANAGED_BY);
    snapshot.under("/").all(|item| label(&item.value))
}
