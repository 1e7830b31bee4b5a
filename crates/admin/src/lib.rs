//! The Admin API, the Control API, and the metrics and status listeners. They run on an ordinary runtime
//! beside the data plane's workers, and meet the data plane in two places only: the [`store::Store`], which
//! the Admin API writes and the data plane follows, and [`DataPlaneView`], which the others read.
//!
//! Invariant: what the Admin API has acknowledged is durable, was checked as a whole together with everything
//! that it refers to, and is seen by the very next request.

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
