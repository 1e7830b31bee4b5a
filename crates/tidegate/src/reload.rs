//! SIGHUP: reading `config.yaml` again. What can change in a running process changes; of the rest it is said that a
//! restart is needed. Invariant: a file that is wrong in any place changes nothing.

use std::fmt::Debug;

use config::settings::{Admin, Settings};

/// Which sections of the two settings differ in what needs a restart.
pub fn needing_restart(running: &Settings, read: &Settings) -> Vec<&'static str> {
    let differing = [
        ("apisix", differ(&running.apisix, &read.apisix)),
        ("deployment.admin.admin_listen", running.deployment.admin.admin_listen != read.deployment.admin.admin_listen),
        ("deployment.admin.admin_api_mtls", running.deployment.admin.tls != read.deployment.admin.tls),
        ("nginx_config.worker_processes", running.workers() != read.workers()),
        ("nginx_config.http", differ(&running.nginx_config.http, &read.nginx_config.http)),
        ("plugin_attr", differ(&running.plugin_attr, &read.plugin_attr)),
        ("tidegate", needs_restart(running) != needs_restart(read)),
    ];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}

/// `running` with what may change taken from `read`.
pub fn merged(running: &Settings, read: &Settings) -> Settings {
    let mut merged = running.clone();
    merged.nginx_config.error_log_level = read.nginx_config.error_log_level;
    merged.tidegate.drain_timeout = read.tidegate.drain_timeout;
    merged.plugins = read.plugins.clone();
    merged.deployment.admin = Admin {
        admin_listen: running.deployment.admin.admin_listen,
        tls: running.deployment.admin.tls.clone(),
        ..read.deployment.admin.clone()
    };
    merged
}

/// `tidegate` without what may change.
fn needs_restart(settings: &Settings) -> config::settings::Tidegate {
    config::settings::Tidegate { drain_timeout: std::time::Duration::ZERO, ..settings.tidegate.clone() }
}

/// Compares what is printed, for sections that cannot be compared otherwise. All secrets print alike: of a changed
/// keyring only another number of keys is noticed.
fn differ(a: &impl Debug, b: &impl Debug) -> bool {
    format!("{a:?}") != format!("{b:?}")
}
