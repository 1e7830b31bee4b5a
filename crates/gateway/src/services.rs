//! The process-wide parts that compiled plugins may hold on to. One value, made by the binary at start-up.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::settings::Settings;
use limits::Limiter;

use crate::last_call::LastCall;
use crate::metrics::Metrics;
use crate::side::SideClient;
use crate::transport::Origins;

/// Shared parts of the data plane.
pub struct Services {
    /// `config.yaml` as loaded.
    pub settings: Arc<Settings>,
    /// Local counters of limit-count and its kin, shared by all workers.
    pub limiter: Arc<Limiter>,
    /// Every metric of the process.
    pub metrics: Arc<Metrics>,
    /// The second runtime: exporters, loggers, health checks. Never the data plane's own work.
    pub side: tokio::runtime::Handle,
    /// For who holds something that must be delivered before the process ends.
    pub last_call: LastCall,
    /// An HTTP client for the side runtime.
    pub client: Arc<SideClient>,
    /// Every server that connections go to.
    pub origins: Origins,
    /// `apisix.trusted_addresses`; `None` if not configured.
    pub trusted_addresses: Option<Vec<ipnet::IpNet>>,
    /// TLS towards upstreams.
    pub tls: crate::tls::client::ClientConfigs,
    /// This machine's name, as loggers and `node_info` report it.
    pub hostname: Arc<str>,
}

impl Services {
    /// Wall-clock time since the Unix epoch, for windows and time stamps.
    pub fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
