//! The Control, metrics and status listeners over a data plane that stands still.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use store::{Expect, Store, Write};
use tidegate_admin::{ControlServer, DataPlaneView, Loaded, MetricsServer, ServerInfo, StatusServer};

use crate::catalog::catalog;
use crate::server::{Answer, PluginList, send};

struct Still {
    ready: Result<(), String>,
}

impl DataPlaneView for Still {
    fn healthcheck(&self) -> Vec<Value> {
        let counter = json!({ "success": 1, "http_failure": 0, "tcp_failure": 0, "timeout_failure": 0 });
        let node = json!({ "ip": "127.0.0.1", "port": 80, "hostname": "<a>", "status": "healthy", "counter": counter });
        vec![json!({ "name": "/apisix/upstreams/1", "type": "http", "nodes": [node] })]
    }

    fn loaded(&self, what: Loaded) -> Vec<Value> {
        match what {
            Loaded::Routes => vec![json!({ "key": "/apisix/routes/1", "value": { "uri": "/", "priority": 0 } })],
            Loaded::Services | Loaded::Upstreams => Vec::new(),
        }
    }

    fn metrics(&self) -> String {
        "# TYPE up gauge\nup 1\n".to_owned()
    }

    fn stub_status(&self) -> String {
        "Active connections: 1 \n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }
}

fn view() -> Arc<Still> {
    Arc::new(Still { ready: Ok(()) })
}

fn start<S: Future<Output = std::io::Result<()>> + Send + 'static>(serve: impl FnOnce(TcpListener) -> S) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener));
    address
}

async fn control() -> SocketAddr {
    let store = Store::in_memory();
    let put = |key: &str, value| Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None };
    store
        .write(vec![
            put("/apisix/upstreams/1", json!({ "nodes": {} })),
            put("/apisix/upstreams/2", json!({ "nodes": {} })),
            put("/apisix/plugin_metadata/file-logger", json!({ "id": "file-logger", "log_format": {} })),
            put("/apisix/plugin_metadata/retired", json!({ "id": "retired" })),
        ])
        .await
        .unwrap();
    let booted = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let info = ServerInfo { hostname: "here".to_owned(), id: "gateway-1".to_owned(), booted };
    let plugin_list = Arc::new(PluginList(Ok(())));
    let server = ControlServer { view: view(), store, catalog: catalog(), info, plugin_list };
    start(|listener| server.serve(listener, std::future::pending()))
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], "").await
}

#[tokio::test]
async fn the_control_api_tells_which_installation_this_is() {
    let info = get(control().await, "/v1/server_info").await;
    let expected = json!({
        "etcd_version": "unknown", "hostname": "here", "id": "gateway-1", "version": "3.18.0",
        "boot_time": 1_700_000_000,
    });
    assert_eq!(info.json(), expected);
}

#[tokio::test]
async fn the_control_api_shows_what_is_loaded() {
    let address = control().await;
    let routes = get(address, "/v1/routes").await;
    assert_eq!(routes.header("content-type"), Some("application/json"));
    assert_eq!(routes.header("server"), None);
    assert_eq!(routes.json()[0]["key"], "/apisix/routes/1");
    assert_eq!(get(address, "/v1/route/1").await.json()["value"]["priority"], 0);
    assert_eq!(get(address, "/v1/services").await.json(), json!([]));
    for (path, text) in [
        ("/v1/route/2", "route[2] not found"),
        ("/v1/service/2", "service[2] not found"),
        ("/v1/upstream/2", "upstream[2] not found"),
        ("/v1/plugin_metadata/retired", "plugin metadata[retired] not found"),
        ("/v1/plugin_metadata/limit-count", "plugin metadata[limit-count] not found"),
    ] {
        assert_eq!(get(address, path).await.refused(404), text, "{path}");
    }
    let metadata = json!({ "id": "file-logger", "log_format": {} });
    assert_eq!(get(address, "/v1/plugin_metadatas").await.json(), json!([metadata]));
    assert_eq!(get(address, "/v1/plugin_metadata/file-logger").await.json(), metadata);
}

#[tokio::test]
async fn the_control_api_shows_the_health_of_nodes() {
    let address = control().await;
    assert_eq!(get(address, "/v1/healthcheck").await.json()[0]["name"], "/apisix/upstreams/1");
    assert_eq!(get(address, "/v1/healthcheck/upstreams/1").await.json()["nodes"][0]["status"], "healthy");
    for (path, status, text) in [
        ("/v1/healthcheck/upstreams/2", 404, "no checker for upstreams[2]"),
        ("/v1/healthcheck/upstreams/3", 404, "upstreams[3] not found"),
        ("/v1/healthcheck/upstreams", 404, "missing src id for src type upstreams"),
        ("/v1/healthcheck/things/1", 400, "invalid src type things"),
        ("/v1/healthcheck/things", 400, "invalid src type things"),
    ] {
        assert_eq!(get(address, path).await.refused(status), text, "{path}");
    }
    let table = send(address, "GET", "/v1/healthcheck", &[("Accept", "text/html")], "").await;
    assert_eq!(table.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(table.text.contains("<td>&lt;a&gt;</td>"), "{}", table.text);
}

#[tokio::test]
async fn the_control_api_shows_schemas() {
    let address = control().await;
    let schema = get(address, "/v1/schema").await.json();
    assert!(schema["main"]["route"].is_object() && schema["main"]["upstream_hash_vars_schema"].is_object());
    assert!(schema["main"]["graphql_cost_decoration"].is_object());
    assert_eq!(schema["plugins"]["key-auth"]["priority"], 2500);
    assert_eq!(schema["stream_plugins"], json!({}));
}

#[tokio::test]
async fn other_paths_of_the_control_api() {
    let address = control().await;
    for (method, path, status, text) in [
        ("POST", "/v1/gc", 200, ""),
        ("PUT", "/v1/plugins/reload", 200, "done"),
        ("GET", "/v1/gc", 404, "<html>"),
        ("GET", "/v1/nothing", 404, "<html>"),
        ("GET", "/", 404, "<html>"),
    ] {
        let answer = send(address, method, path, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.text.starts_with(text), "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn metrics_are_served_under_their_path() {
    let address = start(|listener| MetricsServer::new(view()).serve(listener, std::future::pending()));
    let metrics = get(address, "/apisix/prometheus/metrics").await;
    assert_eq!((metrics.status.as_u16(), metrics.text.as_str()), (200, "# TYPE up gauge\nup 1\n"));
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let stub = get(address, "/apisix/nginx_status").await.text;
    assert_eq!(stub, "Active connections: 1 \n");
    assert_eq!(get(address, "/metrics").await.status, 404);
    assert_eq!(send(address, "POST", "/apisix/prometheus/metrics", &[], "").await.status, 404);
    let elsewhere = MetricsServer { export_uri: "/metrics".to_owned(), ..MetricsServer::new(view()) };
    let address = start(|listener| elsewhere.serve(listener, std::future::pending()));
    assert_eq!(get(address, "/metrics").await.status, 200);
}

#[tokio::test]
async fn readiness_waits_for_the_configuration() {
    let address = start(|listener| StatusServer { view: view() }.serve(listener, std::future::pending()));
    assert_eq!(get(address, "/status").await.json(), json!({ "status": "ok" }));
    assert_eq!(get(address, "/status/ready").await.json(), json!({ "status": "ok" }));
    assert_eq!(get(address, "/other").await.status, 404);
    let reason = "worker id: 1 has not received configuration".to_owned();
    let waiting = StatusServer { view: Arc::new(Still { ready: Err(reason.clone()) }) };
    let address = start(|listener| waiting.serve(listener, std::future::pending()));
    assert_eq!(get(address, "/status").await.status, 200);
    let answer = get(address, "/status/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "status": "error", "error": reason }));
}
