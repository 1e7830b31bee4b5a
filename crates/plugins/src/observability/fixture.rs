//! A plan with one route that has the plugins under test, and requests that end in their log phase without a socket.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::keyring::Keyring;
use config::settings::Settings;
use gateway::exchange::{Connection, Exchange, Request, ResponseSource};
use gateway::path::NormalPath;
use gateway::plan::{Plan, Planner};
use gateway::request_body::RequestBody;
use gateway::services::Services;
use gateway::settlement::{AttemptRecord, Outcome};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use serde_json::{Value, json};
use store::{Expect, Store, Write};

/// Plugins on a route, and everything around them.
pub(super) struct Bench {
    pub services: Arc<Services>,
    pub plan: Arc<Plan>,
    pub runtime: tokio::runtime::Runtime,
}

/// A request as it is when its response is through.
pub(super) struct Sent {
    pub uri: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
}

pub(super) const GET: Sent = Sent { uri: "/r/x?a=1", headers: &[("host", "a.test.com")], body: "" };

impl Bench {
    pub fn new(plugins: Value) -> Self {
        Self::with(Settings::default(), &[], plugins)
    }

    /// As [`Bench::new`], with settings and other resources by key.
    pub fn with(settings: Settings, others: &[(&str, Value)], plugins: Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        let services = Arc::new(services(settings, runtime.handle().clone()));
        let registry = Arc::new(crate::registry(None));
        let mut planner = Planner::new(registry, services.clone(), Arc::new(Keyring::published()));
        let upstream = json!({"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}});
        let service = json!({"id": "s1", "name": "svc", "upstream": upstream});
        let route = json!({
            "id": "r1", "name": "my route", "uri": "/r/*", "host": "*.test.com", "service_id": "s1", "plugins": plugins
        });
        let resources = [("/apisix/services/s1", service), ("/apisix/routes/r1", route)];
        let resources = resources.into_iter().chain(others.iter().cloned());
        let put =
            |(key, value): (&str, Value)| Write::Put { key: key.to_owned(), value, expect: Expect::Any, ttl: None };
        let store = Store::in_memory();
        runtime.block_on(store.write(resources.map(put).collect())).expect("a write");
        Self { plan: Arc::new(planner.build(&store.snapshot())), services, runtime }
    }

    /// A request that was answered by the second node tried.
    pub fn answered(&self, sent: &Sent) -> Box<Exchange> {
        let mut exchange = self.arrived(sent);
        let started = Instant::now();
        exchange.settlement.started = started.checked_sub(Duration::from_millis(50)).expect("a clock that runs");
        exchange.settlement.attempts = vec![attempt("10.0.0.8", 502, 10), attempt("10.0.0.9", 200, 20)];
        exchange.settlement.body_bytes_sent = 345;
        exchange.settlement.outcome = Outcome::Complete;
        exchange.response.status = 200;
        exchange.response.source = ResponseSource::Upstream;
        let mut headers = HeaderMap::new();
        headers.insert("x-answer", HeaderValue::from_static("yes"));
        exchange.response.headers = Some(Box::new(headers));
        exchange.captured_response.extend_from_slice(b"the answer");
        exchange
    }

    /// A request that has been routed.
    pub fn arrived(&self, sent: &Sent) -> Box<Exchange> {
        let uri: Uri = sent.uri.parse().expect("a URI");
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let request = Request {
            duplicated_host: false,
            has_too_many_headers: false,
            is_coded: false,
            overruled: None,
            method: if sent.body.is_empty() { Method::GET } else { Method::POST },
            path: NormalPath::new(&uri).expect("a valid path"),
            uri,
            version: Version::HTTP_11,
            headers: sent.headers.iter().map(header).collect(),
            length: 120,
        };
        let connection = Connection {
            peer: SocketAddr::from(([192, 0, 2, 7], 4711)),
            local: SocketAddr::from(([127, 0, 0, 1], 9080)),
            peer_text: HeaderValue::from_static("192.0.2.7"),
            port_text: HeaderValue::from_static("9080"),
            tls: None,
            forwards: gateway::exchange::ForwardsTrust::Unconfigured,
            real_ip_is_trusted: false,
            serial: 1,
            requests: std::cell::Cell::new(1),
            waiting_since: std::cell::Cell::new(None),
            under_way: std::cell::Cell::new(0),
            cut: std::cell::Cell::new(false),
            life: tokio::sync::watch::channel(gateway::worker::Life::Serving).1,
        };
        let body = RequestBody::Buffered(Bytes::from_static(sent.body.as_bytes()));
        let mut exchange = Exchange::new(Rc::new(connection), request, body, self.plan.clone());
        exchange.route = gateway::plan::Plan::route(&exchange);
        if let Some(matched) = &exchange.route {
            exchange.chain = gateway::plan::ChainRef::Route(matched.route.clone());
        }
        exchange
    }
}

fn attempt(host: &str, status: u16, milliseconds: u64) -> AttemptRecord {
    let time = Some(Duration::from_millis(milliseconds));
    AttemptRecord {
        address: format!("{host}:80").into(),
        host: host.into(),
        peer: None,
        head_bytes: 0,
        sent_bytes: None,
        port: 80,
        status,
        connect_time: None,
        header_time: time,
        response_time: time,
        started: Instant::now(),
    }
}

fn services(settings: Settings, side: tokio::runtime::Handle) -> Services {
    let tls = gateway::tls::client::ClientConfigs::new(None).expect("a trust store");
    Services {
        limiter: Arc::new(limits::Limiter::local()),
        last_call: Default::default(),
        metrics: Arc::new(gateway::metrics::Metrics::new(&settings.plugin_attr.prometheus)),
        settings: Arc::new(settings),
        side,
        client: Arc::new(gateway::side::SideClient::new(&tls)),
        origins: gateway::transport::Origins::default(),
        trusted_addresses: None,
        tls,
        hostname: "test-host".into(),
    }
}
