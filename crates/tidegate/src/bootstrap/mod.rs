//! The first start: what a newcomer would otherwise have to configure. Keys are made once and shown once; routes
//! to providers are ordinary resources, and stay the user's from the first change on.

pub mod admin_key;
mod consumer;
pub mod keyring;
mod providers;
mod resources;
mod routes;
mod simulated;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use config::catalog::Catalog;
use config::keyring::Keyring;
use config::settings::Settings;
use store::Store;

pub use routes::Served;
pub use simulated::Simulated;

use crate::failure::Failure;
use resources::Writer;

/// What making the first resources needs.
pub struct Bootstrap<'a> {
    pub settings: &'a Settings,
    pub store: &'a Store,
    pub catalog: &'a Arc<Catalog>,
    pub keyring: &'a Keyring,
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// What there is to tell about the first resources.
#[derive(Debug)]
pub struct FirstResources {
    /// The first consumer's key, if it was made just now.
    pub consumer_key: Option<String>,
    /// What the routes made here lead to.
    pub served: Served,
    /// The simulator, if it is served as a provider. It runs while this lives.
    pub simulated: Option<Simulated>,
}

impl Bootstrap<'_> {
    /// Makes the first consumer and the first routes if the store is empty, and keeps the routes in step with the
    /// environment as long as nobody changed them.
    ///
    /// # Errors
    /// If the store cannot be written, or the simulator cannot be started.
    pub async fn run(&self) -> Result<FirstResources, Failure> {
        let writer = Writer { store: self.store, catalog: self.catalog, keyring: self.keyring };
        let record = routes::Record::read(self.store);
        let is_first = record.is_none() && self.store.snapshot().is_empty();
        if record.is_none() && !(is_first && self.is_wanted()) {
            return Ok(FirstResources { consumer_key: None, served: Served::default(), simulated: None });
        }
        let wanted = routes::wanted(self.settings, self.env, record.as_ref());
        let simulated = wanted.simulator.then(Simulated::start).transpose()?;
        let consumer_key = if is_first { Some(consumer::create(&writer).await?) } else { None };
        let served = routes::bring_up(&writer, &wanted, simulated.as_ref(), record).await?;
        Ok(FirstResources { consumer_key, served, simulated })
    }

    /// Whoever writes an admin key into `config.yaml` brings the resources too, and wants none beside them;
    /// asking for the simulator is asking for its route.
    fn is_wanted(&self) -> bool {
        let keys = self.settings.deployment.admin.admin_key.as_deref().unwrap_or_default();
        let brings_keys = keys.is_empty() || keys.iter().any(|key| !key.key.is_empty());
        !brings_keys || self.settings.tidegate.simulator == Some(true)
    }
}
