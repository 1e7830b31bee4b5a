//! The Admin API, the Control API, and the metrics and status listeners. They run on an ordinary runtime beside the
//! data plane's workers. Of the workspace this crate knows `config` and `store` alone; it meets the data plane in four
//! places: the [`store::Store`], which the Admin API writes and the data plane follows; [`AdminServer::in_force`], the
//! revision that the data plane serves by; [`DataPlaneView`], which the other listeners read; and [`ReloadPlugins`],
//! which changes the list of plugins.
//!
//! Invariant: what the Admin API has acknowledged is durable, and was checked as a whole together with what it refers
//! to. As a rule the next request meets it, too: an acknowledgement waits for the data plane, but no longer than 30 ms.
//! A change that takes longer to compile comes in force by itself a little later.

mod access;
mod activity;
mod api;
mod body;
mod control;
mod listener;
mod metrics;
mod query;
mod reload;
mod reply;
mod settings;
mod status;
mod view;

pub use api::AdminServer;
pub use control::{ControlServer, ServerInfo};
pub use metrics::MetricsServer;
pub use reload::ReloadPlugins;
pub use settings::{Access, AdminKey, AdminSettings, KeyMatcher};
pub use status::StatusServer;
pub use view::{DataPlaneView, Loaded};
