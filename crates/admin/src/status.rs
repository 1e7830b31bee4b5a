//! Liveness and readiness for orchestrators (`apisix.status`): `/status` answers as soon as the process
//! serves, `/status/ready` once every worker has its configuration and until the process is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::listener::{self, Handler, Transport};
use crate::reply::Reply;
use crate::view::DataPlaneView;

/// Serves `/status` and `/status/ready`.
pub struct StatusServer<V> {
    pub view: Arc<V>,
}

impl<V: DataPlaneView> StatusServer<V> {
    /// Serves until `shutdown` resolves.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub async fn serve(self, listener: std::net::TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        listener::serve(listener, Transport::Plain, Arc::new(self), shutdown).await
    }
}

impl<V: DataPlaneView> Handler for StatusServer<V> {
    async fn handle(&self, request: Request<&mut Incoming>, _peer: SocketAddr) -> Reply {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Reply::page(StatusCode::NOT_FOUND);
        }
        let health = match request.uri().path() {
            "/status" => Ok(()),
            "/status/ready" => self.view.ready(),
            _ => return Reply::page(StatusCode::NOT_FOUND),
        };
        match health {
            Ok(()) => Reply::json(StatusCode::OK, &json!({ "status": "ok" })),
            Err(reason) => {
                let body = json!({ "status": "error", "error": reason });
                Reply::json(StatusCode::SERVICE_UNAVAILABLE, &body)
            }
        }
    }
}
