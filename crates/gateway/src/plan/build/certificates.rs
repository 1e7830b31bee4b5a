//! Certificates for clients.

use std::sync::Arc;

use config::resource::{Ssl, SslType};
use config::secret::Secret;
use serde_json::Value;
use store::Snapshot;

use super::{Planner, items};
use crate::tls::server::{Certificates, Served};

/// An ssl resource that is shown to clients.
pub(super) struct Loaded {
    names: Vec<String>,
    served: Arc<Served>,
}

impl Planner {
    /// What did not change is taken over, so that its TLS sessions stay resumable.
    pub(super) fn compile_certificates(&mut self, snapshot: &Snapshot) -> Certificates {
        let mut certificates = Certificates::default();
        let mut known = std::mem::take(&mut self.certificates);
        for (key, value) in items(snapshot, "/apisix/ssls/") {
            match known.of(key, value, |value| self.load(value)) {
                Ok(loaded) => {
                    if let Some(Loaded { names, served }) = &*loaded {
                        certificates.add(names, served);
                    }
                }
                Err(error) => self.complain("the certificate", key, value, &error),
            }
        }
        self.certificates = known;
        certificates
    }

    /// `None` if the resource is off, or not for clients.
    fn load(&self, value: &Value) -> Result<Option<Loaded>, String> {
        let mut ssl = Ssl::from_value(value).map_err(|error| error.to_string())?;
        if ssl.kind != SslType::Server || !ssl.enabled {
            return Ok(None);
        }
        for pair in &mut ssl.pairs {
            pair.key = Secret::new(self.secret_text(&self.keyring.decrypt(pair.key.expose())));
            pair.cert = self.secret_text(&pair.cert);
        }
        let served = Served::load(&ssl, &self.offer).map_err(|error| error.to_string())?;
        Ok(Some(Loaded { names: ssl.snis, served: Arc::new(served) }))
    }
}
