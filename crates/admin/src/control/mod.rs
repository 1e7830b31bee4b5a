//! The Control API: what the data plane has really loaded, for operators on the same machine. It asks for no
//! key, so it belongs on loopback. Invariant: it changes nothing, but has `config.yaml`'s list of plugins read again
//! when asked to; secret fields appear as they are stored.

mod health;
mod server_info;

pub use server_info::ServerInfo;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use config::catalog::Catalog;
use config::resource::Kind;
use http::header::ACCEPT;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use store::Store;

use crate::api::{KEY_PREFIX, all_plugins, main_schemas};
use crate::listener::{self, Handler, Transport};
use crate::reload::ReloadPlugins;
use crate::reply::Reply;
use crate::view::{DataPlaneView, Loaded};

/// Serves the Control API over the data plane's view and the store.
pub struct ControlServer<V> {
    pub view: Arc<V>,
    pub store: Store,
    pub catalog: Arc<Catalog>,
    pub info: ServerInfo,
    /// Carries out `PUT /v1/plugins/reload`.
    pub plugin_list: Arc<dyn ReloadPlugins>,
}

impl<V: DataPlaneView> ControlServer<V> {
    /// Serves until `shutdown` resolves.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub async fn serve(self, listener: std::net::TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        listener::serve(listener, Transport::Plain, Arc::new(self), shutdown).await
    }

    fn schemas(&self) -> Value {
        json!({ "main": main_schemas(), "plugins": all_plugins(&self.catalog), "stream_plugins": {} })
    }

    /// `label` names the kind in the error, `route` for routes.
    fn one_loaded(&self, what: Loaded, label: &str, id: &str) -> Reply {
        let key = format!("{KEY_PREFIX}/{}/{id}", collection(what));
        match self.view.loaded(what).iter().find(|item| item["key"] == key.as_str()) {
            Some(item) => Reply::json(StatusCode::OK, item),
            None => Reply::error(StatusCode::NOT_FOUND, &format!("{label}[{id}] not found")),
        }
    }

    /// Metadata of enabled plugins only: that of others has no effect.
    fn all_metadata(&self) -> Reply {
        let folder = format!("{KEY_PREFIX}/{}/", Kind::PluginMetadata.collection());
        let snapshot = self.store.snapshot();
        let items = snapshot.under(&folder);
        let values: Vec<Value> = items
            .filter(|item| self.catalog.get(&item.key[folder.len()..]).is_some())
            .map(|item| Value::clone(&item.value))
            .collect();
        Reply::json(StatusCode::OK, &Value::Array(values))
    }

    fn one_metadata(&self, name: &str) -> Reply {
        let key = format!("{KEY_PREFIX}/{}/{name}", Kind::PluginMetadata.collection());
        match self.store.snapshot().get(&key).filter(|_| self.catalog.get(name).is_some()) {
            Some(item) => Reply::json(StatusCode::OK, &item.value),
            None => Reply::error(StatusCode::NOT_FOUND, &format!("plugin metadata[{name}] not found")),
        }
    }

    async fn reload_plugins(&self) -> Reply {
        match self.plugin_list.reload().await {
            Ok(()) => Reply::bare(StatusCode::OK, "done"),
            Err(reason) => Reply::error(StatusCode::SERVICE_UNAVAILABLE, &reason),
        }
    }

    fn answer(&self, method: &Method, path: &[&str], wants_html: bool) -> Reply {
        let list = |what| Reply::json(StatusCode::OK, &Value::Array(self.view.loaded(what)));
        match (method.as_str(), path) {
            ("GET", ["schema"]) => Reply::json(StatusCode::OK, &self.schemas()),
            ("GET", ["healthcheck"]) => health::all(&*self.view, wants_html),
            ("GET", ["healthcheck", kind]) => health::without_id(kind),
            ("GET", ["healthcheck", kind, id]) => health::one(&*self.view, &self.store, kind, id, wants_html),
            ("GET", ["server_info"]) => self.info.reply(),
            ("POST", ["gc"]) => Reply::empty(StatusCode::OK),
            ("GET", ["routes"]) => list(Loaded::Routes),
            ("GET", ["services"]) => list(Loaded::Services),
            ("GET", ["upstreams"]) => list(Loaded::Upstreams),
            ("GET", ["route", id]) => self.one_loaded(Loaded::Routes, "route", id),
            ("GET", ["service", id]) => self.one_loaded(Loaded::Services, "service", id),
            ("GET", ["upstream", id]) => self.one_loaded(Loaded::Upstreams, "upstream", id),
            ("GET", ["plugin_metadatas"]) => self.all_metadata(),
            ("GET", ["plugin_metadata", name]) => self.one_metadata(name),
            _ => Reply::page(StatusCode::NOT_FOUND),
        }
    }
}

impl<V: DataPlaneView> Handler for ControlServer<V> {
    async fn handle(&self, request: Request<&mut Incoming>, _peer: SocketAddr) -> Reply {
        let segments = crate::api::split_path(request.uri().path());
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
        let wants_html = accept.is_some_and(|accept| accept.contains("text/html"));
        match path.split_first() {
            Some((&"v1", ["plugins", "reload"])) if request.method() == Method::PUT => self.reload_plugins().await,
            Some((&"v1", rest)) => self.answer(request.method(), rest, wants_html),
            _ => Reply::page(StatusCode::NOT_FOUND),
        }
    }
}

fn collection(what: Loaded) -> &'static str {
    match what {
        Loaded::Routes => Kind::Route.collection(),
        Loaded::Services => Kind::Service.collection(),
        Loaded::Upstreams => Kind::Upstream.collection(),
    }
}
