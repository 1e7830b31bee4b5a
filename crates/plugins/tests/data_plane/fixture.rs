//! A data plane in this process, with an upstream that answers with the request it got, and a client that
//! writes HTTP by hand so that nothing is added to what a test sends.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::settings::Settings;
use gateway::data_plane::DataPlane;
use gateway::listener::{self, Listener};
use gateway::plan::Planner;
use gateway::services::Services;
use serde_json::{Value, json};
use store::{Expect, Store, Write};

/// Longer than anything here takes; a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Gateway {
    address: SocketAddr,
    plane: DataPlane,
    _store: Store,
    runtime: tokio::runtime::Runtime,
}

/// A response as it came over the wire, its body without chunks.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Gateway {
    /// Serves a route for everything that has `plugins` and leads to the upstream that answers with its request.
    pub fn with_plugins(plugins: Value) -> Self {
        Self::with_plugins_and(plugins, &[])
    }

    /// As [`Gateway::with_plugins`], beside other resources by key.
    pub fn with_plugins_and(plugins: Value, others: &[(&str, Value)]) -> Self {
        Self::configured(Settings::default(), plugins, others)
    }

    /// As [`Gateway::with_plugins_and`], with `config.yaml` as `settings` say.
    pub fn configured(settings: Settings, plugins: Value, others: &[(&str, Value)]) -> Self {
        let upstream = json!({"type": "roundrobin", "nodes": {echo().to_string(): 1}});
        let route = json!({"id": "1", "uri": "/*", "plugins": plugins, "upstream": upstream});
        let resources = [("/apisix/routes/1", route)].into_iter().chain(others.iter().cloned());
        let batch = resources
            .map(|(key, value)| Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None })
            .collect();
        Self::start(settings, batch)
    }

    /// Serves `route` for everything.
    pub fn with_route(mut route: Value) -> Self {
        route["id"] = "1".into();
        route["uri"] = "/*".into();
        let key = "/apisix/routes/1".to_owned();
        Self::start(Settings::default(), vec![Write::Put { key, value: route, expect: Expect::Any, ttl: None }])
    }

    /// Cuts what is in flight, as the process does when it waits no longer.
    pub fn cut(&self) {
        self.runtime.block_on(self.plane.cut());
    }

    /// Connections and tunnels being served.
    pub fn connections(&self) -> usize {
        self.plane.connections()
    }

    fn start(settings: Settings, batch: Vec<Write>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let store = Store::in_memory();
        runtime.block_on(store.write(batch)).expect("a write");
        let services = Arc::new(services(settings, runtime.handle().clone()));
        let registry = Arc::new(tidegate_plugins::registry(None));
        let keyring = Arc::new(config::keyring::Keyring::published());
        let planner = Planner::new(registry, services.clone(), keyring);
        let socket = listener::listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = socket.local_addr().expect("an address");
        let listeners = vec![Listener { socket, tls: false }];
        let plane = DataPlane::start(planner, services, &store, listeners, 1).expect("a data plane");
        Self { address, plane, _store: store, runtime }
    }

    /// `GET path` with `headers`.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        Response::read(self.open(method, path, headers, ""))
    }

    /// `POST path` with `headers` and the JSON text `body`.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        Response::read(self.open("POST", path, headers, &body.to_string()))
    }

    /// `POST path` with `headers` and `body`.
    pub fn post_text(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        Response::read(self.open("POST", path, headers, body))
    }

    /// All bytes that come back of a request whose body is `body`.
    pub fn exchange(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.open(method, path, &[], body).read_to_end(&mut bytes).expect("a response");
        bytes
    }

    /// A connection on which a request has been sent; the response is the caller's to read.
    pub fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: test.com\r\n");
        if !headers.iter().any(|(name, _)| *name == "Connection") {
            request.push_str("Connection: close\r\n");
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request");
        stream
    }
}

/// The entries that a file logger has written to `file`, once there are `count`: a request is logged after its
/// response has left.
pub fn log_entries(file: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        assert!(tidegate_plugins::observability::flush_log_files(PATIENCE));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
        std::thread::yield_now();
    }
}

impl Response {
    /// The response on `stream`, up to the connection's end.
    pub fn read(mut stream: TcpStream) -> Self {
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        Self::parse(&response)
    }

    /// A header's values, joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a response head");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { without_chunks(body) } else { body.to_owned() };
        Self { status: status.expect("a status line"), headers, body }
    }
}

fn without_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a chunk length");
        body.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    body
}

/// An upstream whose responses have the request's head as their body.
pub fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/plain\r\nX-Upstream: yes\r\nETag: \"1\"\r\n\
         Connection: close\r\n\r\n",
        request.len()
    );
    // A client that is gone is no concern of the upstream's.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&request));
}

/// What a data plane needs, with `side` as its second runtime.
pub fn services(settings: Settings, side: tokio::runtime::Handle) -> Services {
    let settings = Arc::new(settings);
    let tls = gateway::tls::client::ClientConfigs::new(None).expect("a trust store");
    Services {
        limiter: Arc::new(limits::Limiter::local()),
        last_call: Default::default(),
        metrics: Arc::new(gateway::metrics::Metrics::new(&settings.plugin_attr.prometheus)),
        side,
        client: Arc::new(gateway::side::SideClient::new(&tls)),
        origins: gateway::transport::Origins::default(),
        trusted_addresses: None,
        tls,
        hostname: "test".into(),
        settings,
    }
}
