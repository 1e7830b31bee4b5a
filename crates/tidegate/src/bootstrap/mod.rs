//! The first start: what a newcomer would otherwise have to configure. Keys are made once and shown once; routes
//! to providers are ordinary resources, and stay the user's from the first change on.

pub mod admin_key;
mod consumer;
pub mod instance;
pub mod keyring;
mod paths;
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

pub use consumer::{FirstKey, VARIABLE as KEY_VARIABLE};
pub use simulated::Simulated;

use crate::failure::Failure;
use record::Record;
use resources::{Draft, MANAGED_BY, Writer};
use routes::Simulates;
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
    /// The first consumer's key; `None` if no start has made that consumer.
    pub key: Option<FirstKey>,
    /// Where the routes made here lead.
    pub served: Vec<Served>,
    /// The provider among them that gets the models which none of them claims.
    pub rest: Option<&'static str>,
    /// Providers that an earlier start routed to and this one does not.
    pub gone: Vec<Served>,
    /// Why there are no routes made here.
    pub none_made: Option<NoneMade>,
    /// The simulator, if it is served as a provider. It runs while this lives.
    pub simulated: Option<Simulated>,
}

/// Why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoneMade {
    /// `config.yaml` brings an admin key, or wants none: whoever wrote it brings the resources too.
    AdminKeyConfigured,
    /// A plugin that they need is not enabled.
    WithoutPlugins,
    /// Somebody else's resources are stored.
    StoreInUse,
    /// There is no provider to route to, and the simulator is switched off.
    NoProvider,
    /// Somebody has deleted them.
    Deleted,
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
        match (Record::read(self.store), self.hindrance()) {
            (Some(record), _) if record.is_untouched(&self.store.snapshot()) => self.follow(&record).await,
            (Some(record), _) => self.leave(&record),
            (None, Some(reason)) => Ok(FirstResources { none_made: Some(reason), ..FirstResources::default() }),
            (None, None) => self.begin().await,
        }
    }

    /// A later start, which puts the routes in step with the environment.
    async fn follow(&self, record: &Record) -> Result<FirstResources, Failure> {
        let mut targets = targets::wanted(self.settings, self.env);
        let simulated = start_simulator(&mut targets)?;
        self.write_changes(&targets, record).await?;
        let earlier = targets::recorded(record, self.env);
        let gone = earlier.iter().filter(|target| !target.is_available).map(Target::served).collect();
        Ok(FirstResources { gone, ..self.told(&targets, self.stored_key(), simulated) })
    }

    /// A later start, after somebody has changed one of the routes: they are not this one's any more.
    fn leave(&self, record: &Record) -> Result<FirstResources, Failure> {
        let mut targets = targets::recorded(record, self.env);
        let wanted = targets::wanted(self.settings, self.env);
        if wanted.iter().map(Target::id).ne(targets.iter().map(Target::id)) {
            tracing::warn!("routes made at the first start were changed since; they stay as they are");
        }
        targets.retain(|target| self.has_route(target));
        let simulated = start_simulator(&mut targets)?;
        let none_made = targets.is_empty().then_some(NoneMade::Deleted);
        Ok(FirstResources { rest: None, none_made, ..self.told(&targets, self.stored_key(), simulated) })
    }

    /// The first start.
    async fn begin(&self) -> Result<FirstResources, Failure> {
        let mut targets = targets::wanted(self.settings, self.env);
        let simulated = start_simulator(&mut targets)?;
        let key = self.write_first(&targets).await?;
        Ok(self.told(&targets, key, simulated))
    }

    fn stored_key(&self) -> FirstKey {
        consumer::stored(&self.store.snapshot(), self.catalog, self.keyring, self.env)
    }

    fn told(&self, targets: &[Target], key: FirstKey, simulated: Option<Simulated>) -> FirstResources {
        FirstResources {
            key: Some(key),
            served: targets.iter().map(Target::served).collect(),
            rest: targets::rest(targets).map(|target| target.served().provider),
            gone: Vec::new(),
            none_made: targets.is_empty().then_some(NoneMade::NoProvider),
            simulated,
        }
    }

    /// What keeps a start from making first resources. Whoever writes an admin key into `config.yaml`, or wants none,
    /// brings the resources too and wants none beside them; asking for the simulator is asking for its route. Without
    /// authentication no route is made.
    fn hindrance(&self) -> Option<NoneMade> {
        let keys = self.settings.deployment.admin.admin_key.as_deref().unwrap_or_default();
        let generates_key = !keys.is_empty() && keys.iter().all(|key| key.key.is_empty());
        if !generates_key && self.settings.tidegate.simulator != Some(true) {
            return Some(NoneMade::AdminKeyConfigured);
        }
        if ["ai-proxy", "key-auth"].iter().any(|name| self.catalog.get(name).is_none()) {
            tracing::warn!("first routes need the plugins ai-proxy and key-auth, which config.yaml does not enable");
            return Some(NoneMade::WithoutPlugins);
        }
        (!is_ours(&self.store.snapshot())).then_some(NoneMade::StoreInUse)
    }

    /// Writes the consumer and the routes together.
    async fn write_first(&self, targets: &[Target]) -> Result<FirstKey, Failure> {
        let consumer = consumer::First::make(self.env)?;
        let routes = self.routes(targets, Simulates::Every);
        let drafts = [consumer.drafts(), routes.clone()].concat();
        let revision = self.writer().write(&drafts, &[]).await?;
        Record::new(targets, &routes, revision, None).keep(self.store).await?;
        Ok(consumer.into_key())
    }

    /// Writes the routes anew if they are to be others now.
    async fn write_changes(&self, targets: &[Target], record: &Record) -> Result<(), Failure> {
        let simulates = if record.has_served() { Simulates::ItsOwn } else { Simulates::Every };
        let routes = self.routes(targets, simulates);
        if record.is_of(&routes) {
            return Ok(());
        }
        let is_kept = |key: &&String| routes.iter().any(|route| route.key() == **key);
        let obsolete: Vec<String> = record.keys.iter().filter(|key| !is_kept(key)).cloned().collect();
        let revision = self.writer().write(&routes, &obsolete).await?;
        Record::new(targets, &routes, revision, Some(record)).keep(self.store).await
    }

    fn routes(&self, targets: &[Target], simulates: Simulates) -> Vec<Draft> {
        routes::drafts(targets, simulates, &|plugin: &str| self.catalog.get(plugin).is_some())
    }

    fn writer(&self) -> Writer<'_> {
        Writer { store: self.store, catalog: self.catalog, keyring: self.keyring }
    }

    fn has_route(&self, target: &Target) -> bool {
        self.store.snapshot().get(&routes::key(target)).is_some()
    }
}

/// Starts the simulator if a route is going to lead to it.
fn start_simulator(targets: &mut [Target]) -> Result<Option<Simulated>, Failure> {
    let Some(target) = targets.iter_mut().find(|target| target.provider.is_none()) else { return Ok(None) };
    let simulated = Simulated::start()?;
    target.endpoint = Some(format!("http://{}", simulated.address()));
    Ok(Some(simulated))
}

/// `true` if the store holds nothing but what a first start wrote that did not come to its end.
fn is_ours(snapshot: &Snapshot) -> bool {
    let label = |value: &serde_json::Value| value.pointer("/labels/managed_by").is_some_and(|by| by == MANAGED_BY);
    snapshot.under("/").all(|item| label(&item.value))
}
