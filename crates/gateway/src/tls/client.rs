//! TLS towards upstreams: two configurations made once, with and without verification, and one more for each
//! client certificate that an upstream asks for.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::TlsError;

/// The TLS configurations for connections to upstreams.
#[derive(Debug)]
pub struct ClientConfigs {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    verified: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
}

/// Whether an upstream's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verify {
    Yes,
    No,
}

impl ClientConfigs {
    /// Trusts the system's authorities and `extra` ones (PEM).
    ///
    /// # Errors
    /// If `extra` is not PEM.
    pub fn new(extra: Option<&[u8]>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "a certificate of the system's trust store cannot be read");
        }
        roots.add_parsable_certificates(system.certs);
        if let Some(pem) = extra {
            let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
            roots.add_parsable_certificates(certificates.map_err(TlsError::Certificate)?);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let make = |verify| -> Result<Arc<ClientConfig>, TlsError> {
            Ok(Arc::new(with_alpn(builder(&provider, &roots, verify)?.with_no_client_auth())))
        };
        Ok(Self { verified: make(Verify::Yes)?, unverified: make(Verify::No)?, roots, provider })
    }

    /// The configuration without a client certificate.
    pub fn plain(&self, verify: Verify) -> &Arc<ClientConfig> {
        match verify {
            Verify::Yes => &self.verified,
            Verify::No => &self.unverified,
        }
    }

    /// A configuration that shows a client certificate (both PEM).
    ///
    /// # Errors
    /// If certificate or key cannot be read or do not fit.
    pub fn with_certificate(&self, verify: Verify, cert: &str, key: &str) -> Result<Arc<ClientConfig>, TlsError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsError::Key)?;
        let config = builder(&self.provider, &self.roots, verify)?.with_client_auth_cert(chain, key)?;
        Ok(Arc::new(with_alpn(config)))
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(provider: &Arc<CryptoProvider>, roots: &Arc<RootCertStore>, verify: Verify) -> Result<Builder, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    Ok(match verify {
        Verify::Yes => builder.with_root_certificates(roots.clone()),
        Verify::No => builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider.clone()))),
    })
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// For upstreams with `tls.verify: false`, APISIX's default: any certificate will do, the signatures of the
/// handshake are still checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
