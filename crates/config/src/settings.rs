//! `config.yaml`: what is fixed while the process runs. The keys and defaults are APISIX's, plus a `tidegate`
//! section. Invariant: a [`Settings`] is complete and in range; what this build cannot do is refused here, and
//! what it does not know is warned about, never silently dropped. The binary reads the file and calls
//! [`Settings::load`]; nothing here touches files or the process's environment.

mod access_log;
mod apisix;
mod deployment;
mod nginx;
mod plugin_attr;
mod problems;
mod reader;
mod ssl;
mod substitute;
mod tidegate;
pub mod units;
mod yaml;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;

pub use access_log::{AccessLog, LogEscape};
pub use apisix::{Apisix, DataEncryption, Listen, Router, RouterKind};
pub use deployment::{Admin, AdminApiVersion, AdminKey, AdminRole, AdminTls, Deployment};
pub use nginx::{LogLevel, Nginx, NginxHttp};
pub use plugin_attr::{ExtraLabel, MetricAttr, PluginAttr, PrometheusAttr};
pub use problems::Problems;
pub use ssl::{Ssl, TlsVersion};
pub use tidegate::Tidegate;

use reader::{Context, Reader, Warning};

/// Everything that `config.yaml` says. [`Settings::default`] is what an empty file says.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub apisix: Apisix,
    pub deployment: Deployment,
    pub nginx_config: Nginx,
    /// The enabled plugins; `None` is all of this build.
    pub plugins: Option<Vec<String>>,
    pub plugin_attr: PluginAttr,
    pub tidegate: Tidegate,
}

/// Why `config.yaml` is refused. Every text begins with the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The text is no YAML; `reason` holds line and column.
    #[error("{file}: {reason}")]
    Yaml { file: String, reason: String },
    /// `${{NAME}}` without a default, and the environment has no NAME.
    #[error("{file}: {path}: can't find environment variable {name}; set it, or write ${{{{{name}:=default}}}}")]
    MissingVariable { file: String, path: String, name: String },
    /// A value of the wrong type or out of range.
    #[error("{file}: {path} must be {expected}, got {got}")]
    Invalid { file: String, path: String, expected: String, got: String },
    /// A value that APISIX allows and this build does not.
    #[error("{file}: {path}: {got} is not supported; {instead}")]
    Unsupported { file: String, path: String, got: String, instead: String },
}

// === impl SettingsError ===

impl SettingsError {
    /// Where in the file the wrong value stands; `None` if it is the file itself.
    fn path_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Yaml { .. } => None,
            Self::MissingVariable { path, .. } | Self::Invalid { path, .. } | Self::Unsupported { path, .. } => {
                Some(path)
            }
        }
    }
}

// === impl Settings ===

impl Settings {
    /// Reads `text`, the contents of `file_name`. `env` looks up environment variables, for `${{NAME}}` and for
    /// `APISIX_WORKER_PROCESSES`, which says what `worker_processes: auto` is.
    /// The second value are warnings, each a full sentence with file and path.
    pub fn load(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<String>), SettingsError> {
        let (settings, warnings) = Self::from_document(yaml::parse(text, file_name)?, file_name, env)?;
        Ok((settings, warnings.iter().map(|warning| warning.told_of(file_name)).collect()))
    }

    /// Everything for which [`Settings::load`], with the same arguments, refuses a file, and what it
    /// would warn of beside that.
    pub fn problems(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Problems {
        problems::all(text, file_name, env)
    }

    fn from_document(
        mut document: serde_json::Value,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), SettingsError> {
        let substituted = substitute::environment(&mut document, file_name, env)?;
        let context = Context::new(file_name, substituted);
        let mut settings = Self::read(&mut Reader::root(&context, &document)?)?;
        if settings.nginx_config.worker_processes.is_none() {
            settings.nginx_config.worker_processes = nginx::worker_processes_of(env)?;
        }
        Ok((settings, context.into_warnings()))
    }

    fn read(root: &mut Reader<'_>) -> Result<Self, SettingsError> {
        if root.has("discovery") {
            return Err(root.unsupported("discovery", "service discovery", "list the nodes of upstreams instead"));
        }
        let settings = Self {
            apisix: Apisix::read(&mut root.section("apisix")?)?,
            deployment: Deployment::read(&mut root.section("deployment")?)?,
            nginx_config: Nginx::read(&mut root.section("nginx_config")?)?,
            plugins: root.texts("plugins")?,
            plugin_attr: PluginAttr::read(&mut root.section("plugin_attr")?)?,
            tidegate: Tidegate::read(&mut root.section("tidegate")?)?,
        };
        root.without_effect(&["stream_plugins", "graphql", "ext-plugin", "wasm", "xrpc"]);
        root.finish();
        Ok(settings)
    }

    /// Where plain HTTP is served: every `apisix.node_listen` entry, with `[::]` beside `0.0.0.0` if IPv6 is on.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.apisix.node_listen, self.apisix.enable_ipv6)
    }

    /// Where HTTPS is served; empty if `apisix.ssl.enable` is false.
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        match self.apisix.ssl.enable {
            true => addresses(&self.apisix.ssl.listen, self.apisix.enable_ipv6),
            false => Vec::new(),
        }
    }

    /// Data plane workers: `tidegate.workers`, else `nginx_config.worker_processes`; `None` is one per core.
    pub fn workers(&self) -> Option<NonZeroUsize> {
        self.tidegate.workers.or(self.nginx_config.worker_processes)
    }
}

fn addresses(listens: &[Listen], ipv6: bool) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for listen in listens {
        match listen.ip {
            Some(ip) => addresses.push(SocketAddr::new(ip, listen.port)),
            None => {
                addresses.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), listen.port));
                if ipv6 {
                    addresses.push(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), listen.port));
                }
            }
        }
    }
    addresses
}
