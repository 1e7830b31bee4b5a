//! The one context that a request's plugins, its dispatch and its settlement share. Created when the head has
//! been parsed, dropped when the last byte has gone to the client (or nobody wants it any more); its `Drop` is
//! the settlement, so that a request settles exactly once on every path.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use config::expr::Expr;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::balance::InFlight;
use crate::credential::{self, CredentialPlace};
use crate::headers;
use crate::inference::ask::Caller;
use crate::inference::{self, Backend, LlmCall};
use crate::metrics::Held;
use crate::path::NormalPath;
use crate::plan::consumers::{Consumer, Credential};
use crate::plan::route::RouteMatch;
use crate::plan::upstream::Upstream;
use crate::plan::{ChainRef, LocalPlan};
use crate::plugin::Needs;
use crate::request_body::RequestBody;
use crate::settlement::Settlement;
use crate::tls::server::Served;
use crate::transport::{PassedBytes, Pool};
use crate::worker::Life;

// What tells the upstream who calls.
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");

/// What is known of the client's connection; one per connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    /// The peer's address as text, ready to be a header value.
    pub peer_text: HeaderValue,
    /// The listener's port as text, ready to be a header value.
    pub port_text: HeaderValue,
    pub tls: Option<TlsFacts>,
    pub forwards: ForwardsTrust,
    /// The peer may tell the client's address (`nginx_config.http.real_ip_from`).
    pub real_ip_is_trusted: bool,
    /// `$connection`: unique in this process.
    pub serial: u64,
    /// `$connection_requests`: requests that have come on it so far.
    pub requests: Cell<u64>,
    /// Since when it waits for the head of a request; `None` while it serves any.
    pub waiting_since: Cell<Option<Instant>>,
    /// Requests that have come on it and are not settled.
    pub under_way: Cell<u32>,
    /// The process ends and takes the connection along.
    pub cut: Cell<bool>,
    /// How far the process is on its way out.
    pub life: watch::Receiver<Life>,
}

/// What the peer's own `X-Forwarded-*` headers are worth (`apisix.trusted_addresses`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardsTrust {
    /// Nothing is configured: its `X-Forwarded-For` is continued, the others are replaced.
    Unconfigured,
    /// The peer is trusted: all of them are kept.
    Trusted,
    /// The peer is not: none of them is kept.
    Untrusted,
}

/// What is known of the client's TLS session.
#[derive(Debug, Default)]
pub struct TlsFacts {
    pub server_name: Option<Box<str>>,
    pub protocol: &'static str,
    pub cipher: Box<str>,
    /// The name for which the client has proved itself by a certificate: the one it asked for, lower case.
    pub verified_for: Option<Box<str>>,
    /// The ssl resource under which it has not, though that asks for a certificate: no more is
    /// open than its exempt paths.
    pub unverified: Option<Arc<Served>>,
    /// The certificate by which it has.
    pub client_certificate: Option<CertificateDer<'static>>,
}

impl Connection {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Lets the time that the client has for its next head begin now, if it has begun.
    pub(crate) fn extend_wait(&self) {
        if self.waiting_since.get().is_some() {
            self.waiting_since.set(Some(Instant::now()));
        }
    }
}

/// The request as it came in.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// As sent by the client.
    pub uri: Uri,
    pub version: Version,
    /// The client's headers; request phases may change them, the dispatch sends them on.
    pub headers: HeaderMap,
    /// `$uri`: percent-decoded, dot segments resolved, slashes merged.
    pub path: NormalPath,
    /// Length of the request head and body read so far, in bytes (`$request_length`).
    pub length: u64,
    /// The client sent more than one Host header.
    pub duplicated_host: bool,
    /// The client sent more header fields than are allowed; none of them is kept.
    pub has_too_many_headers: bool,
    /// The body has a transfer coding beside `chunked`, which nobody here undoes.
    pub is_coded: bool,
    /// `X-Forwarded-*` and `Forwarded` as the client sent them, if some of them are not believed.
    pub overruled: Option<Box<HeaderMap>>,
}

impl Request {
    /// Copies out of the connection's read buffer what is left of the head. For requests that live long: a buffer of
    /// kilobytes would otherwise be held by a path of a few bytes.
    pub(crate) fn detach(&mut self) {
        if let Ok(uri) = Uri::try_from(self.uri.to_string()) {
            self.uri = uri;
        }
        self.headers = detached(&self.headers);
        self.overruled = self.overruled.take().map(|overruled| Box::new(detached(&overruled)));
    }

    /// `$uri`.
    pub fn path(&self) -> &str {
        self.path.of(&self.uri)
    }

    /// `$uri` as routes see it.
    pub fn routed_path(&self) -> &str {
        self.path.routed(&self.uri)
    }

    /// `$real_request_uri`: path and query as the client sent them.
    pub fn sent_target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// `$request_uri`: the normalised path with the query as sent.
    pub fn target(&self) -> Cow<'_, str> {
        if self.path() == self.uri.path() {
            return Cow::Borrowed(self.sent_target());
        }
        match self.query() {
            Some(query) => Cow::Owned(format!("{}?{query}", self.path())),
            None => Cow::Borrowed(self.path()),
        }
    }

    /// `$args`, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// A header's first value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The Host header (HTTP/1) or `:authority` (HTTP/2), with its port.
    pub fn host_with_port(&self) -> &str {
        match self.headers.get(http::header::HOST) {
            Some(value) => value.to_str().unwrap_or(""),
            None => self.uri.authority().map_or("", |authority| authority.as_str()),
        }
    }

    /// `$host`: lower-cased, without the port and the dot that may end a full name.
    pub fn host(&self) -> Cow<'_, str> {
        let host = crate::path::without_port(self.host_with_port());
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        }
    }
}

/// What plugins changed about the request that goes to the upstream.
#[derive(Debug, Default)]
pub struct Forward {
    /// Path and query to send instead of the client's.
    pub uri: Option<String>,
    /// Host header to send, over the upstream's `pass_host`.
    pub host: Option<HeaderValue>,
    pub method: Option<Method>,
}

/// A consumer that an authentication plugin attached.
#[derive(Debug, Clone)]
pub struct Attached {
    pub consumer: Arc<Consumer>,
    /// The credential it was found by, if it was a credential object.
    pub credential_id: Option<Arc<str>>,
}

/// Where the request goes when the request phases are through.
#[derive(Clone, Default)]
pub enum Dispatch {
    /// The route's upstream over HTTP.
    #[default]
    Upstream,
    /// An LLM provider.
    Llm(Arc<Backend>),
}

/// Who made the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseSource {
    /// The gateway: a plugin's answer, no route, …
    #[default]
    Gateway,
    /// The gateway, because no upstream answered.
    ProxyFailure,
    Upstream,
}

impl ResponseSource {
    /// The `response_source` label: `apisix`, `nginx` or `upstream`.
    pub fn as_str(self) -> &'static str {
        match self {
            ResponseSource::Gateway => "apisix",
            ResponseSource::ProxyFailure => "nginx",
            ResponseSource::Upstream => "upstream",
        }
    }
}

/// What became of the response.
#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub source: ResponseSource,
    /// Kept only if a plugin of the chain needs headers in the log phase.
    pub headers: Option<Box<HeaderMap>>,
}

/// One request on its way through the gateway.
pub struct Exchange {
    pub connection: Rc<Connection>,
    pub request: Request,
    pub body: RequestBody,
    /// The client wants its connection to end with the response, which then says so too.
    pub(crate) closes: bool,
    /// How much has come of a body that goes on as it arrives.
    pub(crate) passed_body: Option<PassedBytes>,
    pub forward: Forward,
    pub plan: LocalPlan,
    /// The matched route; `None` until routing and where nothing matched.
    pub route: Option<RouteMatch>,
    /// The plugins that run, with the consumer's merged in.
    pub chain: ChainRef,
    pub consumer: Option<Attached>,
    pub dispatch: Dispatch,
    /// An upstream that a plugin chose over the route's.
    pub upstream: Option<Arc<Upstream>>,
    /// Set on LLM requests once their protocol is known.
    pub llm: Option<Box<LlmCall>>,
    pub response: Response,
    pub settlement: Settlement,
    /// The first bytes of the request body, where a plugin needs them ([`crate::plugin::Needs`]).
    pub captured_request: Option<Bytes>,
    /// The first bytes of the response body, where a plugin needs them.
    pub captured_response: BytesMut,
    /// `$remote_addr`, which real-ip may change.
    pub remote_addr: IpAddr,
    response_headers: Vec<(HeaderName, HeaderValue)>,
    variables: Vec<(&'static str, String)>,
    slots: http::Extensions,
    request_id: std::cell::OnceCell<Box<str>>,
    /// What `_meta.filter` expressions gave, by the plugin entry they belong to.
    filters: Vec<(usize, bool)>,
    in_flight: Option<InFlight>,
    counted: Option<Held>,
    calling: Option<Held>,
    credential_places: Vec<CredentialPlace>,
    /// The worker's connections; `None` outside a worker.
    pool: Option<Rc<Pool>>,
}

impl Exchange {
    /// A request whose head has arrived.
    pub fn new(
        connection: Rc<Connection>,
        request: Request,
        body: RequestBody,
        plan: impl Into<LocalPlan>,
    ) -> Box<Self> {
        connection.under_way.update(|count| count + 1);
        let plan = plan.into();
        let chain = ChainRef::Empty(plan.clone());
        Box::new(Self {
            remote_addr: connection.peer.ip(),
            connection,
            request,
            body,
            closes: false,
            passed_body: None,
            forward: Forward::default(),
            plan,
            route: None,
            chain,
            consumer: None,
            dispatch: Dispatch::Upstream,
            upstream: None,
            llm: None,
            response: Response::default(),
            settlement: Settlement::begin(),
            captured_request: None,
            captured_response: BytesMut::new(),
            response_headers: Vec::new(),
            variables: Vec::new(),
            slots: http::Extensions::new(),
            request_id: std::cell::OnceCell::new(),
            filters: Vec::new(),
            in_flight: None,
            counted: None,
            calling: None,
            credential_places: Vec::new(),
            pool: None,
        })
    }

    /// What the plugins that see this request want kept of it.
    pub fn needs(&self) -> Needs {
        self.plan.global_chain().needs().merge(self.chain.needs())
    }

    /// Lends the worker's connections to plugins.
    pub(crate) fn lend(&mut self, pool: &Rc<Pool>) {
        self.pool = Some(pool.clone());
    }

    /// What a plugin calls providers with. It borrows nothing of the exchange.
    pub fn caller(&self) -> Caller {
        Caller::new(self.pool.clone().unwrap_or_default())
    }

    /// Sets a header on whatever response the client will get, replacing one of the same name.
    pub fn set_response_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.response_headers.retain(|(known, _)| *known != name);
        self.response_headers.push((name, value));
    }

    /// The headers to put on the response; leaves none behind.
    pub(crate) fn take_response_headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        std::mem::take(&mut self.response_headers)
    }

    /// Sets a variable that expressions, templates, logs and metrics can read.
    pub fn set_variable(&mut self, name: &'static str, value: String) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.reserve_exact(1);
        self.variables.push((name, value));
    }

    /// A variable that a plugin has set.
    pub fn plugin_variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A plugin's own state for this request, found by its type.
    pub fn slot<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.slots.get::<T>()
    }

    /// Keeps `state` for the later phases of the plugin that owns type `T`.
    pub fn set_slot<T: Clone + Send + Sync + 'static>(&mut self, state: T) {
        self.slots.insert(state);
    }

    /// `$request_id`: 32 hexadecimal digits, the same for the whole request.
    pub fn request_id(&self) -> &str {
        self.request_id.get_or_init(|| format!("{:032x}", fastrand::u128(..)).into_boxed_str())
    }

    /// Notes where the request carries a consumer's credential, so that it never reaches an LLM provider.
    pub fn note_credential(&mut self, place: CredentialPlace) {
        // Mostly the only one, and kept as long as a stream lasts; so is a plugin's variable.
        self.credential_places.reserve_exact(1);
        self.credential_places.push(place);
    }

    /// The query as logs show it: keys in arguments are hidden, consumers' and providers'.
    pub fn shown_query(&self) -> Option<Cow<'_, str>> {
        let query = self.request.query()?;
        let places = &self.credential_places;
        if places.is_empty() && self.llm.is_none() {
            return Some(Cow::Borrowed(query));
        }
        let is_credential = |name: &str| {
            places.iter().any(|place| matches!(place, CredentialPlace::Argument(known) if **known == *name))
        };
        let is_providers = |name: &str| self.llm.is_some() && inference::is_key_argument(name);
        Some(credential::hide_arguments(query, |name| is_credential(name) || is_providers(name)))
    }

    /// Every place that carried a credential.
    pub fn credential_places(&self) -> &[CredentialPlace] {
        &self.credential_places
    }

    /// Counts the request as under way until it settles.
    pub(crate) fn count(&mut self, held: Held) {
        self.counted = Some(held);
    }

    /// Counts the request as calling a provider until it settles, in the place of an earlier attempt's count.
    pub fn count_call(&mut self, held: Held) {
        self.calling = Some(held);
    }

    /// Counts the request as in flight on its node until it settles.
    pub(crate) fn hold(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }

    /// What `filter` gives for this request; evaluated once and remembered under `entry`.
    pub(crate) fn remembered_filter(&mut self, entry: usize, filter: &Expr) -> bool {
        if let Some((_, holds)) = self.filters.iter().find(|(known, _)| *known == entry) {
            return *holds;
        }
        let holds = filter.eval(self);
        self.filters.push((entry, holds));
        holds
    }

    /// Attaches the consumer that owns `credential` and tells the upstream about it.
    pub fn attach_credential(&mut self, credential: &Credential) {
        self.attach(Attached { consumer: credential.consumer.clone(), credential_id: credential.id.clone() });
    }

    /// Attaches `consumer` without a credential (anonymous access).
    pub fn attach_consumer(&mut self, consumer: &Arc<Consumer>) {
        self.attach(Attached { consumer: consumer.clone(), credential_id: None });
    }

    fn attach(&mut self, attached: Attached) {
        let headers = &mut self.request.headers;
        let consumer = &attached.consumer;
        headers.insert(CONSUMER_USERNAME, consumer.username_header.clone());
        set_or_remove(headers, CREDENTIAL_IDENTIFIER, attached.credential_id.as_deref().and_then(header_value));
        set_or_remove(headers, CONSUMER_CUSTOM_ID, consumer.custom_id.clone());
        self.consumer = Some(attached);
    }

    /// The name of the attached consumer.
    pub fn consumer_name(&self) -> Option<&str> {
        self.consumer.as_ref().map(|attached| &*attached.consumer.username)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        crate::settlement::settle(self);
    }
}

/// A copy of `headers` that holds on to no read buffer.
pub(crate) fn detached(headers: &HeaderMap) -> HeaderMap {
    let mut copy = headers::with_room_for(headers, 0);
    for (name, value) in headers {
        if let Ok(mut own) = HeaderValue::from_bytes(value.as_bytes()) {
            own.set_sensitive(value.is_sensitive());
            copy.append(name.clone(), own);
        }
    }
    copy
}

fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => {
            headers.insert(name, value);
        }
        None => {
            headers::remove(headers, &name);
        }
    }
}
