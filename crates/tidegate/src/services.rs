//! The process-wide parts of the data plane, made from the settings.

use std::path::PathBuf;
use std::sync::Arc;

use config::settings::Settings;
use gateway::metrics::Metrics;
use gateway::services::Services;
use gateway::side::SideClient;
use gateway::tls::client::ClientConfigs;
use gateway::transport::Origins;
use limits::Limiter;

use crate::failure::Failure;

/// Makes them. `side` is the runtime of everything that is not the data plane's own work.
///
/// # Errors
/// If a trusted certificate cannot be read.
pub fn start(settings: &Arc<Settings>, file: &str, side: tokio::runtime::Handle) -> Result<Arc<Services>, Failure> {
    let apisix = &settings.apisix;
    let tls = client_tls(settings, file)?;
    Ok(Arc::new(Services {
        settings: settings.clone(),
        limiter: Arc::new(Limiter::local()),
        last_call: Default::default(),
        metrics: Arc::new(Metrics::new(&settings.plugin_attr.prometheus)),
        side,
        client: Arc::new(SideClient::new(&tls)),
        origins: Origins::default(),
        trusted_addresses: (!apisix.trusted_addresses.is_empty()).then(|| apisix.trusted_addresses.clone()),
        tls,
        hostname: rustix::system::uname().nodename().to_string_lossy().into(),
    }))
}

/// TLS towards upstreams, by the authorities that `settings` (of the file `file`) trust.
///
/// # Errors
/// If a trusted certificate cannot be read.
pub fn client_tls(settings: &Settings, file: &str) -> Result<ClientConfigs, Failure> {
    let authorities = trusted_certificates(&settings.apisix.ssl.trusted_certificates, file)?;
    ClientConfigs::new(authorities.as_deref())
        .map_err(|error| Failure::configuration(format!("{file}: apisix.ssl.ssl_trusted_certificate: {error}")))
}

/// The PEM files, one after the other.
fn trusted_certificates(files: &[PathBuf], config: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let pem = std::fs::read(file).map_err(|error| {
            let file = file.display();
            Failure::configuration(format!("{config}: apisix.ssl.ssl_trusted_certificate: {file}: {error}"))
        })?;
        all.extend(pem);
        all.push(b'\n');
    }
    Ok((!files.is_empty()).then_some(all))
}
