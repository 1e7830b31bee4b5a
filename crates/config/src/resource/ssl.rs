//! Certificates: those the gateway shows to clients, and those it shows to upstreams.

use serde::Deserialize;

use super::forms;
use super::route::{Labels, lower_case, one_or_many};
use crate::secret::Secret;

/// A certificate with its key, and what is asked of clients that use it. `sni`/`snis` are one list here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "SslForms")]
pub struct Ssl {
    /// Empty until the store has given one.
    pub id: String,
    pub desc: Option<String>,
    pub labels: Labels,
    pub kind: SslType,
    /// Lower case, without a trailing dot; `*.example.com` is one label deep. Empty for client certificates.
    pub snis: Vec<String>,
    /// At least one; further ones hold the same names with another kind of key.
    pub pairs: Vec<KeyPair>,
    pub client: Option<ClientVerification>,
    pub enabled: bool,
    /// Empty: as the listener has it.
    pub protocols: Vec<TlsVersion>,
}

/// Which side of a connection shows the certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SslType {
    /// The gateway to its clients.
    #[default]
    Server,
    /// The gateway to its upstreams.
    Client,
}

/// A certificate chain and its private key, PEM, or references to secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPair {
    pub cert: String,
    pub key: Secret,
}

/// Clients must show a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientVerification {
    /// PEM of the authorities whose certificates are accepted.
    pub ca: String,
    /// Longest chain accepted.
    #[serde(default = "one")]
    pub depth: u32,
    /// Paths which need no certificate.
    #[serde(default)]
    pub skip_mtls_uri_regex: Vec<String>,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum TlsVersion {
    #[serde(rename = "TLSv1.1")]
    Tls11,
    #[serde(rename = "TLSv1.2")]
    Tls12,
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

/// An ssl resource as users write it.
#[derive(Deserialize)]
struct SslForms {
    #[serde(default, deserialize_with = "forms::id")]
    id: String,
    desc: Option<String>,
    #[serde(default)]
    labels: Labels,
    #[serde(default, rename = "type")]
    kind: SslType,
    sni: Option<String>,
    #[serde(default)]
    snis: Vec<String>,
    cert: String,
    key: Secret,
    #[serde(default)]
    certs: Vec<String>,
    #[serde(default)]
    keys: Vec<Secret>,
    client: Option<ClientVerification>,
    #[serde(default = "forms::enabled", deserialize_with = "forms::status")]
    status: bool,
    #[serde(default)]
    ssl_protocols: Vec<TlsVersion>,
}

impl From<SslForms> for Ssl {
    fn from(forms: SslForms) -> Ssl {
        let first = KeyPair { cert: forms.cert, key: forms.key };
        let more = forms.certs.into_iter().zip(forms.keys).map(|(cert, key)| KeyPair { cert, key });
        let snis = lower_case(one_or_many(forms.sni, forms.snis));
        Ssl {
            id: forms.id,
            desc: forms.desc,
            labels: forms.labels,
            kind: forms.kind,
            snis: snis.into_iter().map(|sni| sni.trim_end_matches('.').to_owned()).collect(),
            pairs: one_or_many(Some(first), more.collect()),
            client: forms.client,
            enabled: forms.status,
            protocols: forms.ssl_protocols,
        }
    }
}
