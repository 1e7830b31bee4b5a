//! What a start prints on standard output: what listens where, which keys count, which model to ask for, and a command
//! that works when pasted. Printed once everything serves.
//!
//! Invariant: a command is shown with a key that works or with none, and a start without routes says why.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use config::settings::Settings;
use store::Snapshot;

use crate::bootstrap::admin_key::{self, Generated, Origin};
use crate::bootstrap::{FirstKey, FirstResources, KEY_VARIABLE, NoneMade, Served};
use crate::sockets::Listening;

/// Everything there is to tell.
pub struct Banner<'a> {
    pub settings: &'a Settings,
    pub file: Option<&'a Path>,
    /// Of the data plane's sockets.
    pub listening: &'a Listening,
    pub made: &'a [Generated],
    pub origins: &'a [Origin],
    pub first: &'a FirstResources,
    /// What is stored.
    pub stored: &'a Snapshot,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Tidegate {}\n", env!("CARGO_PKG_VERSION"))?;
        self.listeners(f)?;
        self.keys(f)?;
        self.models(f)?;
        self.routes(f)?;
        self.try_it(f)?;
        write!(f, "\nServing. Ctrl-C or SIGTERM drains and stops.")
    }
}

impl Banner<'_> {
    fn listeners(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apisix = &self.settings.apisix;
        let admin = &self.settings.deployment.admin;
        let prometheus = &self.settings.plugin_attr.prometheus;
        addresses(f, "proxy", "http", &self.listening.plain)?;
        addresses(f, "proxy, TLS", "https", &self.listening.tls)?;
        if !self.listening.tls.is_empty() && self.count("ssls") == 0 {
            writeln!(f, "  {:<14} (no certificate is stored yet: until then every handshake fails)", "")?;
        }
        if apisix.enable_admin {
            let scheme = if admin.tls.is_some() { "https" } else { "http" };
            row(f, "Admin API", &url(scheme, admin.admin_listen, "/apisix/admin"))?;
        }
        if apisix.enable_control {
            row(f, "Control API", &url("http", apisix.control, "/v1"))?;
        }
        if prometheus.enable_export_server {
            row(f, "metrics", &url("http", prometheus.export_addr, &prometheus.export_uri))?;
        }
        if let Some(address) = apisix.status {
            row(f, "status", &url("http", address, "/status"))?;
        }
        if let Some(simulated) = &self.first.simulated {
            row(f, "simulator", &url("http", simulated.address(), ""))?;
        }
        row(f, "data", &self.settings.tidegate.data_dir.display().to_string())?;
        row(f, "config", &self.file.map_or_else(|| "defaults".to_owned(), |file| file.display().to_string()))
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumer_key = match &self.first.key {
            Some(FirstKey::Made(key)) => Some(key),
            _ => None,
        };
        if !self.made.is_empty() || consumer_key.is_some() {
            writeln!(f, "\nKeys, made now and shown only this once:")?;
        }
        for generated in self.made {
            row(
                f,
                &format!("{} key", generated.name),
                &format!("{}   (Admin API, X-API-KEY)", generated.key.expose()),
            )?;
        }
        if let Some(key) = consumer_key {
            row(f, "consumer key", &format!("{}   (Authorization: Bearer …)", key.expose()))?;
        }
        writeln!(f, "\nWhich keys count:")?;
        for origin in self.origins {
            row(f, "Admin API", &self.told_of_admin_key(*origin))?;
        }
        match &self.first.key {
            Some(key) => row(f, "models", &self.told_of_key(key)),
            None if is_set(KEY_VARIABLE) => {
                let reason = "this data folder has no consumer that a first start made";
                row(f, "models", &format!("{KEY_VARIABLE} IS IGNORED: {reason}"))
            }
            None => row(f, "models", "those of your own consumers"),
        }
    }

    fn told_of_admin_key(&self, origin: Origin) -> String {
        let variable = admin_key::VARIABLE;
        match origin {
            Origin::NoneAsked => "none is asked for (config.yaml)".to_owned(),
            Origin::Configured => "the one in config.yaml".to_owned(),
            Origin::ConfiguredOverVariable => {
                format!("the one in config.yaml; {variable} IS IGNORED: leave the key in the file empty to use it")
            }
            Origin::Variable => format!("what {variable} holds"),
            Origin::Made => "the one above".to_owned(),
            Origin::EarlierStart => {
                format!("the one that an earlier start made and showed; if it is lost, start with {variable} set")
            }
        }
    }

    fn told_of_key(&self, key: &FirstKey) -> String {
        let data = self.settings.tidegate.data_dir.display();
        let place = "PUT /apisix/admin/consumers/default/credentials/first";
        match key {
            FirstKey::Made(_) => "the one above".to_owned(),
            FirstKey::Variable => format!("what {KEY_VARIABLE} holds"),
            FirstKey::EarlierStart => {
                format!("the one of the first start, stored in {data}; if it is lost, set another: {place}")
            }
            FirstKey::NotTheVariable => format!(
                "the one of the first start, stored in {data}; {KEY_VARIABLE} IS IGNORED, for it holds another: use the \
                 stored one, or store this one ({place}), or start with another data folder"
            ),
            FirstKey::Deleted => "those of your own consumers; the first one has been deleted".to_owned(),
        }
    }

    fn models(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = &self.first.served;
        if !served.is_empty() {
            writeln!(f, "\nModels to ask for:")?;
        }
        let width = served.iter().map(|served| served.model.len()).max().unwrap_or_default();
        for Served { provider, model, missing } in served {
            let missing = missing.map(|variable| format!("   ({variable} IS NOT SET)")).unwrap_or_default();
            writeln!(f, "  {model:<width$}   {provider}{missing}")?;
        }
        if let Some(rest) = self.first.rest.filter(|_| served.len() > 1) {
            writeln!(f, "  Models that none of them claims go to {rest}.")?;
        }
        for Served { provider, missing, .. } in &self.first.gone {
            let variable = missing.unwrap_or_default();
            writeln!(f, "  No longer routed to: {provider}, because {variable} is not set at this start.")?;
        }
        if self.first.simulated.is_some() {
            writeln!(f, "\n  SIMULATED: the built-in simulator answers in place of a model.")?;
            if served.len() == 1 {
                writeln!(f, "  Set OPENAI_API_KEY, ANTHROPIC_API_KEY, … and start again to ask a real one.")?;
            }
        }
        Ok(())
    }

    /// Says why there are none, or that those there are were not made here.
    fn routes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reason) = self.first.none_made else { return Ok(()) };
        let reason = match reason {
            NoneMade::AdminKeyConfigured => {
                "config.yaml says who may use the Admin API, so the routes are yours to write"
            }
            NoneMade::WithoutPlugins => "the first ones need the plugins ai-proxy and key-auth, which are not enabled",
            NoneMade::StoreInUse => "what is stored is yours",
            NoneMade::NoProvider => "no provider's key is set, and tidegate.simulator is off",
            NoneMade::Deleted => "those of the first start have been deleted",
        };
        match self.count("routes") {
            0 => writeln!(f, "\nNO ROUTES: every request is answered with 404, for {reason}."),
            1 => writeln!(f, "\nOne route is stored. No first ones are served: {reason}."),
            routes => writeln!(f, "\n{routes} routes are stored. No first ones are served: {reason}."),
        }
    }

    fn try_it(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = self.first.served.iter().find(|served| served.missing.is_none());
        let (Some(Served { model, .. }), Some(address)) = (served, self.listening.plain.first()) else {
            return Ok(());
        };
        let key = match &self.first.key {
            Some(FirstKey::Made(key)) => key.expose(),
            Some(FirstKey::Variable) => "$TIDEGATE_KEY",
            Some(FirstKey::EarlierStart | FirstKey::NotTheVariable) => "$KEY",
            Some(FirstKey::Deleted) | None => return Ok(()),
        };
        let hint = if key == "$KEY" { ", with KEY set to the stored key" } else { "" };
        writeln!(f, "\nTry it{hint}:")?;
        writeln!(f, "  curl http://{}/v1/chat/completions \\", callable(*address))?;
        writeln!(f, "    -H \"Authorization: Bearer {key}\" -H 'Content-Type: application/json' \\")?;
        writeln!(f, "    -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'")?;
        Ok(())
    }

    /// How many resources of this collection are stored.
    fn count(&self, collection: &str) -> usize {
        self.stored.under(&format!("/apisix/{collection}/")).count()
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<14} {value}")
}

/// One line for all addresses of one port: `[::]` stands beside `0.0.0.0`.
fn addresses(f: &mut fmt::Formatter<'_>, name: &str, scheme: &str, all: &[SocketAddr]) -> fmt::Result {
    let is_twin = |address: &SocketAddr| {
        let is_wide = |other: &SocketAddr| other.is_ipv4() && other.ip().is_unspecified();
        address.is_ipv6()
            && address.ip().is_unspecified()
            && all.iter().any(|other| other.port() == address.port() && is_wide(other))
    };
    for address in all.iter().filter(|address| !is_twin(address)) {
        row(f, name, &url(scheme, *address, ""))?;
    }
    Ok(())
}

/// A URL that a client on this machine can use, and who else can.
fn url(scheme: &str, address: SocketAddr, path: &str) -> String {
    let everywhere = if address.ip().is_unspecified() { "   (LISTENS ON ALL ADDRESSES of this machine)" } else { "" };
    format!("{scheme}://{}{path}{everywhere}", callable(address))
}

/// An address that a client on this machine can use.
fn callable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        false => address,
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
