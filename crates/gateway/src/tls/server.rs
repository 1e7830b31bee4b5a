//! Certificates shown to clients: chosen by SNI from the plan's ssl resources, exact names before `*.domain`
//! before `*`. Without a match the handshake is aborted. What a resource asks of clients holds for requests too: a
//! connection made under one name opens no host of another that wants a client certificate, and one whose client has
//! shown none, though its name wants one, opens nothing but that name's exempt paths, whatever host is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use config::resource::{KeyPair, Ssl, TlsVersion};
use config::settings::{self, Apisix};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig, SupportedProtocolVersion};

use super::TlsError;
use super::client_auth::ClientPolicy;
use crate::exchange::TlsFacts;

/// What one plan shows to clients and asks of them, by name.
#[derive(Default)]
pub struct Certificates {
    by_name: HashMap<String, Arc<Served>>,
}

/// One ssl resource, ready for handshakes.
#[derive(Debug)]
pub struct Served {
    config: Arc<ServerConfig>,
    client: Option<ClientPolicy>,
}

/// What the listeners offer where a resource says nothing of it.
#[derive(Debug, Clone)]
pub struct Offer {
    alpn: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

// === impl Certificates ===

impl Certificates {
    /// Shows `served` to clients that ask for one of `names`. Of two resources with the same name the last one counts.
    pub fn add(&mut self, names: &[String], served: &Arc<Served>) {
        for name in names {
            self.by_name.insert(normal_name(name), served.clone());
        }
    }

    /// What to serve a client with that asks for `name`, or for `fallback` if it names none.
    pub fn find(&self, name: Option<&str>, fallback: Option<&str>) -> Option<&Arc<Served>> {
        let name = normal_name(name.or(fallback)?);
        if let Some(served) = self.by_name.get(&name) {
            return Some(served);
        }
        if let Some((_, domain)) = name.split_once('.')
            && let Some(served) = self.by_name.get(&format!("*.{domain}"))
        {
            return Some(served);
        }
        self.by_name.get("*")
    }

    /// `true` if a request for `host` and `path` may be served on a connection of which this is known: neither the name
    /// in its handshake nor the host wants a certificate that the client has not shown.
    pub fn admit(&self, host: &str, path: &str, tls: &TlsFacts) -> bool {
        if tls.unverified.as_ref().is_some_and(|served| !served.exempts(path)) {
            return false;
        }
        if self.by_name.is_empty() {
            return true;
        }
        let Some(served) = self.find(Some(host), None).filter(|served| served.asks_for_certificate()) else {
            return true;
        };
        served.exempts(path) || tls.verified_for.as_deref() == Some(&*normal_name(host))
    }

    /// `true` if no certificate is configured at all.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// A name as names are compared: lower case, without a trailing dot.
pub(crate) fn normal_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

// === impl Served ===

impl Served {
    /// Reads the certificates of `ssl`, a resource of type server.
    ///
    /// # Errors
    /// If a certificate, key, CA or pattern cannot be read, or a key is not its certificate's.
    pub fn load(ssl: &Ssl, offer: &Offer) -> Result<Self, TlsError> {
        let keys = ssl.pairs.iter().map(certified_key).collect::<Result<Vec<_>, _>>()?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = chosen_versions(ssl).unwrap_or_else(|| offer.versions.clone());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions)?;
        let client = ssl.client.as_ref().map(|client| ClientPolicy::new(client, provider)).transpose()?;
        let builder = match &client {
            None => builder.with_no_client_auth(),
            Some(policy) => builder.with_client_cert_verifier(policy.verifier()),
        };
        let mut config = builder.with_cert_resolver(Arc::new(FirstThatFits(keys)));
        config.alpn_protocols.clone_from(&offer.alpn);
        Ok(Self { config: Arc::new(config), client })
    }

    /// For the handshake.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// `true` if clients are asked for a certificate, at least on some paths.
    pub fn asks_for_certificate(&self) -> bool {
        self.client.is_some()
    }

    /// `true` if requests for `path` need no certificate.
    fn exempts(&self, path: &str) -> bool {
        self.client.as_ref().is_none_or(|policy| policy.exempts(path))
    }

    /// `true` if a client that got through the handshake with these certificates has proved who it is.
    pub fn has_verified(&self, shown: Option<&[CertificateDer<'_>]>) -> bool {
        self.client.as_ref().zip(shown).is_some_and(|(policy, chain)| policy.accepts(chain))
    }
}

/// TLS 1.1 is older than anything this build speaks: a resource that names nothing newer cannot be served. `None`: the
/// resource leaves it to the listener.
fn chosen_versions(ssl: &Ssl) -> Option<Vec<&'static SupportedProtocolVersion>> {
    let known = |version: &TlsVersion| match version {
        TlsVersion::Tls11 => None,
        TlsVersion::Tls12 => Some(&rustls::version::TLS12),
        TlsVersion::Tls13 => Some(&rustls::version::TLS13),
    };
    (!ssl.protocols.is_empty()).then(|| ssl.protocols.iter().filter_map(known).collect())
}

fn certified_key(pair: &KeyPair) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pair.cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose().as_bytes()).map_err(TlsError::Key)?;
    let certified = CertifiedKey::new(chain, any_supported_type(&key)?);
    match certified.keys_match() {
        // Some kinds of keys do not tell their public half.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(error) => Err(error.into()),
    }
}

// === impl Offer ===

impl Offer {
    /// As `config.yaml` says: HTTP/2 only where it is on.
    pub fn of(settings: &Apisix) -> Self {
        let http1: &[u8] = b"http/1.1";
        let alpn: &[&[u8]] = if settings.enable_http2 { &[b"h2", http1] } else { &[http1] };
        let known = |version: &settings::TlsVersion| match version {
            settings::TlsVersion::V1_2 => &rustls::version::TLS12,
            settings::TlsVersion::V1_3 => &rustls::version::TLS13,
        };
        Self {
            alpn: alpn.iter().map(|name| name.to_vec()).collect(),
            versions: settings.ssl.protocols.iter().map(known).collect(),
        }
    }
}

/// Several certificates of the same names, with different kinds of keys.
#[derive(Debug)]
struct FirstThatFits(Vec<Arc<CertifiedKey>>);

impl rustls::server::ResolvesServerCert for FirstThatFits {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).or(self.0.first()).cloned()
    }
}
