//! What a start prints on standard output: what listens where, fresh keys, which model to ask for, and a command that
//! works when pasted. Printed once everything serves.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use config::settings::Settings;

use crate::bootstrap::admin_key::Generated;
use crate::bootstrap::{FirstResources, Served};

/// Everything there is to tell.
pub struct Banner<'a> {
    pub settings: &'a Settings,
    pub file: Option<&'a Path>,
    pub admin_keys: &'a [Generated],
    pub first: &'a FirstResources,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Tidegate {}\n", env!("CARGO_PKG_VERSION"))?;
        self.listeners(f)?;
        self.keys(f)?;
        self.models(f)?;
        self.try_it(f)?;
        write!(f, "\nServing. Ctrl-C or SIGTERM drains and stops.")
    }
}

impl Banner<'_> {
    fn listeners(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apisix = &self.settings.apisix;
        let admin = &self.settings.deployment.admin;
        let prometheus = &self.settings.plugin_attr.prometheus;
        for address in self.settings.http_addresses().into_iter().filter(|address| !is_twin(*address)) {
            row(f, "proxy", &format!("http://{}", callable(address)))?;
        }
        for address in self.settings.https_addresses().into_iter().filter(|address| !is_twin(*address)) {
            row(f, "proxy, TLS", &format!("https://{}", callable(address)))?;
        }
        if apisix.enable_admin {
            let scheme = if admin.tls.is_some() { "https" } else { "http" };
            row(f, "Admin API", &format!("{scheme}://{}/apisix/admin", callable(admin.admin_listen)))?;
        }
        if apisix.enable_control {
            row(f, "Control API", &format!("http://{}/v1", callable(apisix.control)))?;
        }
        if prometheus.enable_export_server {
            row(f, "metrics", &format!("http://{}{}", callable(prometheus.export_addr), prometheus.export_uri))?;
        }
        if let Some(address) = apisix.status {
            row(f, "status", &format!("http://{}/status", callable(address)))?;
        }
        row(f, "data", &self.settings.tidegate.data_dir.display().to_string())?;
        row(f, "config", &self.file.map_or_else(|| "defaults".to_owned(), |file| file.display().to_string()))
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.admin_keys.is_empty() && self.first.consumer_key.is_none() {
            return Ok(());
        }
        writeln!(f, "\nKeys, made now and shown only this once:")?;
        for generated in self.admin_keys {
            row(
                f,
                &format!("{} key", generated.name),
                &format!("{}   (Admin API, X-API-KEY)", generated.key.expose()),
            )?;
        }
        if let Some(key) = &self.first.consumer_key {
            row(f, "consumer key", &format!("{key}   (Authorization: Bearer …)"))?;
        }
        Ok(())
    }

    fn models(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = &self.first.served;
        if !served.is_empty() {
            writeln!(f, "\nModels to ask for:")?;
        }
        for Served { provider, model, missing } in served {
            match missing {
                None => row(f, model, provider)?,
                Some(variable) => row(f, model, &format!("{provider}   ({variable} IS NOT SET)"))?,
            }
        }
        if let Some(simulated) = &self.first.simulated {
            let address = simulated.address();
            writeln!(f, "\n  SIMULATED: the built-in simulator (http://{address}) answers in place of a model.")?;
            if served.len() == 1 {
                writeln!(f, "  Set OPENAI_API_KEY, ANTHROPIC_API_KEY, … and start again to ask a real one.")?;
            }
        }
        Ok(())
    }

    fn try_it(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = self.first.served.iter().find(|served| served.missing.is_none());
        let (Some(Served { model, .. }), Some(address)) = (served, self.settings.http_addresses().first().copied())
        else {
            return Ok(());
        };
        let key = self.first.consumer_key.as_deref().unwrap_or("$TIDEGATE_KEY");
        writeln!(f, "\nTry it:")?;
        writeln!(f, "  curl http://{}/v1/chat/completions \\", callable(address))?;
        writeln!(f, "    -H \"Authorization: Bearer {key}\" -H 'Content-Type: application/json' \\")?;
        writeln!(f, "    -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'")?;
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<14} {value}")
}

/// `[::]` stands beside `0.0.0.0`; one line is enough for both.
fn is_twin(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

/// An address that a client on this machine can use.
fn callable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        false => address,
    }
}
