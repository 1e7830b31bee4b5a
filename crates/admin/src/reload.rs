//! What the Admin and the Control API ask of the process: to read the list of enabled plugins again.

use std::future::Future;
use std::pin::Pin;

/// The process, as far as its list of plugins is concerned.
pub trait ReloadPlugins: Send + Sync + 'static {
    /// Reads the list of `config.yaml` and puts it in force, for the checks of writes and for requests.
    ///
    /// # Errors
    /// Says why the file cannot be used (nothing has changed then), or why requests do not go by its list.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}
