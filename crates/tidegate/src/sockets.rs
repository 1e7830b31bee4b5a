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
        if let Some(clash) = clashes(settings, file).into_iter().next() {
            return Err(Failure::Configuration(clash));
        }
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
        let [admin, control, metrics, status] =
            beside_traffic(settings).map(|(key, address)| address.map(|address| open(address, key)).transpose());
        Ok(Self { traffic, admin: admin?, control: control?, metrics: metrics?, status: status? })
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

/// The listeners of the Admin API, the Control API, the metrics and the status, each with its key in the file;
/// `None` is not listened on.
fn beside_traffic(settings: &Settings) -> [(&'static str, Option<SocketAddr>); 4] {
    let Settings { apisix, deployment, plugin_attr, .. } = settings;
    let prometheus = &plugin_attr.prometheus;
    [
        ("deployment.admin.admin_listen", apisix.enable_admin.then_some(deployment.admin.admin_listen)),
        ("apisix.control", apisix.enable_control.then_some(apisix.control)),
        ("plugin_attr.prometheus.export_addr", prometheus.enable_export_server.then_some(prometheus.export_addr)),
        ("apisix.status", apisix.status),
    ]
}

/// A sentence about each address that `settings` (of the file `file`) want to be listened on twice.
pub fn clashes(settings: &Settings, file: &str) -> Vec<String> {
    let traffic =
        [("apisix.node_listen", settings.http_addresses()), ("apisix.ssl.listen", settings.https_addresses())];
    let traffic = traffic.into_iter().flat_map(|(key, addresses)| addresses.into_iter().map(move |at| (key, at)));
    let beside = beside_traffic(settings).into_iter().filter_map(|(key, address)| Some((key, address?)));
    let wanted: Vec<_> = traffic.chain(beside).collect();
    let mut clashes = Vec::new();
    for (at, (key, address)) in wanted.iter().enumerate() {
        if let Some((earlier, taken)) = wanted[..at].iter().find(|(_, taken)| overlap(*taken, *address)) {
            clashes.push(format!("{file}: {key}: {address} is listened on by {earlier} ({taken}); set another port"));
        }
    }
    clashes
}

/// Whether one socket shuts out the other. IPv6 sockets take no IPv4 here; port 0 is any free one.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && a.is_ipv4() == b.is_ipv4() && same_ip
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
