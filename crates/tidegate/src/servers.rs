//! The listeners beside the data plane: Admin API, Control API, metrics, status. All run on the side runtime.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admin::{AdminServer, AdminSettings, ControlServer, MetricsServer, ServerInfo, StatusServer};
use config::catalog::Catalog;
use config::keyring::Keyring;
use config::settings::{AdminTls, Settings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use store::Store;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::plugin_list::PluginList;
use crate::sockets::Sockets;
use crate::view::View;

/// Servers that run until told to stop.
pub struct Servers {
    stop: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
    admin: Option<AdminListener>,
}

/// The Admin API, which is started anew when its keys change, on the same socket.
struct AdminListener {
    socket: TcpListener,
    parts: AdminParts,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// What stays the same when the Admin API is started anew.
#[derive(Clone)]
struct AdminParts {
    tls: Option<Arc<ServerConfig>>,
    shared: Shared,
    keyring: Arc<Keyring>,
    in_force: watch::Receiver<u64>,
}

/// What both the Admin and the Control API work on.
#[derive(Clone)]
pub struct Shared {
    pub store: Store,
    pub catalog: Arc<Catalog>,
    pub plugin_list: Arc<PluginList>,
}

/// What the servers show and change.
pub struct Parts {
    pub view: Arc<View>,
    pub shared: Shared,
    pub info: ServerInfo,
    pub keyring: Arc<Keyring>,
    pub admin: AdminSettings,
    /// The Admin API's own TLS.
    pub admin_tls: Option<Arc<ServerConfig>>,
    /// The revision that the data plane serves by.
    pub in_force: watch::Receiver<u64>,
}

/// The sockets of these servers.
pub struct SideSockets {
    pub admin: Option<TcpListener>,
    pub control: Option<TcpListener>,
    pub metrics: Option<TcpListener>,
    pub status: Option<TcpListener>,
}

impl Servers {
    /// Starts a server on each socket.
    ///
    /// # Errors
    /// If a socket cannot be shared.
    pub fn start(sockets: SideSockets, parts: Parts, settings: &Settings, side: &Handle) -> Result<Self, Failure> {
        let (stop, stopping) = watch::channel(false);
        let Parts { view, shared, info, keyring, admin, admin_tls, in_force } = parts;
        let mut running = Vec::new();
        if let Some(socket) = sockets.control {
            let Shared { store, catalog, plugin_list } = shared.clone();
            let server = ControlServer { view: view.clone(), store, catalog, info, plugin_list };
            running.push(side.spawn(logged("Control API", server.serve(socket, stopped(stopping.clone())))));
        }
        if let Some(socket) = sockets.metrics {
            let export_uri = settings.plugin_attr.prometheus.export_uri.clone();
            let server = MetricsServer { view: view.clone(), export_uri };
            running.push(side.spawn(logged("metrics", server.serve(socket, stopped(stopping.clone())))));
        }
        if let Some(socket) = sockets.status {
            let server = StatusServer { view };
            running.push(side.spawn(logged("status", server.serve(socket, stopped(stopping)))));
        }
        let parts = AdminParts { tls: admin_tls, shared, keyring, in_force };
        let listener = |socket| AdminListener::start(socket, parts, admin, side);
        let admin = sockets.admin.map(listener).transpose()?;
        Ok(Self { stop, running, admin })
    }

    /// Puts other keys and guards of the Admin API in force. Requests in flight end under the old ones.
    ///
    /// # Errors
    /// If the socket cannot be shared.
    pub fn set_admin(&mut self, settings: AdminSettings, side: &Handle) -> Result<(), Failure> {
        let Some(before) = self.admin.take() else { return Ok(()) };
        let AdminListener { socket, parts, stop, running } = before;
        stop.send_replace(true);
        self.running.push(running);
        self.admin = Some(AdminListener::start(socket, parts, settings, side)?);
        Ok(())
    }

    /// Stops all of them, and waits until requests in flight have ended, for at most `limit`.
    pub async fn stop(self, limit: Duration) {
        self.stop.send_replace(true);
        let admin = self.admin.map(|admin| {
            admin.stop.send_replace(true);
            admin.running
        });
        let ended = async {
            for running in self.running.into_iter().chain(admin) {
                if let Err(error) = running.await {
                    tracing::error!(%error, "a listener's task ended in a panic");
                }
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!(?limit, "requests to the listeners beside the data plane did not end and are cut");
        }
    }
}

impl AdminListener {
    fn start(socket: TcpListener, parts: AdminParts, settings: AdminSettings, side: &Handle) -> Result<Self, Failure> {
        let (stop, stopping) = watch::channel(false);
        let AdminParts { tls, shared: Shared { store, catalog, plugin_list }, keyring, in_force } = parts.clone();
        let server = AdminServer { settings, store, catalog, keyring, in_force: Some(in_force), plugin_list };
        let shared = socket.try_clone().map_err(Failure::runtime)?;
        let running = match tls {
            None => side.spawn(logged("Admin API", server.serve(shared, stopped(stopping)))),
            Some(tls) => side.spawn(logged("Admin API", server.serve_tls(shared, tls, stopped(stopping)))),
        };
        Ok(Self { socket, parts, stop, running })
    }
}

impl Sockets {
    /// The sockets of the data plane, and the others.
    pub fn split(self) -> (Vec<gateway::listener::Listener>, SideSockets) {
        let Sockets { traffic, admin, control, metrics, status } = self;
        (traffic, SideSockets { admin, control, metrics, status })
    }
}

async fn logged(name: &'static str, serving: impl Future<Output = io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "the {name} listener has ended");
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The Admin API's TLS (`https_admin`), from the files that `admin_api_mtls` names.
///
/// # Errors
/// If a file cannot be read, or certificate and key do not fit.
pub fn admin_tls(tls: &AdminTls, config: &str) -> Result<Arc<ServerConfig>, Failure> {
    let refused = |key: &str, file: &Path, reason: &dyn std::fmt::Display| {
        let file = file.display();
        Failure::configuration(format!("{config}: deployment.admin.admin_api_mtls.{key}: {file}: {reason}"))
    };
    let chain = certificates(&tls.certificate).map_err(|error| refused("admin_ssl_cert", &tls.certificate, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| refused("admin_ssl_cert_key", &tls.key, &error))?;
    let builder = ServerConfig::builder();
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let refused = |reason: &dyn std::fmt::Display| refused("admin_ssl_ca_cert", file, reason);
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(file).map_err(|error| refused(&error))?);
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| refused(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config =
        builder.with_single_cert(chain, key).map_err(|error| refused("admin_ssl_cert", &tls.certificate, &error))?;
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}
