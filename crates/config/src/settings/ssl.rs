//! The `apisix.ssl` section: what TLS clients are offered, and whose certificates are trusted.

use std::path::PathBuf;

use super::SettingsError;
use super::apisix::{Listen, listens};
use super::reader::Reader;

/// The `apisix.ssl` section.
#[derive(Debug, Clone)]
pub struct Ssl {
    pub enable: bool,
    pub listen: Vec<Listen>,
    /// Versions offered to clients; never empty.
    pub protocols: Vec<TlsVersion>,
    /// The name assumed for clients that send none.
    pub fallback_sni: Option<String>,
    /// Trust the system's certificate authorities.
    pub trust_system: bool,
    /// PEM files of further certificate authorities to trust.
    pub trusted_certificates: Vec<PathBuf>,
}

/// A TLS version that this build speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

// === impl Ssl ===

impl Default for Ssl {
    fn default() -> Self {
        Self {
            enable: true,
            listen: vec![Listen { ip: None, port: 9443 }],
            protocols: vec![TlsVersion::V1_2, TlsVersion::V1_3],
            fallback_sni: None,
            trust_system: true,
            trusted_certificates: Vec::new(),
        }
    }
}

impl Ssl {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let authorities = from.text_or("ssl_trusted_certificate", "system")?;
        let authorities: Vec<_> = authorities.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let read = Self {
            enable: from.flag("enable", default.enable)?,
            listen: listens(from, "listen", default.listen)?,
            protocols: protocols(from)?.unwrap_or(default.protocols),
            fallback_sni: from.text("fallback_sni")?.map(|name| name.to_ascii_lowercase()),
            trust_system: authorities.contains(&"system"),
            trusted_certificates: authorities.into_iter().filter(|name| *name != "system").map(PathBuf::from).collect(),
        };
        from.without_effect(&["ssl_ciphers", "ssl_session_tickets", "enable_http2", "key_encrypt_salt"]);
        from.finish();
        Ok(read)
    }
}

/// `"TLSv1.2 TLSv1.3"`. Older versions, which TLS libraries no longer speak, are passed over with a warning.
fn protocols(from: &mut Reader<'_>) -> Result<Option<Vec<TlsVersion>>, SettingsError> {
    const EXPECTED: &str = "TLSv1.2, TLSv1.3 or both, separated by a space";
    let Some(entry) = from.entry("ssl_protocols") else {
        return Ok(None);
    };
    let mut versions = Vec::new();
    for name in entry.text()?.split_whitespace() {
        match name {
            "TLSv1.2" => versions.push(TlsVersion::V1_2),
            "TLSv1.3" => versions.push(TlsVersion::V1_3),
            "TLSv1" | "TLSv1.1" | "SSLv3" => entry.warn(&format!("names {name}, which is not offered")),
            _ => return Err(entry.invalid(EXPECTED)),
        }
    }
    if versions.is_empty() {
        return Err(entry.invalid(EXPECTED));
    }
    Ok(Some(versions))
}
