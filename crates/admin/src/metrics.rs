//! The listener that Prometheus scrapes: the metrics text under one configurable path, and nginx' stub status
//! for old dashboards. No key is asked for, so it belongs on loopback or a private address.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::listener::{self, Handler, Transport};
use crate::reply::Reply;
use crate::view::DataPlaneView;

/// `plugin_attr.prometheus.export_uri` when it is not set.
const DEFAULT_EXPORT_URI: &str = "/apisix/prometheus/metrics";
const STUB_STATUS_URI: &str = "/apisix/nginx_status";
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the data plane's metrics.
pub struct MetricsServer<V> {
    pub view: Arc<V>,
    /// The path of the metrics.
    pub export_uri: String,
}

impl<V: DataPlaneView> MetricsServer<V> {
    /// A server with the usual path.
    pub fn new(view: Arc<V>) -> Self {
        Self { view, export_uri: DEFAULT_EXPORT_URI.to_owned() }
    }

    /// Serves until `shutdown` resolves.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub async fn serve(self, listener: std::net::TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        listener::serve(listener, Transport::Plain, Arc::new(self), shutdown).await
    }
}

impl<V: DataPlaneView> Handler for MetricsServer<V> {
    async fn handle(&self, request: Request<&mut Incoming>, peer: SocketAddr) -> Reply {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Reply::page(StatusCode::NOT_FOUND);
        }
        let path = request.uri().path();
        if path == self.export_uri {
            return Reply::text(StatusCode::OK, METRICS_TYPE, self.view.metrics());
        }
        if path == STUB_STATUS_URI {
            return match peer.ip().to_canonical().is_loopback() {
                true => Reply::text(StatusCode::OK, "text/plain", self.view.stub_status()),
                false => Reply::page(StatusCode::FORBIDDEN),
            };
        }
        Reply::page(StatusCode::NOT_FOUND)
    }
}
