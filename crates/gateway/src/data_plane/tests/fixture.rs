//! A data plane on a loopback port, and clients that write HTTP by hand.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use config::settings::Settings;
use serde_json::Value;

use crate::data_plane::DataPlane;
use crate::listener::{self, Listener};
use crate::plan::tests::fixture::Bench;

/// Longer than anything here takes; a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A data plane that serves plain HTTP and HTTPS.
pub struct Gateway {
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    pub store: store::Store,
    runtime: tokio::runtime::Runtime,
    plane: DataPlane,
}

impl Gateway {
    pub fn serving(resources: &[(&str, Value)]) -> Self {
        Self::configured(Settings::default(), resources)
    }

    /// With `config.yaml` as `settings` say.
    pub fn configured(settings: Settings, resources: &[(&str, Value)]) -> Self {
        let Bench { store, planner, services, runtime, .. } = Bench::configured(settings, resources);
        let (plain, http) = port(false);
        let (tls, https) = port(true);
        let plane = DataPlane::start(planner, services, &store, vec![http, https], 1).expect("a data plane");
        Self { plain, tls, store, runtime, plane }
    }

    pub fn put(&self, key: &str, value: Value) {
        let put = store::Write::Put { key: key.to_owned(), value, expect: store::Expect::Any, ttl: None };
        self.runtime.block_on(self.store.write(vec![put])).expect("a write");
    }

    pub fn rebuild(&self) -> Result<(), String> {
        self.runtime.block_on(self.plane.rebuild())
    }

    /// `true` if nothing had to be cut after `limit`.
    pub fn drain(&self, limit: Duration) -> bool {
        self.runtime.block_on(self.plane.drain(limit))
    }

    /// Sends `request`, a whole request with `Connection: close`, and gives the whole response.
    pub fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.plain).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    }

    /// The status of a `GET`.
    pub fn status_of(&self, path: &str) -> u16 {
        status(&self.send(&format!("GET {path} HTTP/1.1\r\nHost: test.com\r\nConnection: close\r\n\r\n")))
    }

    /// Waits until a `GET` has this status.
    #[track_caller]
    pub fn wait_for(&self, path: &str, wanted: u16) {
        let started = Instant::now();
        while self.status_of(path) != wanted {
            assert!(started.elapsed() < PATIENCE, "{path} never answered {wanted}");
            std::thread::yield_now();
        }
    }
}

/// The status of a response.
pub fn status(response: &str) -> u16 {
    let code = response.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no response: {response:?}"))
}

fn port(tls: bool) -> (SocketAddr, Listener) {
    let socket = listener::listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    (socket.local_addr().expect("an address"), Listener { socket, tls })
}
