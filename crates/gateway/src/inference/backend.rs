//! A provider as configured: where it is, how it is addressed, what is done to bodies. Compiled once.

use std::sync::Arc;
use std::time::Duration;

use config::resource::{KeepalivePool, Timeout};
use http::Uri;
use http::header::{HeaderName, HeaderValue};
use llm::{LossPolicy, Provider, ShapeRules};
use rustls::pki_types::ServerName;

use super::credentials::{Credentials, CredentialsConfig};
use super::target::{PathOverride, Place, Targets, parse_query};
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
    /// What is made per request.
    pub credentials: Option<CredentialsConfig>,
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
    /// What is done about what the provider's dialect has no words for.
    pub losses: LossPolicy,
    /// `provider_conf`.
    pub place: Place,
}

/// Why a backend cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("override.endpoint must be a URL such as https://host:port/path, got {0:?}")]
    Endpoint(String),
    #[error("provider {0} has no address of its own: set override.endpoint")]
    NoEndpoint(&'static str),
    #[error("provider {0} has an address per region: set provider_conf.region or override.endpoint")]
    NoRegion(&'static str),
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
    pub losses: LossPolicy,
    /// Set where neither client nor configuration does.
    pub(super) required_headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) targets: Targets,
    /// Nothing is left to do per request where the headers are all.
    pub(super) credentials: Option<Credentials>,
}

impl Backend {
    /// Compiles `config`.
    ///
    /// # Errors
    /// If there is no usable address.
    pub fn compile(config: BackendConfig<'_>, services: &Services) -> Result<Self, BackendError> {
        let address = Address::of(&config)?;
        let unusable = address.unusable();
        let paths = PathOverride {
            path: address.path.clone(),
            auth_query: config.auth.query,
            endpoint_query: address.query.clone(),
        };
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
        Ok(Self {
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
            losses: config.losses,
            required_headers: (config.provider.headers.iter())
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
            targets: Targets::compile(config.provider, &config.place, paths).map_err(|_| unusable)?,
            credentials: config.auth.credentials.map(|config| Credentials::compile(config, services)),
        })
    }
}

impl Backend {
    /// The operator has said with which credentials the provider is called.
    pub(super) fn has_credentials(&self) -> bool {
        !self.headers.is_empty() || self.targets.has_key() || self.credentials.is_some()
    }
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
                let host = config.place.fill_host(host).ok_or(BackendError::NoRegion(config.provider.name))?;
                Ok(Self {
                    source: host.clone(),
                    https: config.provider.scheme == "https",
                    host,
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
