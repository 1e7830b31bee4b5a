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
    #[error("override.endpoint is required for {0} provider")]
    NoEndpoint(&'static str),
    #[error("provider {0} has an address per region: set provider_conf.region or override.endpoint")]
    NoRegion(&'static str),
    #[error("provider_conf makes {host:?} of {provider}'s address, which is no host")]
    Host { provider: &'static str, host: String },
    #[error("provider_conf makes a path of {0} that cannot stand in a URL")]
    Path(&'static str),
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
    /// Tells without making anything whether `provider` has a usable address, as [`Backend::compile`] finds it.
    ///
    /// # Errors
    /// If it has none.
    pub fn check(provider: &'static Provider, endpoint: Option<&str>, place: &Place) -> Result<(), BackendError> {
        Address::of(provider, endpoint, place)?.targets(provider, place, Vec::new()).map(drop)
    }

    /// Compiles `config`.
    ///
    /// # Errors
    /// If there is no usable address.
    pub fn compile(config: BackendConfig<'_>, services: &Services) -> Result<Self, BackendError> {
        let address = Address::of(config.provider, config.endpoint, &config.place)?;
        let targets = address.targets(config.provider, &config.place, config.auth.query)?;
        let tls_config = || services.tls.plain(config.verify).clone();
        let tls = address.server_name.map(|server_name| OriginTls { config: tls_config(), server_name });
        Ok(Self {
            name: config.name.into(),
            provider: config.provider,
            origin: services.origins.intern(&address.host, address.port, tls, config.keepalive),
            dialled_host: address.host.as_str().into(),
            host: address.host_header,
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
            targets,
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
    /// `None` where the address is `http://`.
    server_name: Option<ServerName<'static>>,
    host: String,
    port: u16,
    host_header: HeaderValue,
    path: Option<String>,
    query: Vec<(String, String)>,
}

impl Address {
    fn of(provider: &Provider, endpoint: Option<&str>, place: &Place) -> Result<Self, BackendError> {
        let Some(endpoint) = endpoint else {
            let host = provider.host.ok_or(BackendError::NoEndpoint(provider.name))?;
            let host = place.fill_host(host).ok_or(BackendError::NoRegion(provider.name))?;
            let unusable = || BackendError::Host { provider: provider.name, host: host.clone() };
            return Self::at(&host, provider.scheme == "https", provider.port).ok_or_else(unusable);
        };
        Self::parse(endpoint).ok_or_else(|| BackendError::Endpoint(endpoint.to_owned()))
    }

    /// A path of `/` counts as a path; an absent one does not, though `Uri` cannot tell them apart.
    fn parse(endpoint: &str) -> Option<Self> {
        let uri: Uri = endpoint.parse().ok()?;
        let (https, usual_port) = match uri.scheme_str()? {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?;
        // A port beyond 65535 is none to `Uri`.
        let has_port = uri.authority()?.as_str().rsplit_once(host).is_some_and(|(_, port)| port.len() > 1);
        let port = if has_port { uri.port_u16()? } else { usual_port };
        let (_, after_scheme) = endpoint.split_once("://")?;
        let has_path = after_scheme.split(['?', '#']).next().is_some_and(|rest| rest.contains('/'));
        Some(Self {
            path: has_path.then(|| uri.path().to_owned()),
            query: uri.query().map(parse_query).unwrap_or_default(),
            ..Self::at(host, https, port)?
        })
    }

    fn at(host: &str, https: bool, port: u16) -> Option<Self> {
        let usual_port = if https { 443 } else { 80 };
        let header = if port == usual_port { host.to_owned() } else { format!("{host}:{port}") };
        let server_name = match https {
            true => Some(ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?),
            false => None,
        };
        Some(Self {
            server_name,
            host: host.to_owned(),
            port,
            host_header: HeaderValue::from_str(&header).ok()?,
            path: None,
            query: Vec::new(),
        })
    }

    /// Where requests go at this address. `auth_query` holds keys.
    fn targets(
        &self,
        provider: &'static Provider,
        place: &Place,
        auth_query: Vec<(String, String)>,
    ) -> Result<Targets, BackendError> {
        let paths = PathOverride { path: self.path.clone(), auth_query, endpoint_query: self.query.clone() };
        Targets::compile(provider, place, paths).map_err(|_| BackendError::Path(provider.name))
    }
}
