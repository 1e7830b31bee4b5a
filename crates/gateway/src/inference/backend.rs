//! A provider as configured: where it is, how it is addressed, what is done to bodies. Compiled once.

use std::sync::Arc;
use std::time::Duration;

use config::resource::{KeepalivePool, Timeout};
use http::header::{HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use llm::{Protocol, Provider, ShapeRules};
use rustls::pki_types::ServerName;

use crate::answer::Answer;
use crate::credential::decode_argument;
use crate::error_response::ErrorResponse;
use crate::services::Services;
use crate::tls::client::Verify;
use crate::transport::{Origin, OriginTls};

/// Credentials for a provider.
#[derive(Default)]
pub struct ProviderAuth {
    /// Sent over the client's headers of the same names.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Added to the query.
    pub query: Vec<(String, String)>,
}

/// What a plugin's configuration says about a provider.
pub struct BackendConfig<'a> {
    /// The instance's name in metrics, such as `ai-proxy-openai`.
    pub name: &'a str,
    pub provider: &'static Provider,
    /// `scheme://host[:port][/path][?query]` instead of the provider's own.
    pub endpoint: Option<&'a str>,
    pub auth: ProviderAuth,
    pub rules: ShapeRules,
    /// Applies to connecting, sending and each read on its own.
    pub timeout: Duration,
    pub keepalive: KeepalivePool,
    pub verify: Verify,
    /// From the attempt's begin.
    pub max_stream_duration: Option<Duration>,
    pub max_response_bytes: Option<u64>,
    /// What clients read in the place of a refusal.
    pub error_response: Option<ErrorResponse>,
    pub log_summary: bool,
    pub log_payload: bool,
}

/// Why a backend cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("override.endpoint must be a URL such as https://host:port/path, got {0:?}")]
    Endpoint(String),
    #[error("provider {0} has no address of its own: set override.endpoint")]
    NoEndpoint(&'static str),
}

/// A provider, ready to be called.
pub struct Backend {
    pub name: Arc<str>,
    pub provider: &'static Provider,
    pub origin: Arc<Origin>,
    /// The host as dialled, without port.
    pub dialled_host: Arc<str>,
    /// The `Host` header.
    pub host: HeaderValue,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub rules: ShapeRules,
    /// The model every request is given, if the configuration fixes one.
    pub fixed_model: Option<String>,
    pub timeout: Timeout,
    pub max_stream_duration: Option<Duration>,
    pub max_response_bytes: Option<u64>,
    /// What clients read in the place of a refusal.
    pub error_response: Option<ErrorResponse>,
    pub log_summary: bool,
    pub log_payload: bool,
    /// The endpoint has a path, which then serves every protocol.
    path: Option<String>,
    auth_query: Vec<(String, String)>,
    endpoint_query: Vec<(String, String)>,
    /// Path and query per protocol that the provider speaks.
    targets: Vec<(Protocol, Uri)>,
}

impl Backend {
    /// Compiles `config`.
    ///
    /// # Errors
    /// If there is no usable address.
    pub fn compile(config: BackendConfig<'_>, services: &Services) -> Result<Self, BackendError> {
        let address = Address::of(&config)?;
        let tls = match address.https {
            false => None,
            true => Some(OriginTls {
                config: services.tls.plain(config.verify).clone(),
                server_name: ServerName::try_from(address.host.trim_matches(['[', ']']).to_owned())
                    .map_err(|_| address.unusable())?,
            }),
        };
        let usual_port = if address.https { 443 } else { 80 };
        let host = match address.port == usual_port {
            true => address.host.clone(),
            false => format!("{}:{}", address.host, address.port),
        };
        let mut backend = Self {
            name: config.name.into(),
            provider: config.provider,
            origin: services.origins.intern(&address.host, address.port, tls, config.keepalive),
            dialled_host: address.host.as_str().into(),
            host: HeaderValue::from_str(&host).map_err(|_| address.unusable())?,
            headers: config.auth.headers,
            fixed_model: config.rules.fixed_model(),
            rules: config.rules,
            timeout: Timeout { connect: config.timeout, send: config.timeout, read: config.timeout },
            max_stream_duration: config.max_stream_duration,
            max_response_bytes: config.max_response_bytes,
            error_response: config.error_response,
            log_summary: config.log_summary,
            log_payload: config.log_payload,
            path: address.path.clone(),
            auth_query: config.auth.query,
            endpoint_query: address.query.clone(),
            targets: Vec::new(),
        };
        for capability in config.provider.capabilities {
            let path = backend.path.as_deref().unwrap_or(capability.path);
            let target = backend.uri(path, None).map_err(|_| address.unusable())?;
            backend.targets.push((capability.protocol, target));
        }
        Ok(backend)
    }

    /// Where a request of `protocol` goes. `path` and `query` are the client's, for passthrough.
    ///
    /// # Errors
    /// The answer for a protocol that the provider does not speak.
    pub fn target(&self, protocol: Protocol, path: &str, query: Option<&str>) -> Result<Uri, Answer> {
        if let Some((_, uri)) = self.targets.iter().find(|(known, _)| *known == protocol) {
            return Ok(uri.clone());
        }
        if protocol == Protocol::Passthrough {
            let path = self.path.as_deref().unwrap_or(path);
            return self.uri(path, query).map_err(|_| Answer::page(StatusCode::BAD_REQUEST));
        }
        let supported: Vec<&str> = self.provider.capabilities.iter().map(|known| known.protocol.as_str()).collect();
        let message = format!(
            "provider {} does not support {} protocol (supported: {})",
            self.provider.name,
            protocol.as_str(),
            supported.join(", ")
        );
        Err(Answer::text(StatusCode::BAD_REQUEST, message))
    }

    /// `path` with `auth.query`, over it the endpoint's own query, over it (but for auth keys) the client's.
    fn uri(&self, path: &str, client_query: Option<&str>) -> Result<Uri, http::uri::InvalidUri> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let client: Vec<(String, String)> = client_query.map(parse_query).unwrap_or_default();
        let client = client.iter().filter(|(name, _)| !self.auth_query.iter().any(|(auth, _)| auth == name));
        for (name, value) in self.auth_query.iter().chain(&self.endpoint_query).chain(client) {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1.clone_from(value),
                None => pairs.push((name.clone(), value.clone())),
            }
        }
        let mut text = path.to_owned();
        for (at, (name, value)) in pairs.iter().enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.extend(encoded(name));
            text.push('=');
            text.extend(encoded(value));
        }
        PathAndQuery::try_from(text).map(Uri::from)
    }
}

/// Everything but letters, digits and `-._~` is escaped.
const QUERY: percent_encoding::AsciiSet =
    percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, &QUERY)
}

/// A provider's address, taken apart.
struct Address {
    source: String,
    https: bool,
    host: String,
    port: u16,
    path: Option<String>,
    query: Vec<(String, String)>,
}

impl Address {
    fn of(config: &BackendConfig<'_>) -> Result<Self, BackendError> {
        match config.endpoint {
            Some(endpoint) => Self::parse(endpoint),
            None => {
                let host = config.provider.host.ok_or(BackendError::NoEndpoint(config.provider.name))?;
                Ok(Self {
                    source: host.to_owned(),
                    https: config.provider.scheme == "https",
                    host: host.to_owned(),
                    port: config.provider.port,
                    path: None,
                    query: Vec::new(),
                })
            }
        }
    }

    /// A path of `/` counts as a path; an absent one does not, though `Uri` cannot tell them apart.
    fn parse(endpoint: &str) -> Result<Self, BackendError> {
        let unusable = || BackendError::Endpoint(endpoint.to_owned());
        let uri: Uri = endpoint.parse().map_err(|_| unusable())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(unusable()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(unusable)?.to_owned();
        let after_scheme = endpoint.split_once("://").map_or("", |(_, rest)| rest);
        let has_path = after_scheme.split(['?', '#']).next().is_some_and(|rest| rest.contains('/'));
        Ok(Self {
            source: endpoint.to_owned(),
            https,
            host,
            port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }),
            path: has_path.then(|| uri.path().to_owned()),
            query: uri.query().map(parse_query).unwrap_or_default(),
        })
    }

    fn unusable(&self) -> BackendError {
        BackendError::Endpoint(self.source.clone())
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode_argument(name), decode_argument(value)))
        .collect()
}
