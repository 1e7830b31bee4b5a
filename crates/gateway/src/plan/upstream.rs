//! An upstream as the data plane uses it: nodes with their origins and header values ready, a balancer, health.

use std::net::IpAddr;
use std::sync::Arc;

use config::resource::{HashOn, KeepalivePool, KeyPair, PassHost, Scheme, Timeout, UpstreamType};
use config::template::Template;
use http::HeaderValue;
use rustls::pki_types::ServerName;

use super::named_origin::NamedOrigins;
use crate::balance::{BalanceNode, Balancer, Kind, TriedSet};
use crate::exchange::Exchange;
use crate::health::Checker;
use crate::tls::TlsError;
use crate::tls::client::{ClientConfigs, Verify};
use crate::transport::{Origin, OriginTls, Origins};

/// A group of nodes that can answer a request.
pub struct Upstream {
    /// The object that carries it, such as `/apisix/upstreams/1`.
    pub key: Arc<str>,
    pub nodes: Box<[Node]>,
    pub scheme: Scheme,
    pub pass_host: PassHost,
    /// The host to send with `pass_host: rewrite`.
    pub rewritten_host: Option<HeaderValue>,
    pub timeout: Timeout,
    /// Tries after the first one.
    pub retries: u32,
    pub retry_timeout: Option<std::time::Duration>,
    pub health: Option<Arc<Checker>>,
    balancer: Balancer,
    hash_key: Option<HashKey>,
}

/// One node, ready to be dialled.
pub struct Node {
    pub host: Arc<str>,
    pub port: u16,
    pub origin: Arc<Origin>,
    /// What `pass_host: node` sends: the host, with the port if it is not the scheme's usual one.
    pub host_header: HeaderValue,
    by_name: Option<NamedOrigins>,
}

/// What a chash upstream hashes.
enum HashKey {
    Variable(Box<str>),
    Consumer,
    Template(Template),
}

/// Why an upstream cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("node {0}: not a host name")]
    Host(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What compiling an upstream needs beside its configuration.
pub struct UpstreamParts<'a> {
    pub key: Arc<str>,
    pub origins: &'a Origins,
    pub tls: &'a ClientConfigs,
    /// The certificate to show to nodes.
    pub certificate: Option<&'a KeyPair>,
    pub health: Option<Arc<Checker>>,
    /// For an upstream that has no `keepalive_pool`.
    pub keepalive: KeepalivePool,
    pub previous: Option<&'a Upstream>,
}

impl Upstream {
    /// Compiles `config`.
    ///
    /// # Errors
    /// If a node's host is no name or address, or the client certificate is unusable.
    pub fn compile(config: &config::resource::Upstream, parts: UpstreamParts<'_>) -> Result<Self, UpstreamError> {
        let tls = match config.scheme {
            Scheme::Https | Scheme::Grpcs => Some(client_tls(config, &parts)?),
            _ => None,
        };
        let nodes = config
            .nodes
            .iter()
            .map(|node| Node::compile(node, config, tls.as_ref(), &parts))
            .collect::<Result<Box<[_]>, _>>()?;
        let balance_nodes = config.nodes.iter().zip(&nodes).map(|(node, compiled)| BalanceNode {
            host: node.host.clone(),
            port: compiled.port,
            weight: node.weight,
            priority: node.priority.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
        });
        let previous = parts.previous.map(|previous| &previous.balancer);
        let kind = match config.kind {
            UpstreamType::RoundRobin => Kind::RoundRobin,
            UpstreamType::Chash => Kind::Chash,
            UpstreamType::LeastConn => Kind::LeastConn,
            UpstreamType::Ewma => Kind::Ewma,
        };
        Ok(Self {
            balancer: Balancer::succeeding(balance_nodes.collect(), kind, previous),
            hash_key: (kind == Kind::Chash).then(|| HashKey::new(config)),
            retries: config.retries.unwrap_or(config.nodes.len().saturating_sub(1) as u32),
            retry_timeout: config.retry_timeout,
            timeout: config.timeout.unwrap_or_default(),
            rewritten_host: config.upstream_host.as_deref().and_then(|host| HeaderValue::from_str(host).ok()),
            pass_host: config.pass_host,
            scheme: config.scheme,
            health: parts.health,
            key: parts.key,
            nodes,
        })
    }

    /// The balancer over [`Upstream::nodes`].
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// The Host for `node`, as `pass_host` says. `passed` is the client's, or a plugin's in its place; where there is
    /// none, the node's own goes out, for HTTP/1.1 knows no request without.
    pub fn host_for<'a>(&'a self, node: &'a Node, passed: Option<&'a HeaderValue>) -> &'a HeaderValue {
        let host = match self.pass_host {
            PassHost::Pass => passed,
            PassHost::Node => None,
            PassHost::Rewrite => self.rewritten_host.as_ref(),
        };
        host.unwrap_or(&node.host_header)
    }

    /// The node that is configured as `host` and `port`.
    pub fn node_at(&self, host: &str, port: u16) -> Option<&Node> {
        self.nodes.iter().find(|node| &*node.host == host && node.port == port)
    }

    /// What a chash upstream hashes of this request; taken before the request's headers go to the upstream.
    pub fn hash_key(&self, exchange: &Exchange) -> Option<String> {
        self.hash_key.as_ref().map(|key| key.of(exchange))
    }

    /// The node for the next attempt, or `None` when all have been tried.
    pub fn pick(&self, key: Option<&str>, tried: &TriedSet) -> Option<usize> {
        let healthy = |node: usize| self.health.as_ref().is_none_or(|health| health.is_healthy(node));
        self.balancer.pick(key.map(str::as_bytes), tried, &healthy)
    }
}

impl Node {
    fn compile(
        node: &config::resource::Node,
        upstream: &config::resource::Upstream,
        tls: Option<&Arc<rustls::ClientConfig>>,
        parts: &UpstreamParts<'_>,
    ) -> Result<Self, UpstreamError> {
        let usual_port = upstream.scheme.default_port().unwrap_or(80);
        let port = node.port.unwrap_or(usual_port);
        let bad_host = || UpstreamError::Host(node.host.clone());
        let sni = match upstream.pass_host {
            PassHost::Rewrite => upstream.upstream_host.as_deref().map(crate::path::without_port).unwrap_or(&node.host),
            PassHost::Pass | PassHost::Node => &node.host,
        };
        let keepalive = upstream.keepalive_pool.unwrap_or(parts.keepalive);
        let address = node.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_nameless = tls.is_some() && address.is_ok() && upstream.pass_host == PassHost::Pass;
        let tls = match tls {
            None => None,
            Some(config) => {
                let bare = sni.trim_start_matches('[').trim_end_matches(']').to_owned();
                let server_name = ServerName::try_from(bare).map_err(|_| bad_host())?;
                Some(OriginTls { config: config.clone(), server_name })
            }
        };
        let text = if port == usual_port { node.host.clone() } else { format!("{}:{port}", node.host) };
        let origin = parts.origins.intern(&node.host, port, tls, keepalive);
        Ok(Self {
            host: node.host.as_str().into(),
            port,
            by_name: is_nameless.then(|| NamedOrigins::new(origin.clone())),
            origin,
            host_header: HeaderValue::from_str(&text).map_err(|_| bad_host())?,
        })
    }

    /// The origin for a request with this Host, where it is another one than [`Node::origin`]: a TLS node that has no
    /// name of its own is greeted by the Host.
    pub fn named_origin(&self, host: Option<&HeaderValue>, origins: &Origins) -> Option<Arc<Origin>> {
        self.by_name.as_ref()?.of(host?, origins)
    }
}

fn client_tls(
    config: &config::resource::Upstream,
    parts: &UpstreamParts<'_>,
) -> Result<Arc<rustls::ClientConfig>, UpstreamError> {
    let verify = if config.tls.as_ref().is_some_and(|tls| tls.verify) { Verify::Yes } else { Verify::No };
    Ok(match parts.certificate {
        None => parts.tls.plain(verify).clone(),
        Some(pair) => parts.tls.with_certificate(verify, &pair.cert, pair.key.expose())?,
    })
}

impl HashKey {
    fn new(config: &config::resource::Upstream) -> Self {
        let key = config.key.as_deref().unwrap_or_default();
        match config.hash_on {
            HashOn::Vars => HashKey::Variable(key.into()),
            HashOn::Header => HashKey::Variable(format!("http_{}", key.to_ascii_lowercase().replace('-', "_")).into()),
            HashOn::Cookie => HashKey::Variable(format!("cookie_{key}").into()),
            HashOn::Consumer => HashKey::Consumer,
            HashOn::VarsCombinations => HashKey::Template(Template::new(key)),
        }
    }

    /// The text to hash; the client's address where the request has no such value.
    fn of(&self, exchange: &Exchange) -> String {
        use config::vars::Vars as _;
        let found = match self {
            HashKey::Variable(name) => exchange.var(name).to_text().map(std::borrow::Cow::into_owned),
            HashKey::Consumer => exchange.consumer_name().map(str::to_owned),
            HashKey::Template(template) => {
                let mut text = String::new();
                (template.render(exchange, &mut text) > 0).then_some(text)
            }
        };
        found.filter(|text| !text.is_empty()).unwrap_or_else(|| exchange.remote_addr.to_string())
    }
}
