//! TLS towards upstreams: two configurations made once, with and without verification, and one more for each
//! client certificate that an upstream asks for.
//!
//! The system's authorities are read when something first needs them: they are many, and a gateway whose upstreams all
//! stand beside it needs none.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::TlsError;

/// The TLS configurations for connections to upstreams.
#[derive(Debug)]
pub struct ClientConfigs {
    trust: Arc<Trust>,
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
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let extra = CertificateDer::pem_slice_iter(extra.unwrap_or_default()).collect::<Result<_, _>>();
        let extra = extra.map_err(TlsError::Certificate)?;
        let trust = Arc::new(Trust { extra, provider: provider.clone(), verifier: OnceLock::new() });
        let make = |verify| -> Result<Arc<ClientConfig>, TlsError> {
            Ok(Arc::new(with_alpn(builder(&trust, verify)?.with_no_client_auth())))
        };
        Ok(Self { verified: make(Verify::Yes)?, unverified: make(Verify::No)?, trust })
    }

    /// The configuration without a client certificate, for servers that will be called: authorities are read now, so
    /// that no handshake waits for them.
    pub fn plain(&self, verify: Verify) -> &Arc<ClientConfig> {
        self.prepare(verify);
        self.unprepared(verify)
    }

    /// The configuration without a client certificate, for servers that may never be called.
    pub fn unprepared(&self, verify: Verify) -> &Arc<ClientConfig> {
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
        self.prepare(verify);
        let config = builder(&self.trust, verify)?.with_client_auth_cert(chain, key)?;
        Ok(Arc::new(with_alpn(config)))
    }

    fn prepare(&self, verify: Verify) {
        if verify == Verify::Yes {
            self.trust.verifier();
        }
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(trust: &Arc<Trust>, verify: Verify) -> Result<Builder, TlsError> {
    let provider = trust.provider.clone();
    let verifier: Arc<dyn ServerCertVerifier> = match verify {
        Verify::Yes => trust.clone(),
        Verify::No => Arc::new(AcceptAny(provider.clone())),
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Whom upstreams may be vouched for by: the system's authorities and `extra` ones.
#[derive(Debug)]
struct Trust {
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Trust {
    /// `None` if there is not one authority.
    fn verifier(&self) -> Option<&Arc<WebPkiServerVerifier>> {
        self.verifier.get_or_init(|| self.read()).as_ref()
    }

    fn read(&self) -> Option<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "a certificate of the system's trust store cannot be read");
        }
        roots.add_parsable_certificates(system.certs);
        roots.add_parsable_certificates(self.extra.iter().cloned());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone()).build().ok()
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.verifier().ok_or(CertificateError::UnknownIssuer)?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
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
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
