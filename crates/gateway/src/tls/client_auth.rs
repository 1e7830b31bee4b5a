//! Client certificates: who may come in under a name. Without exempt paths a handshake without a good certificate
//! fails. With them it succeeds, and whether the certificate was good decides per request: TLS is done before the first
//! path is known.

use std::sync::Arc;

use config::pattern::Pattern;
use config::resource::ClientVerification;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use super::TlsError;

/// What one ssl resource asks of clients.
#[derive(Debug)]
pub(super) struct ClientPolicy {
    exempt: Box<[Pattern]>,
    authorities: Arc<Authorities>,
}

/// Whose certificates are accepted, and through how many others.
#[derive(Debug)]
struct Authorities {
    accepted: Arc<dyn ClientCertVerifier>,
    /// The most certificates between the client's and an authority's.
    depth: usize,
}

/// Asks for a certificate and takes note of none: the requests are judged one by one.
#[derive(Debug)]
struct Lenient(Arc<Authorities>);

// === impl ClientPolicy ===

impl ClientPolicy {
    /// # Errors
    /// If the authorities cannot be read, or an exempt path is no pattern.
    pub fn new(client: &ClientVerification, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(client.ca.as_bytes()) {
            roots.add(certificate.map_err(TlsError::Certificate)?)?;
        }
        let accepted = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let exempt = client.skip_mtls_uri_regex.iter().map(|source| Pattern::new(source)).collect::<Result<_, _>>()?;
        Ok(Self { exempt, authorities: Arc::new(Authorities { accepted, depth: client.depth as usize }) })
    }

    /// For the handshake.
    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        match self.exempt.is_empty() {
            true => self.authorities.clone(),
            false => Arc::new(Lenient(self.authorities.clone())),
        }
    }

    /// `true` if requests for `path` need no certificate.
    pub fn exempts(&self, path: &str) -> bool {
        self.exempt.iter().any(|pattern| pattern.is_match(path))
    }

    /// `true` if `chain`, the client's certificate first, is good. That the client has its
    /// key, the handshake has shown.
    pub fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let [client, intermediates @ ..] = chain else { return false };
        self.authorities.verify_client_cert(client, intermediates, UnixTime::now()).is_ok()
    }
}

// === impl ClientCertVerifier ===

impl ClientCertVerifier for Authorities {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.accepted.root_hint_subjects()
    }

    /// TLS sends each certificate before the one that signed it, so a path through more than `depth` of them does not
    /// come about when only so many are looked at.
    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let within_depth = &intermediates[..intermediates.len().min(self.depth)];
        self.accepted.verify_client_cert(client, within_depth, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.accepted.verify_tls12_signature(message, client, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.accepted.verify_tls13_signature(message, client, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.accepted.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Lenient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _client: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, client, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, client, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
