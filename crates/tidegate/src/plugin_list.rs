//! The plugins that are enabled (`plugins` of `config.yaml`), which may change while the process runs: by SIGHUP, and
//! by `PUT /plugins/reload` of the Admin and the Control API. Invariant: what is acknowledged holds for the next write
//! and for the next request.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use admin::ReloadPlugins;
use config::catalog::Catalog;
use gateway::data_plane::DataPlane;

use crate::configuration::Configuration;

/// Those who go by the list, and where it is written.
pub struct PluginList {
    /// `config.yaml`; `None` is a process without one.
    pub file: Option<PathBuf>,
    pub catalog: Arc<Catalog>,
    pub data_plane: Arc<DataPlane>,
}

impl PluginList {
    /// Enables `names` and no other plugins, all if it is `None`. Resources that name another one stay as they are;
    /// requests pass it by.
    ///
    /// # Errors
    /// Says why requests do not meet the list; writes do.
    pub async fn put_in_force(&self, names: Option<&[String]>) -> Result<(), String> {
        warn_of_strangers(&self.catalog, names);
        self.catalog.enable(names);
        self.data_plane.rebuild().await.map_err(|error| format!("requests go by the old list: {error}"))?;
        tracing::info!(enabled = self.catalog.by_priority().len(), "the list of plugins is in force");
        Ok(())
    }
}

/// Logs which of the listed plugins there are not.
pub fn warn_of_strangers(catalog: &Catalog, names: Option<&[String]>) {
    for sentence in catalog.strangers(names.unwrap_or_default()) {
        tracing::warn!("{sentence}");
    }
}

impl ReloadPlugins for PluginList {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async {
            let read = Configuration::load(self.file.as_deref()).map_err(|failure| failure.to_string())?;
            self.put_in_force(read.settings.plugins.as_deref()).await
        })
    }
}
