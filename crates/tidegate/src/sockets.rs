//! Opening every listening socket before anything else happens, so that a port in use is found before the first
//! start has made its keys.

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use config::settings::Settings;
use gateway::listener::{Listener, listen};

use crate::failure::Failure;

/// The addresses at which the data plane listens.
#[derive(Debug, Default)]
pub struct Listening {
    pub plain: Vec<SocketAddr>,
    pub tls: Vec<SocketAddr>,
}

/// All sockets of the process.
pub struct Sockets {
    /// The data plane's, plain and TLS.
    pub traffic: Vec<Listener>,
    pub admin: Option<TcpListener>,
    pub control: Option<TcpListener>,
    pub metrics: Option<TcpListener>,
    pub status: Option<TcpListener>,
}

impl Sockets {
    /// Opens what `settings` (of the file `file`) asks for.
    ///
    /// # Errors
    /// If an address cannot be used; the text names the key in the file.
    pub fn open(settings: &Settings, file: &str) -> Result<Self, Failure> {
        let open = |address, key: &str| listen(address).map_err(|error| refused(address, file, key, &error));
        let mut traffic = Vec::new();
        for (addresses, key, tls) in [
            (settings.http_addresses(), "apisix.node_listen", false),
            (settings.https_addresses(), "apisix.ssl.listen", true),
        ] {
            for address in addresses {
                match listen(address) {
                    Ok(socket) => traffic.push(Listener { socket, tls }),
                    Err(error) if is_without_ipv6(address, &error) => {
                        tracing::info!(%address, "not listened on: this machine has no IPv6");
                    }
                    Err(error) => return Err(refused(address, file, key, &error)),
                }
            }
        }
        let apisix = &settings.apisix;
        let prometheus = &settings.plugin_attr.prometheus;
        let admin = apisix.enable_admin.then_some(settings.deployment.admin.admin_listen);
        let control = apisix.enable_control.then_some(apisix.control);
        let metrics = prometheus.enable_export_server.then_some(prometheus.export_addr);
        Ok(Self {
            traffic,
            admin: admin.map(|address| open(address, "deployment.admin.admin_listen")).transpose()?,
            control: control.map(|address| open(address, "apisix.control")).transpose()?,
            metrics: metrics.map(|address| open(address, "plugin_attr.prometheus.export_addr")).transpose()?,
            status: apisix.status.map(|address| open(address, "apisix.status")).transpose()?,
        })
    }
    /// Where the data plane listens, addresses that this machine lacks left out.
    ///
    /// # Errors
    /// If the operating system does not tell a socket's address.
    pub fn listening(&self) -> Result<Listening, Failure> {
        let mut listening = Listening::default();
        for Listener { socket, tls } in &self.traffic {
            let addresses = if *tls { &mut listening.tls } else { &mut listening.plain };
            addresses.push(socket.local_addr().map_err(Failure::runtime)?);
        }
        Ok(listening)
    }
}

/// `[::]` is listened on beside `0.0.0.0` without anybody having asked; it may be missing.
fn is_without_ipv6(address: SocketAddr, error: &Error) -> bool {
    const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 97;
    let missing = error.kind() == ErrorKind::AddrNotAvailable
        || error.kind() == ErrorKind::Unsupported
        || error.raw_os_error() == Some(ADDRESS_FAMILY_NOT_SUPPORTED);
    address.is_ipv6() && address.ip().is_unspecified() && missing
}

fn refused(address: SocketAddr, file: &str, key: &str, error: &Error) -> Failure {
    let what = match error.kind() {
        ErrorKind::AddrInUse => "another process listens there; stop it, or set another port".to_owned(),
        ErrorKind::PermissionDenied => "this user may not; set a port from 1024 up".to_owned(),
        ErrorKind::AddrNotAvailable => "it is not an address of this machine".to_owned(),
        _ => error.to_string(),
    };
    Failure::runtime(format!("{file}: {key}: cannot listen on {address}: {what}"))
}
