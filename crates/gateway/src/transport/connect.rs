//! Dialling an origin: name resolution, TCP, TLS with ALPN.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::io::UpstreamIo;
use super::origin::{Origin, OriginTls};

/// How long a resolved name is used; getaddrinfo tells no TTL.
const NAME_TTL: Duration = Duration::from_secs(10);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{address}: the name does not resolve: {source}")]
    Resolve { address: Arc<str>, source: io::Error },
    #[error("{address}: {source}")]
    Refused { address: Arc<str>, source: io::Error },
    #[error("{address}: no connection within {limit:?}")]
    Timeout { address: Arc<str>, limit: Duration },
    #[error("{address}: TLS: {source}")]
    Tls { address: Arc<str>, source: io::Error },
}

/// The address that was picked for an origin that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub ip: Box<str>,
    /// `ip:port`, as logs show it.
    pub address: Box<str>,
}

/// A connected byte stream and what was agreed on it.
pub(super) struct Dialled {
    pub io: UpstreamIo,
    /// `None` where the origin is an address itself.
    pub peer: Option<Arc<Peer>>,
    /// ALPN chose HTTP/2.
    pub http2: bool,
}

/// Opens connections for one worker and remembers resolved names for a short while.
#[derive(Debug, Default)]
pub struct Dialer {
    names: RefCell<HashMap<Arc<str>, Resolved>>,
}

#[derive(Debug)]
struct Resolved {
    addresses: Rc<[IpAddr]>,
    until: Instant,
    next: usize,
}

impl Peer {
    fn of(origin: &Origin, ip: IpAddr) -> Option<Arc<Self>> {
        origin.host.parse::<IpAddr>().is_err().then(|| {
            let address = SocketAddr::new(ip, origin.port).to_string().into();
            Arc::new(Self { ip: ip.to_string().into(), address })
        })
    }
}

impl Dialer {
    /// Connects to `origin` within `limit`.
    ///
    /// # Errors
    /// If the name does not resolve, nothing listens, TLS fails or the time is up.
    pub(super) async fn dial(&self, origin: &Origin, limit: Duration) -> Result<Dialled, ConnectError> {
        match tokio::time::timeout(limit, self.dial_unbounded(origin, origin.tls.as_ref())).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout { address: origin.address.clone(), limit }),
        }
    }

    /// As [`Dialer::dial`], without offering HTTP/2.
    ///
    /// # Errors
    /// As for dialling.
    pub(super) async fn dial_http1(&self, origin: &Origin, limit: Duration) -> Result<Dialled, ConnectError> {
        let http1_only = origin.tls.as_ref().map(|tls| {
            let mut config = (*tls.config).clone();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            OriginTls { config: Arc::new(config), server_name: tls.server_name.clone() }
        });
        match tokio::time::timeout(limit, self.dial_unbounded(origin, http1_only.as_ref())).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout { address: origin.address.clone(), limit }),
        }
    }

    async fn dial_unbounded(&self, origin: &Origin, tls: Option<&OriginTls>) -> Result<Dialled, ConnectError> {
        let ip = self.resolve(origin).await?;
        let peer = Peer::of(origin, ip);
        let refused = |source| ConnectError::Refused { address: origin.address.clone(), source };
        let tcp = TcpStream::connect(SocketAddr::new(ip, origin.port)).await.map_err(refused)?;
        tcp.set_nodelay(true).map_err(refused)?;
        let Some(tls) = tls else {
            return Ok(Dialled { io: UpstreamIo::Plain(tcp), peer, http2: false });
        };
        let stream = TlsConnector::from(tls.config.clone())
            .connect(tls.server_name.clone(), tcp)
            .await
            .map_err(|source| ConnectError::Tls { address: origin.address.clone(), source })?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialled { io: UpstreamIo::Tls(Box::new(stream)), peer, http2 })
    }

    /// One address of the origin's host, taking turns among several.
    async fn resolve(&self, origin: &Origin) -> Result<IpAddr, ConnectError> {
        if let Ok(ip) = origin.host.parse::<IpAddr>() {
            return Ok(ip);
        }
        if let Some(ip) = self.remembered(&origin.host) {
            return Ok(ip);
        }
        let failed = |source| ConnectError::Resolve { address: origin.address.clone(), source };
        let found = tokio::net::lookup_host((&*origin.host, origin.port)).await.map_err(failed)?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        // A records first, as APISIX does.
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        if addresses.iter().any(IpAddr::is_ipv4) {
            addresses.retain(IpAddr::is_ipv4);
        }
        let first = *addresses.first().ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound)))?;
        let resolved = Resolved { addresses: addresses.into(), until: Instant::now() + NAME_TTL, next: 1 };
        self.names.borrow_mut().insert(origin.host.clone(), resolved);
        Ok(first)
    }

    fn remembered(&self, host: &Arc<str>) -> Option<IpAddr> {
        let mut names = self.names.borrow_mut();
        let resolved = names.get_mut(host)?;
        if resolved.until <= Instant::now() {
            names.remove(host);
            return None;
        }
        let ip = resolved.addresses[resolved.next % resolved.addresses.len()];
        resolved.next += 1;
        Some(ip)
    }
}
