//! The process's own log, on standard error. Its level can change while the process runs.

use std::io::IsTerminal;

use config::settings::Settings;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Overrides the configured level.
const VARIABLE: &str = "TIDEGATE_LOG";

/// The handle by which the level changes.
#[derive(Debug, Clone)]
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Begins to log. Called once per process.
    pub fn start(settings: &Settings) -> Self {
        let (filter, handle) = reload::Layer::new(filter(settings));
        let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
        tracing_subscriber::registry().with(filter).with(lines).init();
        Self { filter: handle }
    }

    /// Takes the level from `settings`.
    pub fn set_level(&self, settings: &Settings) {
        if let Err(error) = self.filter.reload(filter(settings)) {
            tracing::warn!(%error, "the log level cannot be changed");
        }
    }
}

fn filter(settings: &Settings) -> EnvFilter {
    let level = settings.nginx_config.error_log_level.as_tracing().parse().unwrap_or(LevelFilter::WARN);
    EnvFilter::builder().with_default_directive(level.into()).with_env_var(VARIABLE).from_env_lossy()
}
