//! A planner over a store in memory, and plugins named after what they do.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use config::catalog::{Catalog, PluginInfo, Side};
use config::keyring::Keyring;
use config::settings::Settings;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use serde_json::{Value, json};
use store::{Expect, Store, Write};

use crate::answer::Answer;
use crate::exchange::{Connection, Exchange, ForwardsTrust, Request};
use crate::path::NormalPath;
use crate::plan::{Plan, Planner};
use crate::plugin::{Compile, CompileContext, Needs, Phases, Plugin, PluginDef, Registry, Step};
use crate::request_body::RequestBody;
use crate::services::Services;

/// Everything a plan is made with.
pub struct Bench {
    pub store: Store,
    pub planner: Planner,
    pub services: Arc<Services>,
    pub catalog: Arc<Catalog>,
    pub runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub fn new(resources: &[(&str, Value)]) -> Self {
        Self::made(Settings::default(), None, resources)
    }

    /// With only the plugins `enabled` in use.
    pub fn with_enabled(enabled: &[String], resources: &[(&str, Value)]) -> Self {
        Self::made(Settings::default(), Some(enabled), resources)
    }

    /// With `config.yaml` as `settings` say.
    pub fn configured(settings: Settings, resources: &[(&str, Value)]) -> Self {
        Self::made(settings, None, resources)
    }

    fn made(settings: Settings, enabled: Option<&[String]>, resources: &[(&str, Value)]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let services = Arc::new(services(settings, runtime.handle().clone()));
        let registry = Arc::new(Registry::new(definitions(), enabled, &["elsewhere"]));
        let catalog = registry.catalog().clone();
        let planner = Planner::new(registry, services.clone(), Arc::new(Keyring::published()));
        let bench = Self { store: Store::in_memory(), planner, services, catalog, runtime };
        bench.put(resources);
        bench
    }

    pub fn put(&self, resources: &[(&str, Value)]) {
        let puts = resources.iter().map(|(key, value)| Write::Put {
            key: (*key).to_owned(),
            value: value.clone(),
            expect: Expect::Any,
            ttl: None,
        });
        self.runtime.block_on(self.store.write(puts.collect())).expect("a write");
    }

    pub fn plan(&mut self) -> Arc<Plan> {
        Arc::new(self.planner.build(&self.store.snapshot()))
    }

    /// The plan of `resources`.
    pub fn plan_of(resources: &[(&str, Value)]) -> Arc<Plan> {
        Self::new(resources).plan()
    }
}

/// A client's connection.
pub fn connection() -> Connection {
    Connection {
        peer: SocketAddr::from(([10, 0, 0, 1], 4711)),
        local: SocketAddr::from(([127, 0, 0, 1], 9080)),
        peer_text: HeaderValue::from_static("10.0.0.1"),
        port_text: HeaderValue::from_static("9080"),
        tls: None,
        forwards: ForwardsTrust::Unconfigured,
        real_ip_is_trusted: false,
        serial: 1,
        requests: std::cell::Cell::new(1),
        waiting_since: std::cell::Cell::new(None),
        under_way: std::cell::Cell::new(0),
        cut: std::cell::Cell::new(false),
        life: tokio::sync::watch::channel(crate::worker::Life::Serving).1,
    }
}

/// A `GET` for `path` that was routed.
pub fn exchange(plan: &Arc<Plan>, path: &str) -> Box<Exchange> {
    let uri: http::Uri = path.parse().expect("a URI");
    let request = Request {
        duplicated_host: false,
        has_too_many_headers: false,
        is_coded: false,
        overruled: None,
        path: NormalPath::new(&uri).expect("a path"),
        method: Method::GET,
        uri,
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        length: 0,
    };
    let mut exchange = Exchange::new(Rc::new(connection()), request, RequestBody::Empty, plan.clone());
    exchange.route = Plan::route(&exchange);
    if let Some(matched) = &exchange.route {
        exchange.chain = crate::plan::ChainRef::Route(matched.route.clone());
    }
    exchange
}

fn services(settings: Settings, side: tokio::runtime::Handle) -> Services {
    let tls = crate::tls::client::ClientConfigs::new(None).expect("system roots");
    Services {
        settings: Arc::new(settings),
        limiter: Arc::new(limits::Limiter::local()),
        last_call: Default::default(),
        metrics: Arc::default(),
        side,
        client: Arc::new(crate::side::SideClient::new(&tls)),
        origins: crate::transport::Origins::default(),
        trusted_addresses: None,
        tls,
        hostname: "here".into(),
    }
}

thread_local! {
    /// How often `recorder` was compiled in this test.
    static COMPILED: Cell<usize> = const { Cell::new(0) };
    /// What `recorder` wrote in this test.
    static RECORDED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What `recorder` has written so far, status and outcome of each request; forgets it.
pub fn recorded() -> Vec<String> {
    RECORDED.take()
}

/// How often `recorder` was compiled so far.
pub fn compilations() -> usize {
    COMPILED.get()
}

/// The plugins: `recorder` writes down how requests end, `panics` does so in its log phase, `picky` has
/// configurations that do not compile and tells the body it saw, `impossible` lets no plan be made, `guard` lets in who
/// sends a key.
fn definitions() -> Vec<PluginDef> {
    vec![
        definition("panics", 30, |_, _| Ok(Arc::new(Panics))),
        definition("recorder", 20, |_, _| {
            COMPILED.set(COMPILED.get() + 1);
            Ok(Arc::new(Recorder))
        }),
        PluginDef {
            info: PluginInfo { check: check_picky, ..info("picky", 10) },
            compile: compile_picky,
            prefer_route: false,
        },
        definition("impossible", 0, |_, _| Ok(Arc::new(Impossible))),
        PluginDef {
            info: PluginInfo {
                authenticates: true,
                consumer_schema: Some(json!({"type": "object", "properties": {"key": {"type": "string"}}}).into()),
                unique_field: Some("key"),
                ..info("guard", 2500)
            },
            compile: |_, _| Ok(Arc::new(Guard)),
            prefer_route: false,
        },
    ]
}

fn definition(name: &'static str, priority: i32, compile: Compile) -> PluginDef {
    PluginDef { info: info(name, priority), compile, prefer_route: false }
}

fn info(name: &'static str, priority: i32) -> PluginInfo {
    PluginInfo {
        name,
        priority,
        version: 0.1,
        authenticates: false,
        schema: json!({"type": "object"}).into(),
        consumer_schema: None,
        metadata_schema: None,
        encrypt_fields: &[],
        unique_field: None,
        group_field: None,
        shared_field: None,
        check: |_, _| Ok(()),
    }
}

struct Recorder;

impl Plugin for Recorder {
    fn phases(&self) -> Phases {
        Phases::LOG
    }

    fn log(&self, exchange: &Exchange) {
        let entry = format!("{} {}", exchange.response.status, exchange.settlement.outcome.as_str());
        RECORDED.with_borrow_mut(|recorded| recorded.push(entry));
    }
}

struct Panics;

impl Plugin for Panics {
    fn phases(&self) -> Phases {
        Phases::LOG
    }

    fn log(&self, _: &Exchange) {
        panic!("a log phase of a test panics");
    }
}

struct Picky;

fn check_picky(config: &Value, _: Side) -> Result<(), String> {
    match config["mood"].as_str() {
        Some("forbidden") => Err("no write with this mood passes".to_owned()),
        _ => Ok(()),
    }
}

fn compile_picky(config: &Value, _: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    match config["mood"].as_str() {
        Some("bad") => Err("it is in a bad mood".to_owned()),
        Some("terrible") => panic!("a plugin of a test panics when it is compiled"),
        _ => Ok(Arc::new(Picky)),
    }
}

impl Plugin for Picky {
    fn phases(&self) -> Phases {
        Phases::REWRITE
    }

    fn needs(&self) -> Needs {
        Needs { body_before_rewrite: true, ..Needs::default() }
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let seen = match &exchange.body {
            RequestBody::Buffered(body) => String::from_utf8_lossy(body).into_owned(),
            RequestBody::Empty => "nothing".to_owned(),
            RequestBody::Stream(_) | RequestBody::Begun(_) | RequestBody::Sent => "a stream".to_owned(),
        };
        Step::Answer(Answer::text(StatusCode::OK, format!("picky saw {seen}").into_bytes()))
    }
}

struct Impossible;

impl Plugin for Impossible {
    fn phases(&self) -> Phases {
        panic!("a plugin of a test panics when it is asked for its phases")
    }
}

struct Guard;

impl Plugin for Guard {
    fn phases(&self) -> Phases {
        Phases::REWRITE
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let key = exchange.request.header("x-key").unwrap_or_default();
        match exchange.plan.credentials("guard").find(key).cloned() {
            Some(credential) => {
                exchange.attach_credential(&credential);
                Step::Next
            }
            None => Step::Answer(Answer::page(StatusCode::UNAUTHORIZED)),
        }
    }
}
