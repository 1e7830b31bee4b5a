//! TLS on both sides: what the gateway shows to clients, chosen by SNI, and asks of them; and how it connects to
//! upstreams.

pub mod client;
mod client_auth;
pub(crate) mod client_identity;
pub mod server;

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("failed to parse cert: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    #[error("failed to parse key: {0}")]
    Key(rustls::pki_types::pem::Error),
    #[error("skip_mtls_uri_regex: {0}")]
    ExemptPath(#[from] config::pattern::PatternError),
    #[error("client.ca: {0}")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}
