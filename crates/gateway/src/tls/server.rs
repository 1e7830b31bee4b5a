//! Certificates shown to clients: chosen by SNI from the plan's ssl resources, exact names before `*.domain`
//! before `*`. Without a match the handshake is aborted.

use std::collections::HashMap;
use std::sync::Arc;

use config::resource::{KeyPair, Ssl, SslType};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::client::TlsError;

/// The server configurations of one plan, by SNI.
#[derive(Default)]
pub struct Certificates {
    by_name: HashMap<String, Arc<ServerConfig>>,
}

impl Certificates {
    /// Adds an ssl resource of type server for each of its names.
    ///
    /// # Errors
    /// If a certificate, key or CA cannot be read.
    pub fn add(&mut self, ssl: &Ssl) -> Result<(), TlsError> {
        if ssl.kind != SslType::Server || !ssl.enabled {
            return Ok(());
        }
        let config = Arc::new(server_config(ssl)?);
        for name in &ssl.snis {
            self.by_name.insert(name.clone(), config.clone());
        }
        Ok(())
    }

    /// The configuration for a client that asks for `name`, or for `fallback` if it names none.
    pub fn find(&self, name: Option<&str>, fallback: Option<&str>) -> Option<&Arc<ServerConfig>> {
        let name = name.or(fallback)?.trim_end_matches('.').to_ascii_lowercase();
        if let Some(config) = self.by_name.get(&name) {
            return Some(config);
        }
        if let Some((_, domain)) = name.split_once('.')
            && let Some(config) = self.by_name.get(&format!("*.{domain}"))
        {
            return Some(config);
        }
        self.by_name.get("*")
    }

    /// `true` if no certificate is configured at all.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn server_config(ssl: &Ssl) -> Result<ServerConfig, TlsError> {
    let keys = ssl.pairs.iter().map(certified_key).collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions(ssl))?;
    let builder = match &ssl.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(client.ca.as_bytes()) {
                roots.add(certificate.map_err(TlsError::Certificate)?)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(FirstThatFits(keys)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS 1.1 is older than anything this build speaks.
fn versions(ssl: &Ssl) -> Vec<&'static SupportedProtocolVersion> {
    use config::resource::TlsVersion;
    let chosen: Vec<_> = ssl
        .protocols
        .iter()
        .filter_map(|version| match version {
            TlsVersion::Tls11 => None,
            TlsVersion::Tls12 => Some(&rustls::version::TLS12),
            TlsVersion::Tls13 => Some(&rustls::version::TLS13),
        })
        .collect();
    if chosen.is_empty() { vec![&rustls::version::TLS13, &rustls::version::TLS12] } else { chosen }
}

fn certified_key(pair: &KeyPair) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pair.cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose().as_bytes()).map_err(TlsError::Key)?;
    Ok(Arc::new(CertifiedKey::new(chain, any_supported_type(&key)?)))
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
