//! The Admin API. [`AdminServer`] is the front: allow list, CORS, keys, and which endpoint a request means;
//! [`resources`] carries out the verbs on resources, the other modules are the endpoints beside them.
//! Invariant: nothing but the ping and the CORS preflight is answered before the caller's key was checked.

mod envelope;
mod identity;
mod listing;
mod plugins;
mod refusal;
mod resources;
mod schemas;
mod stored;
mod target;
mod timestamps;
mod validate;
mod write;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::APISIX_SERVER;
use config::catalog::Catalog;
use config::keyring::Keyring;
use config::resource::Kind;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, SERVER,
};
use http::request::Parts;
use http::{HeaderName, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use store::Store;
use tokio::sync::watch;

pub(crate) use self::plugins::all_plugins;
pub(crate) use self::resources::KEY_PREFIX;
pub(crate) use self::schemas::main_schemas;
pub(crate) use self::target::split as split_path;

use self::refusal::Refusal;
use self::resources::Resources;
use self::target::Target;
use crate::access::Guard;
use crate::body;
use crate::listener::{self, Handler, Transport};
use crate::query::Query;
use crate::reload::ReloadPlugins;
use crate::reply::Reply;
use crate::settings::AdminSettings;

const X_API_VERSION: HeaderName = HeaderName::from_static("x-api-version");
/// How long an acknowledgement may wait for the data plane.
const IN_FORCE_LIMIT: Duration = Duration::from_millis(30);
const SERVER_WITHOUT_VERSION: &str = "APISIX";

/// The Admin API over a store. Cheap to build; serves one listener.
pub struct AdminServer {
    pub settings: AdminSettings,
    pub store: Store,
    pub catalog: Arc<Catalog>,
    /// Protects secret fields in the store. Empty: they are stored as they come.
    pub keyring: Arc<Keyring>,
    /// The revision that the data plane serves by. A write is acknowledged when it is reached, so that the next
    /// request already meets it; `None` acknowledges what is durable.
    pub in_force: Option<watch::Receiver<u64>>,
    /// Carries out `PUT /plugins/reload`.
    pub plugin_list: Arc<dyn ReloadPlugins>,
}

impl AdminServer {
    /// Serves HTTP/1.1 and HTTP/2 until `shutdown` resolves, then up to ten seconds more for requests in flight.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        listener::serve(listener, Transport::Plain, Arc::new(Admin::new(self)), shutdown).await
    }

    /// [`serve`](Self::serve) over TLS (`https_admin`); whether clients must show a certificate is up to `tls`.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub async fn serve_tls(
        self,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let transport = Transport::tls(&tls);
        listener::serve(listener, transport, Arc::new(Admin::new(self)), shutdown).await
    }
}

struct Admin {
    settings: AdminSettings,
    guard: Guard,
    store: Store,
    in_force: Option<watch::Receiver<u64>>,
    plugin_list: Arc<dyn ReloadPlugins>,
    resources: Arc<Resources>,
}

/// A request past the front door: what is left of the path, and the arguments.
struct Call {
    head: Parts,
    /// The decoded path segments after `/apisix/admin/`.
    segments: Vec<String>,
    query: Query,
}

/// What a path and verb mean, exact paths before the catch-all.
enum Endpoint {
    Ping,
    ValidateConfigs,
    PluginNames,
    ValidateSchema,
    ReloadPlugins,
    Resource,
}

impl Handler for Admin {
    async fn handle(&self, request: Request<&mut Incoming>, peer: SocketAddr) -> Reply {
        let server = if self.settings.server_tokens { APISIX_SERVER } else { SERVER_WITHOUT_VERSION };
        if !self.guard.admits(peer.ip()) {
            return Reply::page(StatusCode::FORBIDDEN).with(SERVER, server);
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let reply = self.answer(request).await.with(SERVER, server);
        if !reads && reply.status.is_success() {
            self.wait_until_in_force().await;
        }
        reply
    }
}

impl Admin {
    fn new(server: AdminServer) -> Self {
        let guard = Guard::new(&server.settings);
        let in_force = server.in_force.clone();
        let (settings, store) = (server.settings.clone(), server.store.clone());
        let plugin_list = server.plugin_list.clone();
        Self { guard, settings, store, in_force, plugin_list, resources: Arc::new(Resources::new(server)) }
    }

    /// Waits a moment for the data plane. A large configuration takes longer, and follows by itself.
    async fn wait_until_in_force(&self) {
        let Some(mut in_force) = self.in_force.clone() else { return };
        let written = self.store.snapshot().revision;
        let reached = in_force.wait_for(|revision| *revision >= written);
        let _ = tokio::time::timeout(IN_FORCE_LIMIT, reached).await;
    }

    async fn answer(&self, request: Request<&mut Incoming>) -> Reply {
        if !self.settings.cors {
            return self.dispatch(request).await;
        }
        if request.method() == Method::OPTIONS {
            return preflight();
        }
        self.dispatch(request)
            .await
            .with(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
            .with(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true")
            .with(ACCESS_CONTROL_EXPOSE_HEADERS, "*")
            .with(ACCESS_CONTROL_MAX_AGE, "3600")
    }

    async fn dispatch(&self, request: Request<&mut Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let mut segments = target::split(head.uri.path());
        if !segments.starts_with(&["apisix".to_owned(), "admin".to_owned()]) {
            return Reply::page(StatusCode::NOT_FOUND);
        }
        let call = Call { head, segments: segments.split_off(2), query };
        let Some(endpoint) = call.endpoint() else { return Reply::page(StatusCode::NOT_FOUND) };
        self.run(endpoint, call, body).await.unwrap_or_else(Reply::from)
    }

    async fn run(&self, endpoint: Endpoint, call: Call, body: &mut Incoming) -> Result<Reply, Refusal> {
        if let Endpoint::Ping = endpoint {
            return Ok(Reply::empty(StatusCode::OK));
        }
        self.guard.authorize(&call.head.method, &call.query, &call.head.headers)?;
        let catalog = &self.resources.catalog;
        match endpoint {
            Endpoint::Ping => Ok(Reply::empty(StatusCode::OK)),
            Endpoint::ValidateConfigs => validate::configs(catalog, call.content_type(), &read(body).await?),
            Endpoint::PluginNames => plugins::names(catalog, &call.query),
            Endpoint::ValidateSchema => {
                let resource = call.segments.get(2).map(String::as_str).unwrap_or_default();
                validate::schema(resource, &read(body).await?)
            }
            Endpoint::ReloadPlugins if call.head.method == Method::PUT => {
                self.plugin_list.reload().await.map_err(Refusal::NotReloaded)?;
                Ok(Reply::bare(StatusCode::OK, "done"))
            }
            Endpoint::ReloadPlugins => Err(Refusal::ReloadVerb(call.head.method.to_string())),
            Endpoint::Resource => self.run_resource(&call, body).await,
        }
    }

    /// The checks before any resource is touched; answers after them carry the API version.
    async fn run_resource(&self, call: &Call, body: &mut Incoming) -> Result<Reply, Refusal> {
        let describes = matches!(call.segments.first().map(String::as_str), Some("plugins" | "schema"));
        let target = if describes { None } else { Some(Target::parse(&call.segments)?) };
        if describes && call.head.method != Method::GET {
            return Err(Refusal::NotFound("not found".to_owned()));
        }
        if target.as_ref().is_some_and(|target| target.kind == Kind::StreamRoute) {
            let text = "stream mode is disabled, can not add stream routes";
            return Err(Refusal::Invalid(text.to_owned()));
        }
        let body = parse(&read(body).await?)?;
        let ttl = time_to_live(&call.query)?;
        let outcome = match target {
            None => describe(&self.resources.catalog, &call.segments, &call.query),
            Some(target) => self.run_verb(call, target, body, ttl).await,
        };
        Ok(outcome.unwrap_or_else(Reply::from).with(X_API_VERSION, self.resources.envelope.version()))
    }

    /// A write runs as a task of its own: a client that hangs up must not release the write lock while the
    /// store still works on what the next write is to be checked against.
    async fn run_verb(
        &self,
        call: &Call,
        target: Target,
        body: Option<Value>,
        ttl: Option<Duration>,
    ) -> Result<Reply, Refusal> {
        if call.head.method == Method::GET {
            return self.resources.get(&target, &call.query);
        }
        let resources = Arc::clone(&self.resources);
        let method = call.head.method.clone();
        let force = call.query.get("force") == Some("true");
        let task = tokio::spawn(async move {
            let outcome = match method.as_str() {
                "PUT" => resources.put(&target, body, ttl).await,
                "POST" => resources.post(&target, body, ttl).await,
                "PATCH" => resources.patch(&target, body, ttl).await,
                _ => resources.delete(&target, force).await,
            };
            tracing::info!(%method, kind = %target.kind, id = target.id, refused = outcome.is_err(), "admin write");
            outcome
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "an admin write did not finish");
            Ok(Reply::page(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }
}

impl Call {
    fn endpoint(&self) -> Option<Endpoint> {
        let path: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        match (self.head.method.as_str(), path.as_slice()) {
            ("HEAD", []) => Some(Endpoint::Ping),
            ("POST", ["configs", "validate"]) => Some(Endpoint::ValidateConfigs),
            ("GET", ["plugins", "list"]) => Some(Endpoint::PluginNames),
            ("POST", ["schema", "validate", _]) => Some(Endpoint::ValidateSchema),
            ("GET" | "PUT" | "POST" | "DELETE" | "PATCH", ["plugins", "reload"]) => Some(Endpoint::ReloadPlugins),
            ("GET" | "PUT" | "POST" | "DELETE" | "PATCH", [_, ..]) => Some(Endpoint::Resource),
            _ => None,
        }
    }

    fn content_type(&self) -> &str {
        self.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// `GET /plugins…` and `GET /schema…`, which look like resources but read the catalog.
fn describe(catalog: &Catalog, segments: &[String], query: &Query) -> Result<Reply, Refusal> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["plugins", name, ..] | ["schema", "plugins", name, ..] => plugins::one(catalog, name, query),
        ["plugins"] => plugins::all(catalog, query),
        ["schema", name, ..] => schemas::one(name),
        _ => schemas::one("nil"),
    }
}

async fn read(body: &mut Incoming) -> Result<Bytes, Refusal> {
    body::read(body).await.map_err(|error| Refusal::Invalid(format!("invalid request body: {error}")))
}

/// Any JSON value is a body; no bytes are none.
fn parse(body: &[u8]) -> Result<Option<Value>, Refusal> {
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|error| Refusal::NotJson {
        error: error.to_string(),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

fn time_to_live(query: &Query) -> Result<Option<Duration>, Refusal> {
    let Some(text) = query.get("ttl") else { return Ok(None) };
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let ttl = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    ttl.map(Some).ok_or_else(|| Refusal::Invalid("invalid argument ttl: should be a number".to_owned()))
}

fn preflight() -> Reply {
    Reply::empty(StatusCode::OK)
        .with(CONTENT_TYPE, "text/plain")
        .with(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .with(ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, PUT, OPTIONS, DELETE, PATCH")
        .with(ACCESS_CONTROL_MAX_AGE, "3600")
        .with(ACCESS_CONTROL_ALLOW_HEADERS, "*")
        .with(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true")
}
