//! A running Admin API, and a client that says exactly what it sends.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use config::keyring::Keyring;
use config::secret::Secret;
use config::settings::AdminRole;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use store::Store;
use tidegate_admin::{AdminKey, AdminServer, AdminSettings, KeyMatcher, ReloadPlugins};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::catalog::catalog;

pub const ADMIN_KEY: &str = "edd1c9f034335f136f87ad84b625c8f1";
pub const VIEWER_KEY: &str = "4054f7cf07e344346cd3f287985e76a2";

type Served = JoinHandle<std::io::Result<()>>;
type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The Admin API on a free port; it stops when dropped.
pub struct Admin {
    pub address: SocketAddr,
    pub store: Store,
    stop: Option<oneshot::Sender<()>>,
    pub served: Option<Served>,
}

/// A list of plugins that can, or cannot, be read again.
pub struct PluginList(pub Result<(), String>);

impl ReloadPlugins for PluginList {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

pub fn settings() -> AdminSettings {
    let key = |name: &str, role, key: &str| AdminKey {
        name: name.to_owned(),
        role,
        secret: KeyMatcher::Plain(Secret::from(key)),
    };
    AdminSettings::with_keys(vec![
        key("admin", AdminRole::Admin, ADMIN_KEY),
        key("viewer", AdminRole::Viewer, VIEWER_KEY),
    ])
}

impl Admin {
    pub fn start() -> Self {
        Self::start_with(settings())
    }

    pub fn start_with(settings: AdminSettings) -> Self {
        Self::launch(settings, Ok(()), |server, listener, stopped| tokio::spawn(server.serve(listener, stopped)))
    }

    /// With a `config.yaml` that cannot be used any more, for this reason.
    pub fn start_unreloadable(reason: &str) -> Self {
        let reloaded = Err(reason.to_owned());
        Self::launch(settings(), reloaded, |server, listener, stopped| tokio::spawn(server.serve(listener, stopped)))
    }

    pub fn start_tls(tls: Arc<rustls::ServerConfig>) -> Self {
        Self::launch(settings(), Ok(()), |server, listener, stopped| {
            tokio::spawn(server.serve_tls(listener, tls, stopped))
        })
    }

    fn launch(
        settings: AdminSettings,
        reloaded: Result<(), String>,
        serve: impl FnOnce(AdminServer, TcpListener, Stopped) -> Served,
    ) -> Self {
        let store = Store::in_memory();
        let keyring = Arc::new(Keyring::published());
        let plugin_list = Arc::new(PluginList(reloaded));
        let server =
            AdminServer { settings, store: store.clone(), catalog: catalog(), keyring, in_force: None, plugin_list };
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped: Stopped = Box::pin(async {
            let _ = stopped.await;
        });
        Self { address, store, stop: Some(stop), served: Some(serve(server, listener, stopped)) }
    }

    /// Begins the shutdown.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// A call below `/apisix/admin` with the admin key.
    pub async fn call(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(method, &format!("/apisix/admin{path}"), &[("X-API-KEY", ADMIN_KEY)], body).await
    }

    /// A call with exactly these headers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        send(self.address, method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, "").await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, body.to_string()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, body.to_string()).await
    }

    /// A PUT that must be accepted.
    pub async fn put_ok(&self, path: &str, body: &Value) -> Answer {
        let answer = self.put(path, body).await;
        assert!(answer.status.is_success(), "PUT {path}: {answer:?}");
        answer
    }
}

/// One request on a connection of its own.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    request = request.header("host", "admin.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    driver.abort();
    Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).unwrap() }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The `error_msg` of a refusal with this status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        self.json()["error_msg"].as_str().unwrap_or_else(|| panic!("no error_msg: {self:?}")).to_owned()
    }

    /// The `value` of an envelope.
    pub fn value(&self) -> Value {
        self.json()["value"].clone()
    }
}
